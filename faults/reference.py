"""Prints docs/faults.md from the catalogue. `--check FILE` only says whether FILE is up to date."""

from __future__ import annotations

import inspect
import sys

from faults import reach
from faults.base import Fault
from faults.catalogue import CATALOGUE
from sandbox.base.catalogue import REGIONS
from sandbox.base.printed import print_or_check

_INTRO = """# Faults

After this page you can tell what each fault does to the stack, how it shows, with what it is confused
and what puts it right. It is printed from the classes in `faults/` (`make docs`).

A fault sits at a *seam* of serving (rpc, write, read, log, index, model), before it at *traffic*, or at
a *stage* of the offline plane (release, training_log). What all faults share is the wrapper's: whom it hits (`scope`), what
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
modulo 100 is at least `low` and below `high`.

## All of them
"""


def page() -> str:
    """The whole page, Markdown."""
    parts = [
        _INTRO,
        "| seam | `scope` | `share` | `onset` | `until_s` | why not the rest |\n|---|---|---|---|---|---|",
    ]
    for seam, held in reach.SEAMS.items():
        scope = ", ".join(f"`{part}`" for part in held.parts) or "none"
        answers = " | ".join("yes" if yes else "no" for yes in (held.share, held.onset, held.ends))
        parts.append(f"| {seam} | {scope} | {answers} | {held.why} |")
    edges = (f"`{caller}->{callee}` {', '.join(ops)}" for caller, callees in reach.EDGE_OPS.items()
             for callee, ops in callees.items())  # fmt: skip
    parts.append(_OPS.format(ops="; ".join(edges), regions=", ".join(f"`{r}`" for r in REGIONS)))
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
        )  # fmt: skip
        one_of = f"one of {schema['enum']}" if "enum" in schema else ""
        told = "; ".join(t for t in (schema["description"], limits, one_of) if t)
        lines.append(f"- knob `{knob}` (default `{schema.get('default')}`): {told}")
    return "\n".join(lines)


if __name__ == "__main__":
    raise SystemExit(print_or_check(page(), sys.argv[1:]))
