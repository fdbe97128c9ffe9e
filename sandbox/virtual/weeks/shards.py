"""Cohorts side by side: in this process, or each in one of its own.

How users are divided changes nothing but the time it takes: what a cohort answers depends on its users
alone, and the answers are put together in order of time.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, Protocol

import numpy as np

from sandbox.base.catalogue import Catalogue
from sandbox.base.config import Config
from sandbox.base.errors import SandboxError
from sandbox.virtual.content import Content
from sandbox.virtual.loaded import Sources
from sandbox.virtual.weeks.cohort import Batch, Cohort
from sandbox.virtual.weeks.plan import SLATE, Place
from sandbox.virtual.weeks.served import Served
from sandbox.world.behaviour import Behaviour

_STOP_S = 10.0  # for a process to end by itself


@dataclass(frozen=True)
class Share:
    """The part of a simulation that one cohort lives through. forgotten: items held back, whose traces
    in the users' rows are left out. session, seen: rows of the stream for `stream_user`, at `stream_ts`."""

    place: Place
    user: np.ndarray
    arm: np.ndarray
    n_arms: int
    start_ts: float
    seed: int
    forgotten: np.ndarray
    stream_user: np.ndarray
    stream_ts: np.ndarray
    session: np.ndarray
    seen: np.ndarray


class Shard(Protocol):
    """One cohort. Every call is followed by `result` before the next one."""

    def start(self, name: str, *arguments: Any) -> None: ...
    def result(self) -> Any: ...
    def close(self) -> None: ...


class Local:
    """A cohort in this process. Its steps are what every shard can be asked for."""

    def __init__(self, share: Share) -> None:
        catalogue = Catalogue.load(share.place.shadow / "public" / "catalogue.npz")
        self.place = share.place
        self.cohort = Cohort(
            Behaviour.load(share.place.world), catalogue, share.user, share.arm, share.start_ts,
            share.seed, SLATE,
        )  # fmt: skip
        self.contents = [
            Content(share.place.shadow, share.place.registries, share.seed)
            for _ in range(share.n_arms)
        ]
        self.cohort.answers = self.contents
        mine, at, here = np.intersect1d(share.user, share.stream_user, return_indices=True)
        known = catalogue.user_personalised[mine]
        self.cohort.rows.restore(
            at[known], share.session[here[known]], share.stream_ts[here[known]],
            share.seen[here[known]], share.forgotten,
        )  # fmt: skip
        self._result: Any = None

    def start(self, name: str, *arguments: Any) -> None:
        self._result = {"until": self.until, "refresh": self.refresh, "switch": self.switch}[name](
            *arguments
        )

    def result(self) -> Any:
        return self._result

    def close(self) -> None:
        """Nothing is held."""

    def until(self, ts: float) -> Served:
        return self.cohort.until(ts)

    def refresh(self, batch: Batch) -> None:
        self.cohort.batch = batch

    def switch(self, configs: Sequence[Config], lists: bool) -> None:
        """lists: popular items and co-visitation are new in the registry."""
        sources = Sources.of(self.place.registries) if lists else None
        for content, config in zip(self.contents, configs, strict=True):
            content.configure(config)
            content.sources = sources or content.sources


class Remote:
    """A cohort in a process of its own, which ends when this one does, however it ends."""

    def __init__(self, share: Share) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, far = context.Pipe()
        self._process = context.Process(target=_serve, args=(far, share), daemon=True)
        self._process.start()
        far.close()

    def start(self, name: str, *arguments: Any) -> None:
        with contextlib.suppress(BrokenPipeError):  # `result` says what became of it
            self._pipe.send((name, arguments))

    def result(self) -> Any:
        try:
            ok, value = self._pipe.recv()
        except (EOFError, OSError) as error:
            raise SandboxError(
                "RUN-008", where="a process of the simulation", seen=f"it ended: {self._process.exitcode}",
                expected="an answer", fix="free some memory, or take fewer users",
            ) from error  # fmt: skip
        if not ok:
            raise SandboxError(**value) if isinstance(value, dict) else value
        return value

    def close(self) -> None:
        self._pipe.close()
        self._process.join(_STOP_S)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()


def _serve(pipe: Connection, share: Share) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent closes the pipe when it stops
    local: Local | None = None
    while True:
        try:
            name, arguments = pipe.recv()
        except (EOFError, OSError):
            return
        try:
            local = local or Local(share)
            local.start(name, *arguments)
            answer = (True, local.result())
        except Exception as error:  # the edge of a process: the parent raises it
            answer = (False, _sendable(error))
        try:
            pipe.send(answer)
        except OSError:
            return


def _sendable(error: Exception) -> Any:
    """What can go through a pipe: the parts of a SandboxError, or another exception."""
    if isinstance(error, SandboxError):
        return {
            "code": error.kind.code, "where": error.where, "seen": str(error.seen),
            "expected": error.expected, "fix": error.fix,
        }  # fmt: skip
    if isinstance(error, OSError):
        return error
    return RuntimeError("".join(traceback.format_exception(error))[-2_000:])
