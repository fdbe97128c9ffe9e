"""`sandbox model canary`: a share of the users of a stack gets another ranker, watched until there is a verdict."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from sandbox.base.errors import SandboxError
from sandbox.base.stages import NONE
from sandbox.cli.model_places import place_of
from sandbox.cli.model_stages import By, Bypass, Version, Why
from sandbox.cli.options import Json
from sandbox.cli.output import emit, number, out, progress

if TYPE_CHECKING:
    from sandbox.pipeline.analysis import Analysis
    from sandbox.pipeline.verdict import Judgement
    from sandbox.runtime.operate.guard import Outcome


def canary(
    version: Version,
    share: Annotated[float, typer.Option(help="Of the users, above 0 to 0.5; as many again are its baseline.")] = 0.1,
    minutes: Annotated[float, typer.Option(help="Of world time until the verdict.")] = 120.0,
    every: Annotated[
        float, typer.Option(help="World minutes between looks, at each of which it may be taken back.")
    ] = 5.0,
    promote: Annotated[bool, typer.Option("--promote", help="Make it live on a pass.")] = False,
    expect: Annotated[
        str, typer.Option(help="Canary that is there now; another one's guard is not to be confused.")
    ] = NONE,
    run_dir: Annotated[Path, typer.Option(help="The stack: its run directory, or the word latest.")] = Path("latest"),
    why: Why = "",
    bypass: Bypass = "",
    by: By = "",
    json_: Json = False,
) -> None:
    """Give a share of a stack's users another ranker and watch it: pass, fail or hold. Only a pass promotes.

    Exit 0 on a pass, 1 on fail or hold. Users keep their version from visit to visit. It is taken back as soon as it is
    worse, on a hold, on Ctrl-C, and by itself when this command is killed.
    """
    from sandbox.base.config import Canary
    from sandbox.drill.play.rollout import OPERATOR
    from sandbox.pipeline.analysis import Plan
    from sandbox.runtime.operate import guard
    from sandbox.runtime.operate.staging import Wish

    for name, value, low, high in (
        ("--share", share, 0.0, 0.5),
        ("--minutes", minutes, 0.0, 1e5),
        ("--every", every, 0.0, minutes),
    ):
        if not low < value <= high:
            raise SandboxError(
                "CFG-004",
                where=name,
                seen=value,
                expected=f"above {low:g}, at most {high:g}",
                fix="see sandbox model canary --help",
            )
    place = place_of("", run_dir, to_change=True)
    operations = place.operations
    assert operations is not None
    place.named(version, "ranker")
    plan = Plan(length_s=minutes * 60, every_s=every * 60)
    # Another salt for each canary: the users of the last one must not always be the first to meet the next.
    salt = f"{version}/{len(operations.records())}"
    wish = Wish("ranker", version, "canary", expect, by or OPERATOR, why, bypass=bypass,
                canary=Canary(version=version, share=share, salt=salt, until_ts=0.0))  # fmt: skip
    with progress(json_) as show:

        def tell(now: Analysis, step: str, judgement: Judgement) -> None:
            show(f"{now.canary} beside {now.live}, look {now.looks} of {plan.looks}: {judgement.verdict}",
                 min(1.0, now.looks / plan.looks))  # fmt: skip

        outcome = guard.watch(operations, wish, plan, promote=promote, tell=tell)
    emit(outcome.document(), lambda: _tell(outcome), json_)
    if outcome.step != "pass":
        raise typer.Exit(1)


def _tell(outcome: Outcome) -> None:
    table = Table(box=None)
    for name in ("metric", "verdict", "baseline", "canary", "p worse", "harm", "at most"):
        table.add_column(name, justify="left" if name in ("metric", "verdict") else "right")
    for f in outcome.judgement.findings:
        table.add_row(f.metric, f.verdict, *map(number, (f.baseline, f.canary, f.p_worse, f.harm, f.harm_most)))
    if outcome.judgement.findings:
        out.print(table)
    users = "{} and {} users".format(*outcome.judgement.users)
    out.print(f"{outcome.step}: {outcome.judgement.why} ({users} of baseline and canary)", markup=False)
    out.print(
        f"{outcome.analysis.canary} is {'live' if outcome.promoted else 'a candidate, and serves nobody'}", markup=False
    )
