"""Operations on a running stack: everything that changes it, by people, by jobs or by a drill's timeline.

Each is a real change (a configuration document and a reload, a restart, a move in the stream), one
row of the lake's `changes`, and one line of RUN/operations.jsonl, from which it can be reverted.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from sandbox.base.config import Config
from sandbox.base.errors import SandboxError
from sandbox.base.interrupts import put_off
from sandbox.base.lines import append_line
from sandbox.base.locks import alone
from sandbox.base.rows import row_of
from sandbox.base.run import RunInfo
from sandbox.pipeline.rollout import Release
from sandbox.runtime.operate.platform import LivePlatform, Platform
from sandbox.runtime.rundir import disk_error
from services.skeleton.seams import Call, Seam


@dataclass
class Record:
    """One operation as it was carried out: a line of operations.jsonl.

    n: number in the run, from 1. op, arguments: the action. effects: what it came to, each in the
    form of an action (`set service=model field=ranker value=rk-1`), so that two ways to one state
    count alike. before: service -> field -> value that a revert would restore.
    """

    n: int
    ts: float  # world seconds
    actor: str
    op: str
    arguments: dict[str, str]
    target: str
    key: str
    old: str
    new: str
    note: str = ""
    effects: list[str] = field(default_factory=list)
    before: dict[str, dict[str, Any]] = field(default_factory=dict)


def _plain(value: Any) -> Any:
    """A configuration value as JSON sees it."""
    return json.loads(json.dumps(value, default=lambda v: v.model_dump()))


def shown(value: Any) -> str:
    """How a value stands in the change log: documents by their version."""
    if isinstance(value, dict):
        return str(value.get("version", json.dumps(value, sort_keys=True)[:200]))
    return str(value) if not isinstance(value, list) else f"{len(value)} entries"


class Operations:
    """What can be done to the stack of one run. Every method is synchronous and raises SandboxError."""

    def __init__(self, run: RunInfo, platform: Platform | None = None) -> None:
        """platform: what is operated on, by default the run's own processes."""
        self.run, self.platform = run, platform or LivePlatform(run)
        self._log = run.path / "operations.jsonl"

    def records(self) -> list[Record]:
        """All operations so far, oldest first. A line cut off by a crash is left out."""
        if not self._log.exists():
            return []
        records = []
        for line in self._log.read_text().splitlines():
            try:
                records.append(Record(**json.loads(line)))
            except (ValueError, TypeError):
                continue
        return records

    def release(self, release: Release, stage: Seam | None = None) -> Record:
        """Rolls a release out. stage: `release` with what is put on it, None for nothing. Raises what `apply`
        raises, and WIRE-006 for a wrapper that failed."""

        def apply(call: Call) -> Record:
            wanted: Release = call.payload
            return self.apply(
                wanted.patches, actor=wanted.actor, op="release",
                arguments={"target": wanted.target, "key": wanted.key, "version": wanted.new},
                target=wanted.target, key=wanted.key, new=wanted.new, note=wanted.note,
            )  # fmt: skip

        call = Call("release", release.target, release.key, "rollout", payload=release)
        record: Record = (stage or Seam("release")).run_sync(call, apply)
        return record

    def apply(
        self, patches: dict[str, dict[str, Any]], *, actor: str, op: str, arguments: dict[str, str],
        target: str, key: str, new: str, old: str | None = None, note: str = "",
        effects: Iterable[str] = (), check: Callable[[Config], None] | None = None,
    ) -> Record:  # fmt: skip
        """Sets configuration fields and has the services concerned switch to them.

        check: sees the documents in force, under the lock, and raises what keeps this from being done to them.
        Raises CFG-001 for a field or value that no document allows, RUN-005 on a full disk, and what a
        service answers when it cannot switch (MODEL-001 and the like); the documents are then as they were.
        """
        before: dict[str, dict[str, Any]] = {}
        done = list(effects)
        # Whoever is interrupted between the switch and its record would leave in force what nobody can revert.
        with alone(self.run.path / "config.lock"), put_off():
            config = Config.load(self.run.path)
            if check is not None:
                check(config)
            original = config.model_copy(deep=True)
            for service, fields in patches.items():
                document = getattr(config, service, None)
                for name, value in fields.items():
                    if document is None or name not in type(document).model_fields:
                        raise _no_such(service, name)
                    before.setdefault(service, {})[name] = _plain(getattr(document, name))
                    _set(document, service, name, value)
                    done.append(f"set service={service} field={name} value={shown(value)}")
            if patches:
                self._switch(config, original, patches)
            if old is None:
                old = ", ".join(shown(v) for fields in before.values() for v in fields.values())
            try:
                return self._record(
                    Record(
                        0, self.platform.now(), actor, op, arguments, target, key, old or "-", new, note, done, before
                    )
                )
            except SandboxError:  # what cannot be reverted must not stay in force
                if patches:
                    self._switch(original.model_copy(update={"version": config.version}), config, patches)
                raise

    def _switch(self, config: Config, original: Config, patches: Iterable[str]) -> None:
        """Brings `config` into force, as a version of its own; `original` again where that fails."""
        config.version += 1
        self._save(config)
        try:
            self.reload(patches)
        except SandboxError:
            original.version = config.version + 1
            self._save(original)
            self.reload(patches)
            raise

    def _save(self, config: Config) -> None:
        try:
            config.save(self.run.path)
        except OSError as error:
            raise disk_error(self.run.path, error) from error

    def note(self, *, actor: str, op: str, arguments: dict[str, str], target: str, key: str,
             old: str, new: str, note: str = "", effects: Iterable[str] = ()) -> Record:  # fmt: skip
        """Records an operation that changed no configuration (a restart, a move in the stream)."""
        ts = self.platform.now()
        return self._record(Record(0, ts, actor, op, arguments, target, key, old, new, note, list(effects)))

    def revert(self, n: int, actor: str) -> Record:
        """Puts back what operation `n` changed. Raises DRILL-007 when it changed nothing that can be."""
        found = next((r for r in self.records() if r.n == n), None)
        if found is None or not found.before:
            there = [r.n for r in self.records() if r.before]
            raise SandboxError(
                "DRILL-007",
                where="act revert, change",
                seen=n,
                expected=f"one of {there}",
                fix="see `sandbox act --list-changes`",
            )
        return self.apply(
            found.before, actor=actor, op="revert", arguments={"change": str(n)},
            target=found.target, key=found.key, old=found.new, new=found.old,
            note=f"reverts change {n}",
        )  # fmt: skip

    def reload(self, services: Iterable[str]) -> dict[str, int]:
        """Has services read their documents anew. Returns the version now in force, by service."""
        return self.platform.reload(services)

    def _record(self, record: Record) -> Record:
        """Raises RUN-005 on a full disk; the log is then as it was."""
        try:
            with alone(self.run.path / "operations.lock"):
                record.n = len(self.records()) + 1
                append_line(self._log, json.dumps(asdict(record)).encode())
        except OSError as error:
            raise disk_error(self.run.path, error) from error
        self.platform.rows("changes", [row_of.changes(
            ts=record.ts, target=record.target, key=record.key, old=record.old, new=record.new,
            actor=record.actor, note=record.note,
        )])  # fmt: skip
        return record


def _set(document: Any, service: str, name: str, value: Any) -> None:
    try:
        setattr(document, name, value)
    except ValidationError as error:
        first = error.errors()[0]
        raise SandboxError(
            "CFG-001",
            where=f"{service}.{name}",
            seen=first.get("input"),
            expected=first["msg"],
            fix="see sandbox.base.config for the range and the reason",
        ) from error


def _no_such(service: str, name: str) -> SandboxError:
    return SandboxError(
        "CFG-001",
        where=service,
        seen=name,
        expected="a field of that service's configuration",
        fix="see `sandbox act --help`",
    )


def wait_for(condition: Callable[[], bool], within_s: float, what: str, run_dir: Path, every_s: float = 0.1) -> None:
    """Returns when the condition holds. Raises RUN-003 when it does not within `within_s` wall seconds."""
    until = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > until:
            raise SandboxError(
                "RUN-003",
                where=what,
                seen=f"not after {within_s:g} s",
                expected="sooner",
                fix=f"see {run_dir / 'logs'}",
            )
        time.sleep(every_s)
