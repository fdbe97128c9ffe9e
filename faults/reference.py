"""Prints docs/faults.md from the catalogue. `--check FILE` only says whether FILE is up to date."""

from __future__ import annotations

import inspect
import sys
from pathlib import Path

from faults import reach
from faults.base import Fault
from faults.catalogue import CATALOGUE
from sandbox.base.catalogue import CREATOR_GROUPS, REGIONS
from sandbox.base.features import SEGMENTS
from sandbox.base.printed import print_or_check
from services.skeleton.points import ANY, POINTS, Point

_INTRO = """# Faults

After this page you can tell what each fault does to the stack, how it shows, with what it is confused
and what puts it right. It is printed from the classes in `faults/` (`make docs`).

A fault sits at a *seam* of serving or of its traffic, or at a *stage* of the offline plane ({stages}).
What all faults share is the wrapper's: whom it hits (`scope`), what
part of them (`share`), how it comes (`onset`: step, ramp, pulses, drift) and the seed of its rolls.
Taking the wrapper off is the whole recovery; what it did to data meanwhile stays until an action
repairs it. How to write one: [writing-a-fault.md](writing-a-fault.md).

## What holds at which seam

A call can only be asked for what it carries. A scenario that asks for more is refused, since its fault would
never act, or act on everybody. `until_s` is the world second at which a fault ends by itself.
"""
_OPS = """
Methods by edge, as `scope.ops` names them: {ops}.
Regions are named {regions}; network paths are `a` and `b`; `user_buckets: [low, high]` takes users whose id
modulo 100 is at least `low` and below `high`; `items` are ids, `groups` those of their creators ({groups}),
`segments` those of users ({segments}).

## All of them
"""


def page() -> str:
    """The whole page, Markdown."""
    stages = ", ".join(point.name for point in POINTS.values() if point.stage)
    parts = [
        _INTRO.format(stages=stages),
        "| seam | `scope` | `share` | `onset` | `until_s` | why not the rest |\n|---|---|---|---|---|---|",
    ]
    for seam, held in POINTS.items():
        scope = ", ".join(f"`{part}`" for part in held.parts) or "none"
        answers = " | ".join("yes" if yes else "no" for yes in (held.share, held.onset, held.ends))
        parts.append(f"| {seam} | {scope} | {answers} | {held.why} |")
    edges = (
        f"`{caller}->{callee}` {', '.join(ops)}"
        for caller, callees in POINTS["rpc"].lies.items()
        for callee, ops in callees.items()
    )
    regions, groups, segments = (
        ", ".join(f"`{name}`" for name in names) for names in (REGIONS, CREATOR_GROUPS, (*SEGMENTS, "new"))
    )
    parts.append(_OPS.format(ops="; ".join(edges), regions=regions, groups=groups, segments=segments))
    parts.append("| fault | layer | seam | what it does |\n|---|---|---|---|")
    for name, fault in CATALOGUE.items():
        summary = fault.describe()["summary"]
        parts.append(f"| [`{name}`](#{name}) | {fault.layer} | {fault.seam} | {summary} |")
    return "\n".join([*parts, *(_section(fault) for fault in CATALOGUE.values())]) + "\n"


def _section(fault: type[Fault]) -> str:
    row = fault.describe()
    lines = [
        f"\n### `{fault.name}`\n",
        inspect.cleandoc(fault.__doc__ or ""),
        f"\n- **moves**: {row['moves']}",
        f"- **does not move**: {row['stays']}",
        f"- **look-alikes**: {', '.join(row['look_alikes'])}",
        f"- **repairs**: {row['repairs']}",
        f"- **armed in**: {reach.place(fault)}",
        f"- **holds there**: {reach.told(fault)}",
    ]
    for knob, schema in row["knobs"].items():
        limits = ", ".join(
            f"{word} {schema[key]}"
            for key, word in (("exclusiveMinimum", "above"), ("minimum", "at least"), ("maximum", "at most"))
            if key in schema
        )
        one_of = f"one of {schema['enum']}" if "enum" in schema else ""
        told = "; ".join(t for t in (schema["description"], limits, one_of) if t)
        lines.append(f"- knob `{knob}` (default `{schema.get('default')}`): {told}")
    return "\n".join(lines)


# -- the part of docs/writing-a-fault.md that follows from the registry ------------------------------

_BEGIN, _END = "<!-- points: printed by `make docs` -->\n", "<!-- end of points -->\n"


def points() -> str:
    """A row for each point, Markdown, with the names that its calls really have."""
    lines = [
        "| you want to change | point | when | peer and `op`, by process | `payload` | `proceed` returns |",
        "|---|---|---|---|---|---|",
    ]
    for point in POINTS.values():
        also = "".join(f'; `attributes["{k}"]` {v}' for k, v in point.attributes.items())
        method = "awaited" if point.awaited else "not awaited"
        lines.append(
            f"| {point.purpose} | `{point.name}`, {method} | {point.when} | {_lies(point)} "
            f"| {point.payload}{also} | {point.answer} |"
        )
    return "\n".join(lines) + "\n"


def _lies(point: Point) -> str:
    if point.name == "log":
        return f"the table, `row`: {', '.join(f'`{name}`' for name in point.processes)}"
    told = []
    for process, peers in point.lies.items():
        named = (
            f"{'any' if peer == ANY else f'`{peer}`'} {', '.join(f'`{op}`' for op in ops)}"
            for peer, ops in peers.items()
        )
        told.append(("" if point.stage else f"{process}: ") + ", ".join(named))
    return "; ".join(told)


def guide(text: str) -> str:
    """docs/writing-a-fault.md with that part as it should be. text: the page as it is."""
    before, _, rest = text.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return f"{before}{_BEGIN}\n{points()}\n{_END}{after}"


def main(arguments: list[str]) -> int:
    """`--points FILE` prints the page FILE with its table as it should be; `--check` as anywhere."""
    if "--points" in arguments:
        rest = [word for word in arguments if word != "--points"]
        return print_or_check(guide(Path(rest[-1]).read_text()), rest)
    return print_or_check(page(), arguments)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
