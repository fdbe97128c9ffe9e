"""`sandbox load run`: one load, open loop or the world's own visits, and its report."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from sandbox.base.errors import SandboxError
from sandbox.cli.options import Json, RunDir
from sandbox.cli.output import emit, err, out, progress

if TYPE_CHECKING:
    from loadtest.lab.outcome import Run
    from loadtest.lab.plan import Plan
    from loadtest.runner import Crew

_SHOWN = ("50", "90", "99", "99.9", "99.99")


def run(
    shape: Annotated[
        str | None,
        typer.Option(
            help="Arrivals in an open loop: poisson, constant, ramp, steps, diurnal, spike, flash-crowd, bot-swarm or "
            "replay; default the world's own visits, whose users ask again when they have read."
        ),
    ] = None,
    rate: Annotated[float, typer.Option(help="Requests per wall second.")] = 20.0,
    seconds: Annotated[float, typer.Option("--seconds", "--duration", help="Wall seconds.")] = 30.0,
    seed: Annotated[int, typer.Option(help="Seed of who comes when.")] = 1,
    factor: Annotated[
        float, typer.Option(help="What ramp, steps, spike, flash-crowd and bot-swarm come to, times the rate.")
    ] = 4.0,
    steps: Annotated[int, typer.Option(help="Steps of the shape steps.")] = 5,
    item: Annotated[int | None, typer.Option(help="What a flash crowd comes for; default one by chance.")] = None,
    arrivals: Annotated[
        Path | None, typer.Option(help="For replay: CSV with a column t, seconds, of recorded arrivals.")
    ] = None,
    diurnal: Annotated[bool, typer.Option("--diurnal", help="Visits follow the hours of the day.")] = False,
    k: Annotated[int, typer.Option(help="Items in a slate.")] = 10,
    workers: Annotated[
        int, typer.Option(help="Processes that send, under one of Locust's masters; 0 for one without a master.")
    ] = 0,
    expect_workers: Annotated[
        int, typer.Option(help="Further ones that come from other machines: `sandbox load worker`.")
    ] = 0,
    bind: Annotated[
        str, typer.Option(help="Where the master listens for them. Nobody asks who comes.")
    ] = "127.0.0.1:5557",
    kill_every: Annotated[
        float | None, typer.Option(help="Kill (-9) a process of the stack every so many seconds of the load.")
    ] = None,
    kill: Annotated[
        list[str] | None, typer.Option(help="Which service may be killed; repeat it. Default any but the supervisor.")
    ] = None,
    freeze: Annotated[
        str | None, typer.Option(help="SERVICE:SECONDS: have it stand still for so long at a third of the load.")
    ] = None,
    out_: Annotated[Path | None, typer.Option("--out", help="Where reports go; default RUN/load.")] = None,
    run_dir: RunDir = None,
    json_: Json = False,
) -> None:
    """Send traffic for a while and report latencies, errors, what was used up, and what users did.

    Latency counts from the intended start, beside it what a closed loop would have seen. Leaves a directory with a page,
    all figures and all requests. Ctrl-C ends the load and keeps what was measured. Exit code 1 when not one request was
    answered.
    """
    from loadtest.lab.freezer import Freezer
    from loadtest.lab.killer import Killer
    from loadtest.lab.measure import Visits, measure
    from loadtest.lab.saved import whole
    from sandbox.base.clock import iso
    from sandbox.base.worlds import load_manifest
    from sandbox.runtime.stack import Stack

    load: Plan | Visits = Visits(rate, seconds, seed, diurnal)
    if shape is not None:
        load = plan(
            shape, rate, seconds, seed, factor=factor, steps=steps, item=item, arrivals=arrivals, diurnal=diurnal
        )
    stack = Stack.attach(run_dir)
    stack.require_up()
    when, users = iso(stack.run.clock().now()), load_manifest(stack.run.world).users
    hands = crew(workers, expect_workers, bind)
    if kill and kill_every is None:
        raise SandboxError(
            "CFG-004",
            where="load run --kill",
            seen="without --kill-every",
            expected="both",
            fix="say how often: --kill-every 6",
        )
    killer = None if kill_every is None else Killer(stack.run_dir, kill_every, seed, tuple(kill or ()))
    freezer = None if freeze is None else Freezer.of(freeze, stack.run_dir, seconds)
    harms = [harm for harm in (killer, freezer) if harm is not None]
    with progress(json_) as say, nullcontext() if freezer is None else freezer.sure():
        found = measure(
            stack.run, load, slate_size=k, progress=say, crew=hands,
            meanwhile=lambda at_s: [harm.look(at_s) for harm in harms],
        )  # fmt: skip
    if killer is not None:
        found.summary["killed"] = killer.killed
    if freezer is not None:
        found.summary["frozen"] = freezer.frozen
    if found.interrupted:
        err.print("ended early; kept what was measured until then")
    report = whole(found, str(stack.run_dir), when, users)
    _answer(report, found, out_ or stack.run_dir / "load", json_)


def _answer(report: dict[str, Any], found: Run, parent: Path, json_: bool) -> None:
    """Saves the report and prints its document, which is told even where no disk takes the report."""
    from loadtest.lab.saved import fresh, save
    from sandbox.runtime.rundir import disk_error

    document = report["document"]
    try:
        document["report"] = str(save(fresh(parent), report, found.requests, found.acknowledged))
    except OSError as error:
        emit(document | {"report": None}, lambda: show(document | {"report": None}), json_)
        raise disk_error(parent, error) from error
    emit(document, lambda: show(document), json_)
    if found.interrupted:
        raise typer.Exit(130)
    if not document["ok"]:
        raise typer.Exit(1)


def crew(workers: int, expect_workers: int, bind: str) -> Crew | None:
    """None for one process without a master. A port is bound as it is asked for only where others are to find it."""
    from loadtest.runner import Crew

    if not workers and not expect_workers:
        return None
    if not expect_workers:
        return Crew(workers)
    host, port = address(bind, "load run --bind")
    return Crew(workers, expect_workers, host, port, patience_s=600)


def address(text: str, where: str) -> tuple[str, int]:
    """Raises CFG-004 for what is no HOST:PORT."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65_536:
        raise SandboxError("CFG-004", where=where, seen=text, expected="HOST:PORT", fix="as 127.0.0.1:5557")
    return host, int(port)


