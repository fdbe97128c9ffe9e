"""What an answer is worth that was given without looking: the measure beside every score.

Two such answers: the one report that, given to every scenario of the pack, scores best on average;
and the report that blames the last change before the page, and takes it back. The better one counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from sandbox.base.config import Config
from sandbox.drill.grading.grade import grade
from sandbox.drill.play.deeds import ActionTaken, Played
from sandbox.drill.play.report import Report
from sandbox.drill.scenario import segments, taxonomy
from sandbox.drill.scenario.patterns import ActionPattern, parse_action
from sandbox.drill.scenario.scenario import Scenario, Step
from sandbox.drill.scenario.truth import Cause
from sandbox.runtime.operate.operations import shown

ONSET_GUESSES_S = tuple(300.0 * n for n in range(17))  # before the page; finer earns nothing more


@dataclass(frozen=True)
class Guess:
    """A report and an action, both without looking. onset_before_page_s: world seconds.
    action: as typed, None for none; effects: what it comes to. how: in words."""

    incident: bool
    component: str = taxonomy.NONE
    mechanism: str = "chance"
    onset_before_page_s: float = 0.0
    segment: tuple[tuple[str, str], ...] = ()
    action: str | None = None
    effects: tuple[str, ...] = ()
    confidence: float = 0.9
    how: str = "the one answer that scores best over the other scenarios"

    def score(self, scenario: Scenario, played: Played) -> float:
        """Its grade when filed right after the page."""
        started = played.began_ts + max(0.0, played.paged_s - self.onset_before_page_s)
        report = Report(incident=False, confidence=self.confidence)
        if self.incident:
            report = Report.blaming(
                self.component, self.mechanism, started, dict(self.segment),
                detected_at=played.began_ts + played.paged_s, confidence=self.confidence,
            )  # fmt: skip
        actions: tuple[ActionTaken, ...] = ()
        if self.action is not None:
            actions = (ActionTaken.of(played.paged_s, *parse_action(self.action), self.effects),)
        alone = replace(played, filed_s=played.paged_s, actions=actions, hints=0)
        return grade(scenario, alone, report).score

    @property
    def told(self) -> str:
        """The whole answer, for people."""
        if not self.incident:
            return f"{self.how}: nothing is wrong, and nothing is done"
        whom = segments.told(dict(self.segment))
        done = f"`{self.action}`" if self.action else "nothing is done"
        return (
            f"{self.how}: {self.component}, {self.mechanism}, began "
            f"{self.onset_before_page_s / 60:.0f} world minutes before the page, hit {whom}; {done}"
        )


@dataclass(frozen=True)
class Blind:
    """An answer that was given without looking: its score, 0..1, and what it says."""

    score: float
    told: str


def planned(scenario: Scenario) -> Played:
    """How it would go by the scenario's file, for a drill that has not been run."""
    paged = scenario.pager.at_s
    return Played(0.0, scenario.length_s, scenario.truth.onset_s, paged, paged)


def best_constant(pack: Iterable[Scenario]) -> Guess:
    """The answer that scores best over the pack, each drill with its own seed. Items add up, so each field is
    chosen by itself."""
    return _chosen(pack).constant


def blame_last_change(pack: Iterable[Scenario]) -> Callable[[Scenario, Played], Guess | None]:
    """The answer that names the last change before the page, as the component and the onset, and takes
    it back; mechanism and segment, which a change does not tell, are the best constants for that."""
    return _chosen(pack).last_change


def blind_answer(scenario: Scenario, played: Played, pack: Iterable[Scenario]) -> Blind:
    """The better of the two answers in this drill. Both are chosen on the other scenarios of
    the pack: an answer that fits this one by chance of the pack's make-up has looked."""
    chosen = _chosen(s for s in pack if s.id != scenario.id)
    guesses = [chosen.constant, chosen.last_change(scenario, played)]
    scored = [Blind(g.score(scenario, played), g.told) for g in guesses if g is not None]
    return max(scored, key=lambda blind: blind.score)


