"""The world that a scenario is played in: its versions, topics, users. Read from disk, nothing built."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sandbox.base import paths
from sandbox.base.catalogue import LANGUAGES, REGIONS
from sandbox.base.errors import SandboxError
from sandbox.base.worlds import load_manifest, world_dir
from sandbox.drill.authoring import lists
from sandbox.drill.scenario.draft import Draft
from sandbox.drill.scenario.finding import Finding, guess, listed
from sandbox.world.presets import PRESETS
from sandbox.world.words import TOPICS

_FIRST = {"two_tower": ("tt-1",), "ranker": ("rk-1",), "index": ("ix-1",)}  # of every world
LITTLE_PER_S, MUCH_PER_S = 2.0, 120.0
LITTLE_MINUTES = 10.0  # world minutes between the onset and the end that show anything


@dataclass(frozen=True)
class Place:
    """name: None where there is no such world. versions: by artefact. topics: names of the slots in use.
    regions, languages: those that some user has; item_languages: that some item has; all where the world is
    not built yet."""

    name: str | None
    versions: dict[str, set[str]]
    topics: tuple[str, ...] = tuple(TOPICS)
    regions: tuple[str, ...] = REGIONS
    languages: tuple[str, ...] = LANGUAGES
    item_languages: tuple[str, ...] = LANGUAGES


def of(name: object) -> Place:
    """The world of that name as it is on disk, or as it would be built."""
    first = {artefact: set(known) for artefact, known in _FIRST.items()}
    if not isinstance(name, str) or name not in worlds():
        return Place(None, first)
    try:
        manifest = load_manifest(name)
    except SandboxError:
        return Place(name, first)  # a preset that is not built yet
    for artefact in first:
        there = (world_dir(name) / "registry" / artefact).glob("*/manifest.json")
        first[artefact] |= {path.parent.name for path in there}
    topics = tuple(manifest.topics)
    return Place(name, first, topics, *_spoken(name))


def worlds() -> list[str]:
    """Worlds that are there, and those that are built when asked for."""
    there = sorted(p.parent.name for p in paths.worlds().glob("*/world.json"))
    return list(dict.fromkeys([*PRESETS, *there]))


def _spoken(name: str) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Regions and languages of its users, languages of its items."""
    import numpy as np

    try:
        with np.load(world_dir(name) / "public" / "catalogue.npz", allow_pickle=False) as arrays:
            codes = [np.unique(arrays[of]) for of in ("user_region", "user_language", "item_language")]
    except (OSError, ValueError, KeyError):
        return REGIONS, LANGUAGES, LANGUAGES
    regions, spoken, written = codes
    return (
        tuple(REGIONS[c] for c in regions),
        tuple(LANGUAGES[c] for c in spoken),
        tuple(LANGUAGES[c] for c in written),
    )


def findings(draft: Draft, place: Place) -> Iterator[Finding]:
    """What the file asks of a world that has it not, and traffic that shows little."""
    if place.name is None:
        world = draft.raw_at(("world",))
        yield draft.error(
            "unknown-name",
            ("world",),
            world,
            listed(worlds()),
            guess(world, worlds(), "build or import it first: sandbox world --help"),
        )
    for n, step in draft.steps:
        for m, code in enumerate(step.scope.regions):
            if REGIONS[code] not in place.regions:
                yield draft.error(
                    "no-effect",
                    ("timeline", n, "scope", "regions", m),
                    REGIONS[code],
                    listed(place.regions),
                    f"no user of {place.name} lives there",
                )
        for key, there, whose in _knobs(step.fault.name if step.fault else "", place):
            for m, value in enumerate(draft.raw_list("timeline", n, "fault", "params", key)):
                known = value in (*LANGUAGES, *REGIONS) or key == "topics"
                if known and value not in there:
                    yield draft.error(
                        "no-effect",
                        ("timeline", n, "fault", "params", key, m),
                        value,
                        listed(there, 30),
                        guess(value, there, f"no {whose} of {place.name} has it"),
                    )
    if place.name is not None:
        yield from lists.findings(draft, place.name)
    yield from _traffic(draft)


def _knobs(fault: str, place: Place) -> list[tuple[str, tuple[str, ...], str]]:
    """(knob, values that somebody or something of the world has, who) of a fault."""
    if fault == "benign-mix-shift":
        return [("languages", place.languages, "user"), ("regions", place.regions, "user")]
    if fault == "sensitivity-overblock":
        return [("languages", place.item_languages, "item"), ("topics", place.topics, "item")]
    return []


def _traffic(draft: Draft) -> Iterator[Finding]:
    load = draft.parts.get("load")
    rate = getattr(load, "rate_per_s", None)
    if rate is not None and rate < LITTLE_PER_S:
        yield draft.warning(
            "traffic",
            ("load", "rate_per_s"),
            rate,
            f"{LITTLE_PER_S:g} or more requests per second",
            "with so few, neither alerts nor shares say anything",
        )
    peak = getattr(load, "peak_per_s", None)
    if peak is not None and peak > MUCH_PER_S:
        key = "rate_per_s" if rate == peak else "to_per_s"
        yield draft.warning(
            "traffic",
            ("load", key),
            peak,
            f"at most {MUCH_PER_S:g} requests per second",
            "two cores do not bear it live: the overload would hide the fault",
        )
    length, first = draft.length_s, min(draft.onsets(), default=None)
    if length is not None and first is not None and 0 < length - first < LITTLE_MINUTES * 60:
        yield draft.warning(
            "order",
            ("truth", "onset_s"),
            first,
            f"{length - LITTLE_MINUTES * 60:g} or earlier",
            "the drill is over before the fault can show",
        )