def plan(
    shape: str, rate: float, seconds: float, seed: int, *, factor: float = 4.0, steps: int = 5, item: int | None = None,
    arrivals: Path | None = None, diurnal: bool = False,
) -> Plan:  # fmt: skip
    """The plan that these options mean. Raises CFG-004 for one that can't be."""
    from loadtest.lab.plan import Plan, recorded

    if diurnal:
        raise SandboxError(
            "CFG-004", where="load, --diurnal", seen=f"with --shape {shape}", expected="one of them",
            fix="--shape diurnal is a day of arrivals; --diurnal is the world's own visits by the hours of its day",
        )  # fmt: skip
    if (arrivals is not None) != (shape == "replay"):
        raise SandboxError(
            "CFG-004", where="load, --arrivals", seen=str(arrivals), expected="a file with --shape replay, and only there",
            fix="give both, or neither",
        )  # fmt: skip
    replayed = () if arrivals is None else recorded(arrivals)
    return Plan(shape, rate, seconds, seed, factor, steps, item=item, replayed_s=replayed)


def show(d: dict[str, Any]) -> None:
    """The document of a run, for people."""
    from loadtest.lab.gathered import lost
    from loadtest.lab.report.of_run import omission

    table = Table("latency, ms", *(f"p{p}" for p in _SHOWN))
    rows = (
        ("from the intended start", "percentiles_ms"),
        ("from the actual send", "sent_percentiles_ms"),
        ("closed loop beside it", "closed_loop_percentiles_ms"),
    )
    for label, key in rows:
        values = d[key] or {}
        table.add_row(label, *(f"{values[p]:.1f}" if p in values else "–" for p in _SHOWN))
    failed = ", ".join(f"{n} {name}" for name, n in d["errors"].items()) or "none"
    out.print(
        f"{d['sent']} of {d['offered']} requests sent in {d['seconds']:g} s ({d['ok_per_s']:.1f} answered/s); failed: {failed}"
    )
    out.print(table)
    if d.get("killed"):
        out.print("killed: " + ", ".join(f"{k['process']} at {k['at_s']:g} s" for k in d["killed"]))
    for f in d.get("frozen", ()):
        out.print(f"{f['process']} stood still for {f['seconds']:g} s, {f['at_s']:g} s into the load")
    for said in lost(d.get("workers", ())):
        out.print(said, markup=False)
    out.print(omission(d))
    if d["generator_lateness_p99_ms"] is not None:
        out.print(f"the generator itself was late by {d['generator_lateness_p99_ms']:.1f} ms at p99")
    said = d["saturated"]
    out.print(f"saturated: {said['resource'] or 'nothing'}: {said['evidence']}", markup=False)
    if d.get("ctr") is not None:
        out.print(f"{d['impressions']} impressions, {d['clicks']} clicks, CTR {d['ctr']:.3f}, {d['hides']} hides")
    if d["report"]:
        out.print(f"report: {d['report']}", soft_wrap=True, markup=False)
