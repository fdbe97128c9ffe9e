"""`sandbox calibrate`: the timing of the virtual backend, fitted to a live run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from sandbox.base.errors import SandboxError
from sandbox.base.run import RunInfo
from sandbox.cli.options import Json, require_writable
from sandbox.cli.output import emit, out, progress

_LONGEST_S = 60.0  # wall seconds of a run that a virtual one is held against


def calibrate(
    run: Annotated[
        Path | None, typer.Option(help="Fit to this run; default one of its own, on a quiet machine.")
    ] = None,
    world: Annotated[str, typer.Option(help="World of the run that is brought up.")] = "laptop",
    seconds: Annotated[float, typer.Option(help="Wall seconds under load, 15 to 3600.")] = 120.0,
    seed: Annotated[int, typer.Option(help="Seed of who comes when.")] = 1,
    out_: Annotated[Path | None, typer.Option("--out", help="Write the timing to this file.")] = None,
    json_: Json = False,
) -> None:
    """Fit how long work, wires and waits take on this machine; say how close a virtual run comes."""
    from sandbox.bench import paired
    from sandbox.runtime.building import ensure_built
    from sandbox.virtual.calibration.calibrate import errors
    from sandbox.virtual.calibration.observed import Observed, observe
    from sandbox.virtual.machine.timing import load

    if not 15 <= seconds <= 3600:
        raise SandboxError(
            "CFG-001",
            where="sandbox calibrate --seconds",
            seen=seconds,
            expected="15 to 3600",
            fix="leave it out for 120",
        )
    if out_ is not None:
        require_writable(out_, "sandbox calibrate --out")
    with progress(json_) as say:
        seen: Observed
        if run is not None:
            of = RunInfo.load(run.absolute())
            world, seen = of.world, observe(of.lake, of.speed)
            span_s = _loaded_s(of)
            parts = [(len(seen.request_ms) / span_s, min(span_s, _LONGEST_S))]
            ensure_built(world, say)
        else:
            parts = [(rate, seconds / len(paired.RATES)) for rate in paired.RATES]
            with paired.scratch() as place, paired.live(world, seed, parts, place, say) as lake:
                seen = observe(lake, paired.SPEED)
        timing, own = paired.calibrated(seen, load(), world, seed, parts, say)
    fitted = timing.model_dump(mode="json")
    if out_ is not None:
        out_.write_text(json.dumps(fitted, indent=1) + "\n")
    document = {"timing": fitted, "errors": errors(seen, own), "requests": len(seen.request_ms), "world": world}
    emit(document, lambda: _tell(document, out_), json_)


def _loaded_s(of: RunInfo) -> float:
    """Wall seconds from the first request of a run to its last."""
    from sandbox.telemetry.sql import query

    answer = query(of.lake, "SELECT epoch(max(ts)) - epoch(min(ts)) FROM requests").rows[0][0]
    return max(1.0, float(answer or 0.0) / of.speed)


def _tell(document: dict[str, Any], written: Path | None) -> None:
    table = Table("", "base ms", "us per key", "sigma", box=None)
    timing = document["timing"]
    for name, work in [*timing["work"].items(), *timing["wire"].items(), ("store", timing["store"])]:
        table.add_row(name, *(f"{work[k]:g}" for k in ("base_ms", "per_key_us", "sigma")))
    out.print(table)
    found = document["errors"]
    out.print(
        f"from {document['requests']:,} requests; a virtual run of the same load is off by "
        f"{found['p50_relative']:+.0%} at the median and {found['p99_relative']:+.0%} at p99"
    )
    if written is not None:
        out.print(f"written to {written}")
