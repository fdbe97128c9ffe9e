"""`sandbox load worker`: this machine's part of a load that another one leads."""

from __future__ import annotations

from typing import Annotated

import typer

from sandbox.base.errors import SandboxError
from sandbox.cli.load_run import address
from sandbox.cli.options import Json
from sandbox.cli.output import emit, err, out


def worker(
    master: Annotated[str, typer.Argument(help="HOST:PORT where `sandbox load run --expect-workers N` listens.")],
    gateway: Annotated[
        str | None,
        typer.Option(help="HOST:PORT of the stack's gateway, as this machine reaches it; default the master's."),
    ] = None,
    json_: Json = False,
) -> None:
    """Send a part of a load that a master on another machine leads, and end with it.

    Needs the same world here, by name and seed. Its requests go to the report of the master; the rows of the table
    `locust` stay away from the lake. Exit code 1 when the master is not there, or was lost.
    """
    import os
    import subprocess

    from loadtest.lab.elsewhere import ELSEWHERE, GATEWAY
    from loadtest.runner import worker_command

    host, port = address(master, "load worker MASTER")
    env = {**os.environ, ELSEWHERE: "1", "OMP_NUM_THREADS": "1", "GRPC_VERBOSITY": "ERROR"}
    if gateway is not None:
        env[GATEWAY] = ":".join(map(str, address(gateway, "load worker --gateway")))
    with subprocess.Popen(worker_command(host, port), env=env, stdout=subprocess.DEVNULL if json_ else None) as process:
        try:
            code = process.wait()
        except KeyboardInterrupt:
            err.print("ended early; the master keeps what was told")
            process.wait()
            raise typer.Exit(130) from None
    if code:
        raise SandboxError(
            "LOAD-001", where=f"worker of {master}", seen=f"Locust ended with {code}", expected="a master there until its end",
            fix="see what it said above; start the master first",
        )  # fmt: skip
    emit({"master": master}, lambda: out.print(f"done for {master}", markup=False), json_)
