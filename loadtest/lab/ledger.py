"""Every request of a load run: when it should have begun, when it did, when it ended, and how."""

from __future__ import annotations

import io
from array import array
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from sandbox.base.errors import SandboxError

Floats = NDArray[np.float64]
OK = "ok"


@dataclass(frozen=True)
class Requests:
    """Columns of one row a request, in the order of intended_s. intended_s, started_s, done_s: float64 [n], wall seconds
    since the load began. who: int8 [n], as arrivals have it. error: [n], the name of a gRPC status, or OK. fallback:
    bool [n], a designed fallback answered for some stage."""

    intended_s: Floats
    started_s: Floats
    done_s: Floats
    who: NDArray[np.int8]
    error: NDArray[np.str_]
    fallback: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.intended_s)

    @property
    def ok(self) -> NDArray[np.bool_]:
        return self.error == OK

    @property
    def latency_ms(self) -> Floats:
        """From the intended start, whatever the generator made of it."""
        return np.maximum(self.done_s - self.intended_s, 0) * 1000

    @property
    def service_ms(self) -> Floats:
        """From the actual send."""
        return np.maximum(self.done_s - self.started_s, 0) * 1000

    @property
    def lateness_ms(self) -> Floats:
        """How late the generator itself was."""
        return np.maximum(self.started_s - self.intended_s, 0) * 1000

    def between(self, low_s: float, high_s: float) -> Requests:
        """Those that should have begun then."""
        return self.only((self.intended_s >= low_s) & (self.intended_s < high_s))

    def only(self, rows: NDArray[np.bool_] | NDArray[np.int64]) -> Requests:
        return Requests(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))

    @classmethod
    def together(cls, parts: list[Requests]) -> Requests:
        """Of several workers, in the order of time."""
        whole = cls(*(np.concatenate([getattr(p, name) for p in parts]) for name in cls.__dataclass_fields__))
        return whole.only(np.argsort(whole.intended_s, kind="stable"))

    @classmethod
    def none(cls) -> Requests:
        return Ledger().requests()

    def save(self, path: Path) -> None:
        """At once or not at all. Raises OSError on a full disk."""
        part = path.with_name(f".{path.name}.part")
        try:
            with part.open("wb") as file:
                self._write(file)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)

    def packed(self) -> bytes:
        """As a message holds them; `unpacked` is its inverse."""
        file = io.BytesIO()
        self._write(file)
        return file.getvalue()

    @classmethod
    def unpacked(cls, data: bytes) -> Requests:
        return cls._read(io.BytesIO(data))

    def _write(self, file: IO[bytes]) -> None:
        names, codes = np.unique(self.error, return_inverse=True)
        columns = {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "error"}
        np.savez(file, names=names, codes=codes.astype(np.int16), **columns)

    @classmethod
    def _read(cls, file: IO[bytes]) -> Requests:
        with np.load(file, allow_pickle=False) as found:
            columns = {name: found[name] for name in cls.__dataclass_fields__ if name != "error"}
            return cls(**columns, error=found["names"][found["codes"]])

    @classmethod
    def load(cls, path: Path) -> Requests:
        """Raises LOAD-001 where a load left none."""
        try:
            with path.open("rb") as file:
                return cls._read(file)
        except (OSError, ValueError, KeyError, IndexError, EOFError, BadZipFile) as error:
            raise SandboxError(
                "LOAD-001",
                where=str(path),
                seen=str(error)[:200],
                expected="the requests of a load run",
                fix="see logs/load.log in the run directory; run it again",
            ) from error


class Ledger:
    """Gathers them, one at a time, at about a microsecond each."""

    def __init__(self) -> None:
        self._times, self._who, self._errors, self._fallback = array("d"), array("b"), array("h"), array("b")
        self._names: dict[str, int] = {OK: 0}

    def add(self, intended_s: float, started_s: float, done_s: float, who: int, error: str, fallback: bool) -> None:
        self._times.extend((intended_s, started_s, done_s))
        self._who.append(who)
        self._errors.append(self._names.setdefault(error, len(self._names)))
        self._fallback.append(fallback)

    def __len__(self) -> int:
        return len(self._who)

    def requests(self, since: int = 0) -> Requests:
        """since: without so many, the first to end."""
        times = np.array(self._times[since * 3 :], np.float64).reshape(-1, 3)
        names = np.array(list(self._names))
        intended_s, started_s, done_s = times.T.copy()
        found = Requests(
            intended_s, started_s, done_s, np.array(self._who[since:], np.int8),
            names[np.array(self._errors[since:], np.int64)], np.array(self._fallback[since:], bool),
        )  # fmt: skip
        return found.only(np.argsort(found.intended_s, kind="stable"))
