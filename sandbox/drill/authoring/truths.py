"""The truth: words that there are, segments that hold somebody, causes that are the faults' own. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

from sandbox.base.catalogue import AGE_BANDS, CREATOR_GROUPS, REGIONS, SENSITIVITIES
from sandbox.base.features import SEGMENTS
from sandbox.base.strict_yaml import Place
from sandbox.drill.authoring.armed import kind_of
from sandbox.drill.authoring.place import Place as World
from sandbox.drill.scenario import segments, taxonomy
from sandbox.drill.scenario.draft import Draft
from sandbox.drill.scenario.finding import Finding, guess, listed
from sandbox.telemetry.settings import AlertSettings
from services.retrieval.core import SOURCES
from services.skeleton.points import STAGES

MAX_DEPTH = 20  # requests of one visit


def alert_rules() -> list[str]:
    """Every rule that can fire."""
    settings = AlertSettings()
    windows = {w.suffix for w in settings.windows}
    return [
        *(f"{o.name}-{suffix}" for o in settings.objectives for suffix in o.windows if suffix in windows),
        *(f"{b.name}-low" for b in settings.baselines),
    ]


def segment_values(world: World) -> dict[str, tuple[str, ...]]:
    """What each segment column holds, as text; columns without an entry hold numbers or ranges."""
    return {
        "region": world.regions, "segment": (*SEGMENTS, "new"), "surface": ("home",),
        "client": ("app", "web", "probe"), "user_lang": world.languages, "age_band": AGE_BANDS,
        "main_topic": world.topics, "lang": world.item_languages, "creator_group": CREATOR_GROUPS,
        "category": world.topics, "sensitivity": SENSITIVITIES, "age_rating": ("0", "13", "16", "18"),
        "cand_source": SOURCES, "personalised": ("true", "false"),
        "depth": tuple(str(n) for n in range(1, MAX_DEPTH + 1)),
    }  # fmt: skip


def findings(draft: Draft, world: World) -> Iterator[Finding]:
    for place, cause in draft.causes():
        yield from _words(draft, place, cause)
        yield from _segment(draft, place, cause.get("segment"), world)
        yield from _component(draft, place, cause)
    yield from _pager(draft)
    yield from _around(draft)


def _words(draft: Draft, place: Place, cause: dict[str, Any]) -> Iterator[Finding]:
    for key, there, fix in (
        ("component", taxonomy.COMPONENTS, "see `sandbox drill words`"),
        ("mechanism", taxonomy.MECHANISMS, "see `sandbox drill words`"),
    ):
        name = cause.get(key)
        if isinstance(name, str) and name not in there:
            yield draft.error("unknown-name", (*place, key), name, listed(there), guess(name, there, fix))
    given = cause.get("neighbours")
    neighbours = given if isinstance(given, list) else []
    for n, name in enumerate(neighbours):
        at = (*place, "neighbours", n)
        if isinstance(name, str) and name not in taxonomy.COMPONENTS:
            yield draft.error(
                "unknown-name",
                at,
                name,
                listed(taxonomy.COMPONENTS),
                guess(name, taxonomy.COMPONENTS, "see `sandbox drill words`"),
            )
        elif name == cause.get("component") or name == taxonomy.NONE or name in neighbours[:n]:
            yield draft.error("duplicate", at, name, "another component, once", "take it out")


def _segment(draft: Draft, place: Place, segment: Any, world: World) -> Iterator[Finding]:
    if not isinstance(segment, dict):
        return
    values = segment_values(world)
    for column, given in segment.items():
        at: Place = (*place, "segment", column)
        if column not in taxonomy.SEGMENT_COLUMNS:
            yield draft.error("segment", at, column, listed(taxonomy.SEGMENT_COLUMNS, 20),
                              guess(column, taxonomy.SEGMENT_COLUMNS, "see `sandbox drill words`"))  # fmt: skip
            continue
        several = given if isinstance(given, list) else [given]
        if not several:
            yield draft.error("segment", at, given, "a value, or no column at all", "take it out")
        there = values.get(column)
        if column == segments.BUCKET:
            yield from _buckets(draft, at, several)
        for n, value in enumerate(several):
            where = (*at, n) if isinstance(given, list) else at
            text = str(value).lower() if isinstance(value, bool) else str(value)
            if there is not None and text not in there:
                yield draft.error(
                    "segment", where, value, listed(there, 30), guess(text, there, f"{column} never holds it")
                )
            elif value in several[:n]:
                yield draft.error("duplicate", where, value, "each value once", "take it out")
        if there is not None and len(there) > 1 and {str(v) for v in several} >= set(there):
            yield draft.warning("segment", at, given, "less than all there is", "everyone is an empty segment: {}")
    yield from _told_by_the_fault(draft, place, segment)


def _buckets(draft: Draft, at: Place, given: list[Any]) -> Iterator[Finding]:
    for value in given:
        try:
            segments.require_known({segments.BUCKET: value})
        except (ValueError, TypeError, AttributeError) as error:
            yield draft.error("segment", at, value, str(error).removeprefix("segment: "), 'write it as "0-24"')


def _told_by_the_fault(draft: Draft, place: Place, segment: dict[str, Any]) -> Iterator[Finding]:
    """A segment that the fault's own scope contradicts."""
    for _, step in draft.steps:
        kind = kind_of(step)
        if kind is None or step.anyway or kind.control or step.fault is None:
            continue
        said = {
            "region": [REGIONS[code] for code in step.scope.regions],
            "lang": list(step.fault.params.get("languages", ())),
            "category": list(step.fault.params.get("topics", ())),
            "creator_group": [step.fault.params["group"]] if "group" in step.fault.params else [],
        }
        if step.scope.user_buckets is not None and segments.BUCKET in segment:
            low, high = step.scope.user_buckets
            yield from _other_bucket(draft, (*place, "segment", segments.BUCKET), segment, low, high - 1)
        for column, hit in said.items():
            given = segment.get(column)
            named = given if isinstance(given, list) else [given]
            if given is not None and hit and not set(map(str, named)) & set(map(str, hit)):
                yield draft.warning("segment", (*place, "segment", column), given, f"what {kind.name} hits: {', '.join(map(str, hit))}",
                                    "name whom the fault hits")  # fmt: skip


