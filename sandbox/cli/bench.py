"""`sandbox bench`: what it costs, beside the floors of the same run."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from sandbox.base.errors import SandboxError
from sandbox.base.progress import ProgressFn
from sandbox.cli.options import Json
from sandbox.cli.output import emit, out, progress

if TYPE_CHECKING:
    from sandbox.runtime.stack import Stack

ON_A_STACK = ("serving", "features", "faults")
NAMES = (*ON_A_STACK, "stack", "virtual", "warroom", "overload", "offline", "parity")
_DEFAULT_N = {"serving": 1_000, "features": 1_000, "faults": 4_000, "virtual": 30_000}


def bench(
    name: Annotated[str, typer.Argument(help=f"One of {', '.join(NAMES)}, or all.")],
    world: Annotated[str, typer.Option(help="World: a preset or an imported one.")] = "laptop",
    n: Annotated[int, typer.Option(help="Calls to measure, of `offline` events; 0 for the bench's own number.")] = 0,
    drill: Annotated[str, typer.Option(help="Drill that `stack` times: a name, gentlest, or none.")] = "gentlest",
    run_dir: Annotated[Path | None, typer.Option(help="A running stack to measure; default one of its own.")] = None,
    minutes: Annotated[float, typer.Option(help="Wall minutes of each live run of `parity`.")] = 10.0,
    seeds: Annotated[int, typer.Option(help="Seeds that `parity` compares.")] = 3,
    timing: Annotated[
        Path | None, typer.Option(help="Timing for `parity`, from sandbox calibrate; default it calibrates first.")
    ] = None,
    weeks: Annotated[bool, typer.Option(help="`virtual` also times 28 days of a two-armed test.")] = True,
    device: Annotated[str, typer.Option(help="Of `virtual`: cpu or cuda.")] = "cpu",
    participants: Annotated[int, typer.Option(help="Of `warroom`: in its one room.")] = 50,
    rooms: Annotated[int, typer.Option(help="Of `warroom`: virtual rooms of five; 0 for none.")] = 10,
    seconds: Annotated[float, typer.Option(help="Of `warroom`: wall seconds that count, of either.")] = 90.0,
    against: Annotated[
        Path | None,
        typer.Option(help="Of `serving`: another checkout, whose stack is measured in turns with this one's."),
    ] = None,
    knee: Annotated[
        bool, typer.Option("--knee", help="With --against: also the largest rate of each, p99 < 150 ms.")
    ] = False,
    live: Annotated[bool, typer.Option(help="Of `warroom`: whether its one room is on a live stack.")] = True,
    backend: Annotated[str, typer.Option(help="Of `overload`: live or virtual.")] = "live",
    rounds: Annotated[int, typer.Option(help="Of `overload`: how often each of its loads is made.")] = 2,
    load_seconds: Annotated[float, typer.Option(help="Of `overload`: wall seconds of each load.")] = 15.0,
    json_: Json = False,
) -> None:
    """Measure speed, memory, and how alike both backends are. Other work on the machine shows in the
    figures, less in the ratios."""
    if name not in (*NAMES, "all"):
        raise SandboxError(
            "CFG-004", where="sandbox bench", seen=name, expected=f"one of {[*NAMES, 'all']}", fix="name one of them"
        )
    if not 0 <= n <= 1_000_000:
        raise SandboxError("CFG-001", where="sandbox bench --n", seen=n, expected="0 to 1000000", fix="leave it out")
    if against is not None:
        _against(name, world, n, against, knee, run_dir, json_)
        return
    if knee:
        raise SandboxError(
            "CFG-004", where="sandbox bench --knee", seen="no --against", expected="another checkout to compare with",
            fix="add --against DIR; of one stack alone: sandbox load knee",
        )  # fmt: skip
    with progress(json_) as say:
        documents = _measure(NAMES if name == "all" else (name,), world, n, drill, run_dir, say)
        if name in ("virtual", "all"):
            from sandbox.bench import virtual

            size = n or _DEFAULT_N["virtual"]
            documents["virtual"] = virtual.measure(world, size, weeks, device, say).document()
        if name in ("warroom", "all"):
            from sandbox.bench.warroom import measure

            plan = measure.Plan(world, participants, rooms, seconds=seconds, live=live)
            documents["warroom"] = measure.measure(plan, say).document()
        if name in ("overload", "all"):
            documents["overload"] = _overload(world, backend, run_dir, rounds, load_seconds, say)
        if name in ("offline", "all"):
            from sandbox.bench import offline

            documents["offline"] = offline.measure(world, n or offline.EVENTS, say).document()
        if name in ("parity", "all"):
            from sandbox.bench import parity
            from sandbox.virtual.machine.timing import load

            given = load(timing) if timing is not None else None
            documents["parity"] = parity.measure(world, minutes, seeds, given, say)
    document = documents if name == "all" else documents[name]
    emit(document, lambda: _show(documents), json_)


def _against(name: str, world: str, n: int, root: Path, knee: bool, run_dir: Path | None, json_: bool) -> None:
    from sandbox.bench import against

    if name != "serving" or run_dir is not None:
        raise SandboxError(
            "CFG-004", where="sandbox bench --against", seen=f"bench {name}{'' if run_dir is None else ' --run-dir'}",
            expected="bench serving, with stacks of its own", fix="sandbox bench serving --against DIR",
        )  # fmt: skip
    with progress(json_) as say:
        document = against.measure(world, root, n or _DEFAULT_N["serving"], knee, say).document()
    emit(document, lambda: _show({"serving, this checkout and another": document}), json_)
    if document.get("knee", {}).get("stopped"):
        raise typer.Exit(130)


def _measure(
    names: tuple[str, ...], world: str, n: int, drill: str, run_dir: Path | None, say: ProgressFn
) -> dict[str, Any]:
    from sandbox.bench import faults, features, serving, stack

    measures: dict[str, Callable[..., Any]] = {
        "serving": partial(serving.measure, progress=say), "features": features.measure, "faults": faults.measure,
    }  # fmt: skip
    documents = {}
    shared = [name for name in names if name in ON_A_STACK]
    if shared:
        with on_a_stack(world, run_dir, say) as running:
            for name in shared:
                say(f"measuring {name}", None)
                documents[name] = measures[name](running, n or _DEFAULT_N[name]).document()
    if "stack" in names:
        say("measuring stack", None)
        chosen = {"gentlest": stack.gentlest_drill, "none": lambda: None}.get(drill, lambda: drill)
        documents["stack"] = stack.measure(world, chosen()).document()
    return documents


@contextlib.contextmanager
def on_a_stack(world: str, run_dir: Path | None, say: ProgressFn) -> Iterator[Stack]:
    """The stack of run_dir, or one that is taken down and forgotten afterwards."""
    import shutil
    import tempfile

    from sandbox.runtime.stack import Stack

    if run_dir is not None:
        yield Stack.attach(run_dir)
        return
    directory = Path(tempfile.mkdtemp(prefix="bench-"))
    try:
        with Stack.up(world, run_dir=directory, progress=say) as stack:
            yield stack
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _overload(
    world: str, backend: str, run_dir: Path | None, rounds: int, seconds: float, say: ProgressFn
) -> dict[str, Any]:
    import tempfile

    from sandbox.bench import overload, overload_sides
    from sandbox.runtime.building import ensure_built

    if backend not in ("live", "virtual"):
        raise SandboxError(
            "CFG-004",
            where="sandbox bench overload --backend",
            seen=backend,
            expected="live or virtual",
            fix="name one of them",
        )
    if backend == "virtual":
        ensure_built(world, say)
        with tempfile.TemporaryDirectory(prefix="bench-") as directory:
            of = overload_sides.Virtual(world, Path(directory) / "run")
            return overload.measure(of, backend, rounds, seconds, say, world=world)
    with on_a_stack(world, run_dir, say) as running:
        return overload.measure(overload_sides.Live(running), backend, rounds, seconds, say, world=running.run.world)


def _show(documents: dict[str, Any]) -> None:
    for name, document in documents.items():
        table = Table("figure", "value", title=name, title_justify="left", box=None)
        for kind in ("ratios", "figures"):
            for figure, value in document.get(kind, {}).items():
                style = "bold" if kind == "ratios" else ""
                shown = _shown(value, document.get("bounds", {}).get(figure))
                if between := document.get("intervals", {}).get(figure) if kind == "ratios" else None:
                    shown += f"  ({between['low']:g} to {between['high']:g})"
                table.add_row(figure, shown, style=style)
        out.print(table)
        for name, side in document.get("knee", {}).items():
            if isinstance(side, dict):
                out.print(f"{name}: {side['said']}", markup=False)
        for line in _conditions(document["conditions"]):
            out.print(f"[dim]{line}[/]")
        out.print()


def _conditions(told: dict[str, Any]) -> Iterator[str]:
    yield f"{told['cpus']} cpus, python {told['python']}, load {told['load_average'][0]}"
    if "floor" in told:
        yield _transport(told["floor"])
    for name, side in told.get("sides", {}).items():
        changed = ", changed" if side["changed"] else ""
        yield f"{name}: commit {side['commit']}{changed}, grpcio {side['versions']['grpcio']}"


def _transport(floor: dict[str, Any]) -> str:
    """The floors', in words."""
    release = (
        "as fixed" if floor["as_fixed"] else f"not {floor['grpcio_fixed']}, which is the fixed one: compare cpu_ms"
    )
    settings = ", ".join(f"{name} {value}" for name, value in floor["channel"].items())
    return f"floors: grpcio {floor['grpcio']} ({release}), {floor['loop']}, {settings}"


def _shown(value: Any, bound: float | None) -> str:
    """A figure, or an estimate with its interval and how far it may go."""
    if not isinstance(value, dict):
        return f"{value:g}"
    text = f"{value['estimate']:+.3g}  ({value['low']:+.3g} to {value['high']:+.3g})"
    return text if bound is None else f"{text}, at most {bound:g} wanted"
