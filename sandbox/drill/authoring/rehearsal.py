"""The timeline, rehearsed: its releases rolled out on a stack that stands still, in a directory of its own.

Operations are those of either backend, and so are the actions previewed and carried out on it; only the
platform below them is one that has no processes. What services would refuse when they reload, it refuses.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from sandbox.base.catalogue import LANGUAGES, SENSITIVITIES
from sandbox.base.clock import VirtualClock
from sandbox.base.config import Config
from sandbox.base.errors import SandboxError
from sandbox.base.features import VIEWS
from sandbox.base.load import LoadTest
from sandbox.base.run import RunInfo
from sandbox.drill.authoring.armed import kind_of
from sandbox.drill.authoring.place import Place as World
from sandbox.drill.play import rollout
from sandbox.drill.scenario.draft import Draft
from sandbox.drill.scenario.finding import Finding, guess, listed
from sandbox.drill.scenario.scenario import Release, Step
from sandbox.runtime.operate.operations import Operations, Record, shown
from services.ranking.core import INPUTS
from services.retrieval.core import SOURCES
from services.rules import document as rules_document

BEGAN_TS = 1_772_438_400.0


@dataclass
class StillPlatform:
    """What operations act on where nothing runs. versions: by artefact, as they are there by now."""

    run_dir: Path
    versions: dict[str, set[str]]
    topics: Sequence[str]
    ts: float = BEGAN_TS

    def now(self) -> float:
        return self.ts

    def reload(self, services: Iterable[str]) -> dict[str, int]:
        """Raises what the services would answer: MODEL-001, CFG-001, CFG-003."""
        config = Config.load(self.run_dir)
        refusal = next(refusals(config, self.versions, self.topics), None)
        if refusal is not None:
            setting, seen, expected, _ = refusal
            raise SandboxError("CFG-001", where=setting, seen=seen, expected=expected, fix="correct it")
        return dict.fromkeys(services, config.version)

    def rows(self, table: str, rows: Sequence[Sequence[Any]]) -> None:
        del table, rows

    def restart(self, process: str) -> None:
        del process

    def backlog(self) -> int:
        return 0

    def skip(self) -> int:
        return 0

    def replay(self, minutes: float) -> None:
        del minutes

    def versions_of(self, artifact: str) -> list[str]:
        return sorted(self.versions[artifact])

    def load_test(self, test: LoadTest | None) -> None:
        del test


_VERSIONS = (
    "model.ranker", "model.two_tower", "model.canary", "model.shadow", "model.keep_loaded", "retrieval.index_version",
)  # fmt: skip
Refusal = tuple[str, object, str, list[str]]  # service.setting, what stands there, expected, names there are


def refusals(config: Config, versions: dict[str, set[str]], topics: Sequence[str]) -> Iterator[Refusal]:
    """What services would refuse, or silently not use, of these documents."""
    for setting, artefact in (
        ("model.ranker", "ranker"),
        ("model.two_tower", "two_tower"),
        ("retrieval.index_version", "index"),
    ):
        service, name = setting.split(".")
        wanted, there = getattr(getattr(config, service), name), sorted(versions[artefact])
        if wanted not in there:
            yield setting, wanted, listed(there), there
    for name, rolled in (("canary", config.model.canary), ("shadow", config.model.shadow)):
        if rolled is not None:
            yield from _strangers(f"model.{name}", [rolled.version], sorted(versions["ranker"]))
    both = sorted(versions["ranker"] | versions["two_tower"])
    yield from _strangers("model.keep_loaded", config.model.keep_loaded, both)
    yield from _strangers("retrieval.quotas", config.retrieval.quotas, SOURCES)
    yield from _strangers("retrieval.disabled", config.retrieval.disabled, SOURCES)
    yield from _strangers("features.max_age_s", config.features.max_age_s, list(VIEWS))
    yield from _strangers("ranking.contract", config.ranking.contract, INPUTS)
    if any(n < 0 for n in config.retrieval.quotas.values()) or not any(config.retrieval.quotas.values()):
        yield "retrieval.quotas", config.retrieval.quotas, "numbers of candidates, some above 0", []
    if len(config.ranking.weights) != 3 or not all(w == w and abs(w) < 1e9 for w in config.ranking.weights):
        yield ("ranking.weights", config.ranking.weights, "three finite weights: click, long dwell, conversion", [])
    try:
        rules_document.checked(config.rules.rules)
    except SandboxError as error:
        yield "rules.rules", error.seen, error.expected, list(rules_document.PARAMS)
    listing = config.rules.sensitivity
    yield from _strangers("rules.sensitivity.by_language", listing.by_language, LANGUAGES)
    yield from _strangers("rules.sensitivity.by_topic", listing.by_topic, topics)
    yield from _strangers("rules.sensitivity.blocked_labels", listing.blocked_labels, SENSITIVITIES)


def _strangers(setting: str, given: Iterable[str], there: Sequence[str]) -> Iterator[Refusal]:
    for name in given:
        if name not in there:
            yield setting, name, listed(there, 30), list(there)


@dataclass
class Rehearsal:
    """A stack that stands still. rolled: step number -> what came of its release. lists: lists of each index
    that is an inverted file."""

    run: RunInfo
    platform: StillPlatform
    operations: Operations
    world: World
    rolled: dict[int, Record] = field(default_factory=dict)
    found: list[Finding] = field(default_factory=list)
    lists: dict[str, int] = field(default_factory=dict)

    def aside(self, directory: Path) -> Rehearsal:
        """A copy as it stands now, to try things on."""
        shutil.copytree(self.run.path, directory)
        versions = {artefact: set(there) for artefact, there in self.platform.versions.items()}
        made = _stack(directory, versions, self.world, self.platform.ts)
        made.lists, made.rolled = dict(self.lists), dict(self.rolled)
        return made

    @property
    def config(self) -> Config:
        return Config.load(self.run.path)


def _stack(directory: Path, versions: dict[str, set[str]], world: World, ts: float) -> Rehearsal:
    run = RunInfo(
        str(directory), world.name or "", str(directory), BEGAN_TS, 0.0, 60.0, 1, "", {}, {}, backend="virtual"
    )
    platform = StillPlatform(directory, versions, world.topics, ts)
    return Rehearsal(run, platform, Operations(run, platform), world)


@contextmanager
def empty(directory: Path, world: World, began: Config) -> Iterator[Rehearsal]:
    """A stack as the drill begins with it, with these documents."""
    directory.mkdir()
    versions = {artefact: set(there) for artefact, there in world.versions.items()}
    made = _stack(directory, versions, world, BEGAN_TS)
    began.save(directory)
    yield made


def rehearse(draft: Draft, stack: Rehearsal) -> None:
    """Rolls every release out, in order, and collects what goes wrong or changes nothing."""
    for n, step in draft.steps:
        stack.platform.ts = BEGAN_TS + step.at_s
        if step.change is not None:
            rollout.note(step, stack.operations)
        if step.release is not None:
            _learn(step, stack)
            if _sound(draft, n, step, stack):
                stack.found += _roll(draft, n, step, stack)


def _sound(draft: Draft, n: int, step: Step, stack: Rehearsal) -> bool:
    """Whether the release can go out at all; what keeps it from that is told elsewhere."""
    try:
        Release.model_validate(draft.raw_at(("timeline", n, "release")))
    except ValidationError:
        return False
    kind = kind_of(step)
    if kind is not None and step.fault is not None:
        try:
            params = kind.Params(**step.fault.params)
        except (ValidationError, TypeError):
            return False
        topics = getattr(params, "topics", ())
        if any(topic not in stack.platform.topics for topic in topics):
            return False
    patches = step.release.patches if step.release else {}
    needed = [] if kind is None else [setting.split(".") for setting in kind.needs]
    return all(name in patches.get(service, {}) for service, name in needed)


def _learn(step: Step, stack: Rehearsal) -> None:
    """The versions that are made for a release are there before it goes out."""
    assert step.release is not None
    release = step.release
    if release.retrain is not None:
        if "two_tower" in release.trained:
            stack.platform.versions["two_tower"].add(f"tt-{release.retrain}")
            stack.platform.versions["index"].add(f"ix-{release.retrain}")
        if "ranker" in release.trained:
            stack.platform.versions["ranker"].add(f"rk-{release.retrain}")
    if release.inverted_file is not None and release.index_version is not None:
        stack.platform.versions["index"].add(release.index_version)
        stack.lists[release.index_version] = release.inverted_file.lists
    if release.fresh_index is not None and release.index_version is not None:
        stack.platform.versions["index"].add(release.index_version)


def _roll(draft: Draft, n: int, step: Step, stack: Rehearsal) -> Iterator[Finding]:
    assert step.release is not None
    place = ("timeline", n, "release")
    before = stack.config
    built = step.release.inverted_file
    if built is not None and built.of not in stack.platform.versions["index"]:
        there = sorted(stack.platform.versions["index"])
        yield draft.error("unknown-version", (*place, "inverted_file", "of"), built.of, listed(there),
                          guess(built.of, there, "name an index that is there by then"))  # fmt: skip
    tower, towers = step.release.fresh_index, stack.platform.versions["two_tower"]
    if tower is not None and tower not in towers:
        yield draft.error("unknown-version", (*place, "fresh_index"), tower, listed(sorted(towers)),
                          guess(tower, sorted(towers), "name a user tower that is there by then"))  # fmt: skip
    if built is not None and built.nprobe > built.lists:
        yield draft.error("bad-value", (*place, "inverted_file", "nprobe"), built.nprobe,
                          f"at most {built.lists}, the lists", "search fewer lists")  # fmt: skip
    told = False
    for setting, seen, expected, names in _refused(step, before, stack):
        told = True
        service, *rest = setting.split(".")
        code = "unknown-version" if setting in _VERSIONS else "unknown-setting"
        yield draft.error(code, (*place, "patches", service, *rest), seen, expected,
                          guess(seen, names, "see sandbox scenario show --settings"))  # fmt: skip
    if told:
        return
    try:
        rollout.release(step, 1, True, stack.operations, _clock(stack), _clock(stack))
    except SandboxError as error:
        yield draft.error("release-fails", place, error.seen, error.expected, f"{error.where}: {error.fix}")
        return
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        yield draft.error("release-fails", place, repr(error), "a release that its fault can spoil",
                          "release the setting that the fault acts on")  # fmt: skip
        return
    stack.rolled[n] = stack.operations.records()[-1]
    yield from _moved(draft, n, step, before, stack)


def _version(value: Any) -> Any:
    """The version that a setting names: of a canary or a shadow, the one in its document."""
    return value.get("version") if isinstance(value, dict) else value


def _clock(stack: Rehearsal) -> VirtualClock:
    return VirtualClock(start=stack.platform.ts)


def _refused(step: Step, before: Config, stack: Rehearsal) -> Iterator[Refusal]:
    """What of the patches services refuse; not what was refused before."""
    assert step.release is not None
    after = before.model_copy(deep=True)
    for service, fields in step.release.patches.items():
        for name, value in fields.items():
            setattr(getattr(after, service), name, value)
    there = stack.platform.versions
    old = [r[:2] for r in refusals(before, there, stack.platform.topics)]
    for refusal in refusals(after, there, stack.platform.topics):
        if refusal[:2] not in old:
            yield refusal


def _moved(draft: Draft, n: int, step: Step, before: Config, stack: Rehearsal) -> Iterator[Finding]:
    """What the release leaves as it was."""
    assert step.release is not None
    place, after = ("timeline", n, "release"), stack.config
    patches = step.release.patches
    same = [
        (service, name)
        for service, fields in patches.items()
        for name in fields
        if getattr(getattr(before, service), name) == getattr(getattr(after, service), name)
    ]
    moves = before.model_copy(update={"version": after.version}) != after
    if step.fault is None and not moves:
        where = (*place, "patches") if patches else place
        seen = ", ".join(f"{s}.{k}" for s, k in same) or "no patches"
        yield draft.error(
            "no-effect",
            where,
            seen,
            "a setting that becomes another than is in force",
            "release another value, or make it a change, which is only an entry of the log",
        )
    elif step.fault is not None and not moves and step.fault.name != "benign-coincident-deploy":
        kind = kind_of(step)
        if kind is not None and kind.seam == "release":
            yield draft.error("no-effect", (*place, "patches"), "all as it was", "something that the fault spoils",
                              f"see `sandbox fault show {kind.name}`")  # fmt: skip
    elif step.fault is None and same:
        for service, name in same:
            yield draft.warning("no-effect", (*place, "patches", service, name),
                                shown(getattr(getattr(after, service), name)), "another value than is in force",
                                "take it out, or change it")  # fmt: skip
    if patches and step.target not in patches:
        yield draft.error("unknown-name", ("timeline", n, "target"), step.target, listed(patches),
                          "the target of a release is a service whose settings it changes")  # fmt: skip
    if step.release.retrain is not None and not any(
        str(_version(v)).endswith(f"-{step.release.retrain}") for fields in patches.values() for v in fields.values()
    ):
        yield draft.error("no-effect", (*place, "retrain"), step.release.retrain,
                          "a patch that brings one of the trained versions", f"patch model.ranker: rk-{step.release.retrain}, or take it out")  # fmt: skip
    retrieval = patches.get("retrieval", {})
    spoiled = step.fault is not None and step.fault.name == "ann-recall-collapse"
    if ("nprobe" in retrieval or spoiled) and after.retrieval.index_version not in stack.lists:
        at = (*place, "patches", "retrieval", "nprobe" if "nprobe" in retrieval else "index_version")
        yield draft.error("no-effect", at, after.retrieval.index_version, "an index that is an inverted file",
                          "give the release an inverted_file; an exact index searches everything")  # fmt: skip
