"""How long things take on the stack: the parameters of the queueing model, and where they come from.

`sandbox calibrate` fits them to a live run; what it fitted on the reference machine (2 cores) ships as
timing.json beside this module. All times are wall milliseconds.
"""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import BaseModel, Field, ValidationError

from sandbox.base.errors import SandboxError

DEFAULTS = Path(__file__).with_name("timing.json")


class Part(BaseModel, extra="forbid", frozen=True):
    """Unknown keys are refused."""


class Work(Part):
    """One burst of a process's own work: base_ms + per_key_us * keys, times a lognormal factor of median 1
    and width sigma. With probability tail_share it is interrupted (scheduler, garbage collection), for an
    exponential time of mean tail_ms on top."""

    base_ms: float = Field(ge=0)
    per_key_us: float = Field(0.0, ge=0)
    sigma: float = Field(0.35, ge=0, le=2)


class Written(Part):
    """What a row costs where many are written in one command, microseconds. packed_us: of the batch job's core;
    stored_us: of the store, which answers nobody else meanwhile."""

    packed_us: float = Field(3.6, ge=0)
    stored_us: float = Field(0.8, ge=0)


class Elements(Part):
    """What an element of a list costs the store, microseconds: where it is put in, and in a sort of all. kept_us: a KiB
    of a value that is put beside the rows."""

    pushed_us: float = Field(0.2, ge=0)
    sorted_us: float = Field(0.22, ge=0)
    kept_us: float = Field(0.4, ge=0)


class Timing(Part):
    """work: by "service.Method". wire: by "caller->callee", both ways together, what lies between the two
    spans of a call; client_share of it is the caller's own processor time. store: a round trip to Redis.
    rows_written: by a batch job that is in a hurry. elements: of lists that lie beside the rows. shed: the work of turning
    a call away.

    cores: processor cores that all processes share. pool: handlers of one process at once. tail_share,
    tail_ms: see Work. reload_s, restart_s, redis_restart_s: wall seconds that an operation takes.
    """

    work: dict[str, Work]
    wire: dict[str, Work]
    client_share: float = Field(0.3, ge=0, le=1)
    store: Work
    rows_written: Written = Written()
    elements: Elements = Elements()
    shed: Work = Work(base_ms=0.9, sigma=0.25)  # of the gateway; measured apart, no calibration sees it
    tail_share: float = Field(0.01, ge=0, le=1)
    tail_ms: float = Field(8.0, ge=0)
    cores: float = Field(2, ge=1, le=64)
    pool: int = Field(64, ge=1)
    restart_s: dict[str, float] = {}
    default_restart_s: float = Field(2.0, ge=0)

    def restart(self, process: str) -> float:
        """Wall seconds from the order to readiness."""
        return self.restart_s.get(process, self.default_restart_s)


def load(path: Path | None = None) -> Timing:
    """The timing in a file, by default the committed one. Raises CFG-002 without a file, CFG-003 when malformed."""
    place = path or DEFAULTS
    try:
        return Timing.model_validate(json.loads(place.read_text()))
    except FileNotFoundError as error:
        raise SandboxError(
            "CFG-002",
            where="timing",
            seen=str(place),
            expected="a file that `sandbox calibrate` wrote",
            fix="make one: sandbox calibrate --out FILE",
        ) from error
    except (ValueError, ValidationError) as error:
        raise SandboxError(
            "CFG-003",
            where=str(place),
            seen=str(error)[:300],
            expected="a file that `sandbox calibrate` wrote",
            fix="make one: sandbox calibrate --out FILE",
        ) from error
