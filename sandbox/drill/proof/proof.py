"""What a proof of a scenario found, and whether that is as it should be. Pure."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from typing import Any

from sandbox.drill.proof import signals
from sandbox.drill.responders.registry import GOLD
from sandbox.drill.scenario.scenario import Scenario

HARM_Z = 2.0  # harm that does not stand out of the days is no incident
STRENGTH = 0.5  # of the strongest piece of evidence, at least
GOLD_LEAST, BLIND_MOST = 0.9, 0.35
AVERTS_LEAST = 0.5  # of the harm, by the accepted action at onset
BETTER_BY = 0.15  # of the harm, more than which no other legal action may avert
CHEATS = "gamer"  # no better than who looks at nothing
NEARLY = 0.1  # what a drill by itself may differ by, an onset guessed by luck; on average over a pack it is none
BLIND = "constant"


@dataclass(frozen=True)
class Proof:
    """harms: metric -> (harm, z). evidence: a row for each query. claims: a row for each sentence.
    averted: action -> share of the harm, the best response first. contradictions: with other scenarios.
    responders, no_fault: scores; empty and None where nobody played (quick). stopped: responder -> why its drill
    has no grade, so that a 0 for a slow machine is not taken for a judgement."""

    scenario: Scenario
    harms: dict[str, tuple[float, float]]
    signal: signals.Signal | None
    evidence: list[dict[str, Any]]
    not_run: dict[str, str]
    responders: dict[str, float] = field(default_factory=dict)
    no_fault: float | None = None
    claims: list[dict[str, Any]] = field(default_factory=list)
    averted: dict[str, float] = field(default_factory=dict)
    contradictions: list[str] = field(default_factory=list)
    stopped: dict[str, str] = field(default_factory=dict)

    @property
    def main_metric(self) -> str:
        """The metric whose harm stands out most."""
        return max(self.harms, key=lambda m: self.harms[m][1])

    @property
    def faults_found(self) -> list[str]:
        """What is not as it should be, empty when all is well."""
        found = [*self._of_harm(), *self.contradictions]
        if self.scenario.truth.incident:
            found += [*self._of_evidence(), *self._of_actions()]
        found += [f"not true: “{c['says']}” ({c['seen']})" for c in self.claims if not c["holds"]]
        return [*found, *self._of_responders()]

    def document(self) -> dict[str, Any]:
        """The document of `sandbox scenario prove --json`."""
        found = self.faults_found
        of, signal = self.main_metric, self.signal
        z = self.harms[of][1]
        first = f"{signal.name} after {signal.after_s / 60:.0f} world minutes" if signal else "none"
        well = f"harm of {z:.1f} standard deviations ({of}), first signal: {first}"
        if self.responders:
            well += "; only gold finds it"
        return {
            "scenario": self.scenario.id, "harm_z": round(z, 3), "harm_metric": of,
            "harms": {m: {"harm": round(h, 4), "z": round(one, 3)} for m, (h, one) in self.harms.items()},
            "first_signal": {"name": signal.name if signal else None, "after_s": signal.after_s if signal else None},
            "evidence": self.evidence, "not_run": self.not_run, "claims": self.claims,
            "averted": {text: round(share, 4) for text, share in self.averted.items()},
            "responders": self.responders, "no_fault": self.no_fault, "quick": not self.responders,
            "ok": not found, "why": "; ".join(found) or well,
        }  # fmt: skip

    def _of_harm(self) -> list[str]:
        z, incident = self.harms[self.main_metric][1], self.scenario.truth.incident
        if incident == (z >= HARM_Z):
            return []
        if incident:
            return [f"its harm ({self.main_metric}, z {z:.1f}) does not stand out of healthy days"]
        return [f"there is harm ({self.main_metric}, z {z:.1f}) where nothing should be wrong"]

    def _of_evidence(self) -> list[str]:
        found = []
        if silent := [e["query"] for e in self.evidence if not e["holds"]]:
            told = ", ".join(f"{e['query']} ({e['seen']})" for e in self.evidence if e["query"] in silent)
            found.append(f"the incident does not show {told}")
        if max(e["strength"] for e in self.evidence) < STRENGTH:
            found.append("no piece of its evidence differs clearly from a healthy day")
        for name in self.evidence[0]["under"]:
            if all(name in e["holds_under"] for e in self.evidence):
                found.append(f"all of its evidence holds under {name} too")
        return found

    def _of_actions(self) -> list[str]:
        if not self.averted:
            return []
        (accepted, share), *others = self.averted.items()
        found = []
        if share < AVERTS_LEAST:
            found.append(f"what is accepted ({accepted}) averts {share:.0%} of the harm")
        better = {text: of for text, of in others if of > share + BETTER_BY}
        if better:
            text = max(better, key=lambda t: better[t])
            found.append(f"`{text}` averts {better[text]:.0%} of the harm, what is accepted {share:.0%}")
        return found

    def _of_responders(self) -> list[str]:
        if not self.responders:
            return []
        scores = self.responders
        found = [f"{who} has no grade: {why}" for who, why in self.stopped.items()]
        blind = [score for name, score in scores.items() if name != GOLD]
        if (gold := scores.get(GOLD, 1.0)) < GOLD_LEAST:
            found.append(f"gold scores {gold:.2f}, below {GOLD_LEAST}")
        if blind and statistics.fmean(blind) >= BLIND_MOST:
            mean = statistics.fmean(blind)
            found.append(f"the others score {mean:.2f} on average, {BLIND_MOST} or more")
        if scores.get("vandal", 0.0) > scores.get("do-nothing", 1.0):
            found.append("the vandal beats do-nothing")
        if scores.get(CHEATS, 0.0) > scores.get(BLIND, 1.0) + NEARLY and self.scenario.truth.incident:
            found.append(f"{CHEATS} scores {scores[CHEATS]:.2f}, more than {BLIND}")
        if self.no_fault is not None and self.no_fault < GOLD_LEAST:
            found.append(f"without the fault gold scores {self.no_fault:.2f}: no all-clear")
        return found