class _Chosen:
    """Both answers, chosen on one pack. It keeps the pack, so that nothing else takes its place in memory."""

    def __init__(self, pack: tuple[Scenario, ...]) -> None:
        self.pack = pack
        self._placed = [(s, planned(s)) for s in (s.placed(s.seed) for s in pack)]
        self._scenarios = [s for s, _ in self._placed]
        self.constant = self._best_constant()
        self.last_change = self._best_last_change()

    def _best_constant(self) -> Guess:
        quiet = Guess(incident=False)
        loud = Guess(incident=True, component="gateway", mechanism="slow-edge")

        def total(guess: Guess) -> float:
            return sum(guess.score(s, played) for s, played in self._placed)

        def improved(guess: Guess, options: Iterable[Guess]) -> Guess:
            return max((guess, *options), key=total)

        components = _components(c.component for c in _causes(self._scenarios))
        loud = improved(loud, (replace(loud, component=c) for c in components))
        loud = improved(loud, (replace(loud, mechanism=m) for m in _mechanisms(self._scenarios)))
        loud = improved(loud, (replace(loud, onset_before_page_s=s) for s in ONSET_GUESSES_S))
        loud = improved(loud, (replace(loud, segment=s) for s in _segments(self._scenarios)))
        deeds = sorted({text for s in self._scenarios for text in s.helpful if ActionPattern.parse(text).concrete})
        loud = improved(loud, (replace(loud, action=deed) for deed in deeds))
        return max((quiet, loud), key=total)

    def _best_last_change(self) -> Callable[[Scenario, Played], Guess | None]:
        blamed = [(s, played, guess) for s, played in self._placed if (guess := _blaming_last_change(s, played))]

        def total(**told: Any) -> float:
            return sum(replace(guess, **told).score(s, played) for s, played, guess in blamed)

        mechanism = max(_mechanisms(self._scenarios), key=lambda m: total(mechanism=m)) if blamed else "slow-edge"
        segment = max(((), *_segments(self._scenarios)), key=lambda s: total(mechanism=mechanism, segment=s))

        def answer(scenario: Scenario, played: Played) -> Guess | None:
            guess = _blaming_last_change(scenario, played)
            return replace(guess, mechanism=mechanism, segment=segment) if guess else None

        return answer


_PACKS = 64  # that are remembered: one for each scenario left out of a pack of so many
_CHOSEN: dict[tuple[int, ...], _Chosen] = {}


def _chosen(pack: Iterable[Scenario]) -> _Chosen:
    """A pack's scenarios are read once per process, so they are known by their place in memory."""
    given = tuple(pack)
    key = tuple(map(id, given))
    if key not in _CHOSEN:
        if len(_CHOSEN) >= _PACKS:
            _CHOSEN.clear()
        _CHOSEN[key] = _Chosen(given)
    return _CHOSEN[key]


def _blaming_last_change(scenario: Scenario, played: Played) -> Guess | None:
    step = _last_change(scenario, played)
    if step is None:
        return None
    key, component = _key(step), _key(step)
    if component not in taxonomy.COMPONENTS:
        component = step.target if step.target in taxonomy.COMPONENTS else "gateway"
    return Guess(
        incident=True, component=component, mechanism="slow-edge",
        onset_before_page_s=played.paged_s - step.at_s, action=f"revert target={step.target} key={key}",
        effects=_undoing(step, scenario.config), how="the last change before the page is to blame",
    )  # fmt: skip


def _last_change(scenario: Scenario, played: Played) -> Step | None:
    before = [s for s in scenario.timeline if s.at_s <= played.paged_s and (s.change or s.release)]
    return before[-1] if before else None


def _key(step: Step) -> str:
    found = step.release or step.change
    assert found is not None
    return found.key


def _undoing(step: Step, began: Config) -> tuple[str, ...]:
    """What taking a release back comes to, when the settings before it were those of the beginning."""
    if step.release is None:
        return ()
    usual = began.model_dump()  # of what it does not speak of, None is usual
    return tuple(
        f"set service={service} field={name} value={shown(usual[service].get(name))}"
        for service, settings in step.release.patches.items()
        for name in settings
    )


def _causes(scenarios: Iterable[Scenario]) -> list[Cause]:
    """Of all incidents."""
    return [c for s in scenarios if s.truth.incident for c in s.truth.causes]


def _components(names: Iterable[str]) -> list[str]:
    """The true ones and all that touch them: no other component scores."""
    true = set(names)
    near = {c for c in taxonomy.COMPONENTS for t in true if taxonomy.are_neighbours(c, t)}
    return sorted((true | near) - {taxonomy.NONE})


def _mechanisms(scenarios: list[Scenario]) -> list[str]:
    true = {c.mechanism for c in _causes(scenarios)}
    return sorted(true | {taxonomy.family_of(name) for name in true}) or ["slow-edge"]


def _segments(scenarios: list[Scenario]) -> list[tuple[tuple[str, str], ...]]:
    return sorted(
        {tuple(sorted((c, v) for c, v in cause.segment.items() if isinstance(v, str))) for cause in _causes(scenarios)}
    )
