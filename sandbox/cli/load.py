"""`sandbox load`: traffic by the world's users on a running stack, and what is told from it."""

from __future__ import annotations

import typer

from sandbox.cli.load_compare import compare
from sandbox.cli.load_fit import fit
from sandbox.cli.load_knee import knee
from sandbox.cli.load_run import run
from sandbox.cli.load_soak import soak
from sandbox.cli.load_sweep import sweep
from sandbox.cli.load_verify import verify
from sandbox.cli.load_worker import worker

app = typer.Typer(help="Traffic on a running stack, and the load lab.", no_args_is_help=True)
app.command("run")(run)
app.command("worker")(worker)
app.command("knee")(knee)
app.command("compare")(compare)
app.command("sweep")(sweep)
app.command("soak")(soak)
app.command("verify")(verify)
app.command("fit")(fit)


@app.callback()
def _group() -> None:
    """Traffic on a running stack, and the load lab."""