def _other_bucket(draft: Draft, at: Place, segment: dict[str, Any], low: int, high: int) -> Iterator[Finding]:
    """A share of the users that the fault's own does not touch."""
    given = segment[segments.BUCKET]
    for value in given if isinstance(given, list) else [given]:
        try:
            first, last = segments.buckets(str(value))
        except ValueError:
            continue  # told of already
        if first > high or last < low:
            yield draft.warning("segment", at, value, f"what the fault hits: {low}-{high}", "name whom the fault hits")


def _component(draft: Draft, place: Place, cause: dict[str, Any]) -> Iterator[Finding]:
    """The component is where the fault acts, or next to it."""
    component, onset = cause.get("component"), cause.get("onset_s")
    if component not in taxonomy.COMPONENTS or component == taxonomy.NONE:
        return
    for _, step in draft.steps:
        kind = kind_of(step)
        if kind is None or kind.seam in STAGES or step.at_s != onset or step.anyway or kind.control:
            continue
        target = "traffic" if step.target == "load" else step.target
        if target not in taxonomy.COMPONENTS or target == component or taxonomy.are_neighbours(target, component):
            continue
        yield draft.warning("unknown-name", (*place, "component"), component, f"{target}, where {kind.name} acts, or a component next to it",
                            "the component is where the fault acts")  # fmt: skip


def _pager(draft: Draft) -> Iterator[Finding]:
    rule = draft.raw_at(("pager", "rule"))
    if not isinstance(rule, str):
        return
    there = alert_rules()
    if draft.raw_at(("pager", "kind")) == "human":
        yield draft.error(
            "no-effect", ("pager", "rule"), rule, "none: a person writes at at_s", "take it out, or make it kind: alert"
        )
    elif not any(fnmatchcase(name, rule) for name in there):
        yield draft.error("unknown-name", ("pager", "rule"), rule, listed(there, 20),
                          guess(rule.strip("*"), there, "name an alert rule; docs/sql.md lists them"))  # fmt: skip


def _around(draft: Draft) -> Iterator[Finding]:
    """Innocent changes around the cause, one of them close enough to be suspected."""
    guilty = [s.at_s for _, s in draft.steps if s.fault is not None and not s.anyway]
    innocent = [s.at_s for _, s in draft.steps if s.fault is None]
    if not guilty or len(draft.steps) < len(draft.raw_list("timeline")):
        return
    if len(innocent) < 2:
        yield draft.warning("innocent", ("timeline",), f"{len(innocent)} innocent changes", "two or more",
                            "with fewer, the change log alone gives the cause away")  # fmt: skip
    elif not any(abs(at_s - guilty[0]) <= 900 for at_s in innocent):
        yield draft.warning("innocent", ("timeline",), "none within 900 world seconds of the cause",
                            "one close enough to be suspected", "move one nearer")  # fmt: skip
