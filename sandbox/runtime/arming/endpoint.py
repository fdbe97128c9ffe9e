"""Where a process takes orders: a unix socket that its user alone can open, or a port that asks for a token."""

from __future__ import annotations

import hmac
import os
import secrets
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from sandbox.base.errors import SandboxError
from sandbox.base.run import RunInfo

TOKEN = "control.token"  # in the run directory, for its user alone
_UNIX = "unix:"
_TOKEN_BYTES = 32  # of chance: nobody guesses it in a run's life


@dataclass(frozen=True)
class Endpoint:
    """address: unix:PATH or HOST:PORT. token: the run's secret, which every order over TCP carries; empty on
    a unix socket, whose file mode keeps others out."""

    address: str
    token: str = field(default="", repr=False)

    @classmethod
    def of(cls, run: RunInfo, name: str) -> Endpoint:
        """Of the process `name`. Raises RUN-010 when the run has no token where one is needed."""
        address = run.control(name)
        return cls(address, "" if address.startswith(_UNIX) else read_token(run.path))

    @classmethod
    def at(cls, path: Path) -> Endpoint:
        """A unix socket."""
        return cls(f"{_UNIX}{path}")

    @property
    def path(self) -> Path | None:
        """Of the unix socket; None for a port."""
        return Path(self.address[len(_UNIX) :]) if self.address.startswith(_UNIX) else None

    @property
    def place(self) -> tuple[str, int]:
        """Host and port. Raises CFG-001 for an address that is none."""
        host, _, port = self.address.rpartition(":")
        if not host or not port.isdecimal() or not 0 < int(port) < 65_536:
            raise SandboxError(
                "CFG-001",
                where="control endpoint",
                seen=self.address,
                expected="unix:PATH or HOST:PORT",
                fix="correct SANDBOX_CONTROLS, see docker-compose.yml",
            )
        return host.strip("[]"), int(port)

    def require(self, shown: object) -> None:
        """Raises RUN-010 unless `shown` is the token. Takes as long for a wrong one as for a nearly right one.
        What was shown is not told: it may be the token of another run."""
        if not self.token:
            return
        given = shown if isinstance(shown, str) else ""
        if not hmac.compare_digest(given.encode(errors="replace"), self.token.encode()):
            raise SandboxError(
                "RUN-010",
                where=f"control endpoint {self.address}",
                seen="another token" if given else "no token",
                expected=f"the token of this run, {TOKEN} in its run directory",
                fix="name the run directory of the stack that runs there: --run-dir DIR",
            )


def make_token(run_dir: Path) -> None:
    """A new secret for a run, readable by its user alone from the first byte on. Raises OSError."""
    path = run_dir / TOKEN
    with suppress(FileNotFoundError):
        path.unlink()
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secrets.token_hex(_TOKEN_BYTES))


def read_token(run_dir: Path) -> str:
    """Raises RUN-010 when there is none."""
    path = run_dir / TOKEN
    try:
        token = path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        token, seen = "", str(error)
    else:
        seen = "an empty file"
    if not token:
        raise SandboxError(
            "RUN-010",
            where=str(path),
            seen=seen,
            expected="the token that was made when the run began",
            fix="ask as the user whose run it is, with its run directory; or begin a new run",
        )
    return token
