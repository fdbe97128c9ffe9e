"""Files of one's own pack, SANDBOX_HOME/scenarios: read and written by name, and nothing outside of it.

NAME.yaml               a scenario; written whole or not at all
NAME.yaml.kept-VERSION  what somebody wanted to save over a file that had changed meanwhile
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from sandbox.base import paths, strict_yaml
from sandbox.base.errors import SandboxError
from sandbox.base.locks import alone
from sandbox.base.run import write_atomically
from sandbox.drill.scenario import library
from sandbox.room.authoring.documents import MOST_TEXT, SLUG, Source

CORE, OWN = "core", "own"
_MOST_KEPT = 5  # versions beside one file that lost; the oldest go
_MOST_FILES = 500


def folder() -> Path:
    return paths.home() / "scenarios"


def version_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def pack_of(path: Path) -> str:
    """core, own, or the name of the folder that was added to them."""
    if path.is_relative_to(library.root()):
        return CORE
    if path.is_relative_to(folder()):
        return OWN
    return next((pack for pack in paths.packs() if path.is_relative_to(pack)), path.parent).name


def places() -> dict[str, Path]:
    """All scenario files by name, the core pack's before others'. Nothing of them is read."""
    found: dict[str, Path] = {}
    for root in (library.root(), *paths.packs()):
        for path in sorted(root.rglob("*.yaml")):
            found.setdefault(path.stem, path)
    return found


def source(name: str) -> Source:
    """The text of a scenario. Raises DRILL-001 for none of that name, DRILL-002 for what is no text of a scenario's size."""
    _require_name(name)
    path = places().get(name)
    if path is None:
        library.path_of(name)  # raises, with the names that are near
        raise _unreadable(name, "a file that is gone")
    pack = pack_of(path)
    text = _text(path)
    return Source(id=name, pack=pack, own=pack == OWN, text=text, version=version_of(text))


def save(name: str, text: str, base: str | None) -> str:
    """Writes a scenario of one's own, and returns its version. base: the version that the text was made from, None for one
    that is to be new.

    Raises DRILL-002 for a name that is none and a text that is too long, ROOM-007 for a name that the core pack or another
    folder has, and where the file is not the one that `base` names: what is on disk stays, and `text` is kept beside it.
    """
    _require_name(name)
    if len(text) > MOST_TEXT:
        raise SandboxError(
            "DRILL-002", where=f"{name}.yaml", seen=f"{len(text)} characters", expected=f"at most {MOST_TEXT}",
            fix="write a shorter one",
        )  # fmt: skip
    path = folder() / f"{name}.yaml"
    with _alone():
        there = places().get(name)
        if there is not None and there.absolute() != path.absolute():
            raise SandboxError(
                "ROOM-007", where=f"name {name}", seen=f"a scenario of the pack {pack_of(there)}",
                expected="a name that no other scenario has", fix="save it under another name, in the file and in its id",
            )  # fmt: skip
        if there is None and sum(1 for _ in folder().glob("*.yaml")) >= _MOST_FILES:
            raise SandboxError(
                "ROOM-005", where="SANDBOX_HOME/scenarios", seen=f"{_MOST_FILES} files", expected="fewer",
                fix="move some into a folder of their own: --pack FOLDER",
            )  # fmt: skip
        now = version_of(_text(path)) if path.exists() else None
        if now not in (base, version_of(text)):
            raise _changed(path, text)
        # A link is replaced by a file of its own, never written through.
        _write(path, text)
    return version_of(text)


def _changed(path: Path, text: str) -> SandboxError:
    beside = path.with_name(f"{path.name}.kept-{version_of(text)}")
    _write(beside, text)
    older = sorted(path.parent.glob(f"{path.name}.kept-*"), key=lambda p: p.stat().st_mtime)
    for one in older[:-_MOST_KEPT]:
        one.unlink(missing_ok=True)
    return SandboxError(
        "ROOM-007", where=path.name, seen="a file that changed since it was opened", expected="the version that was opened",
        fix=f"look at both: yours is kept as {beside.name}; then save over the one there is, or under another name",
    )  # fmt: skip


def _write(path: Path, text: str) -> None:
    """Raises RUN-005 where the disk does not take it."""
    try:
        write_atomically(path, text)
    except OSError as error:
        raise SandboxError(
            "RUN-005", where=str(path.parent), seen=str(error.strerror), expected="a folder that can be written",
            fix="make room, or look at who may write there",
        ) from error  # fmt: skip


@contextmanager
def _alone() -> Iterator[None]:
    """One save at a time, whichever process makes it: what is compared is what is written over."""
    with suppress(OSError):  # said by the write
        folder().mkdir(parents=True, exist_ok=True)
    with ExitStack() as held:
        try:
            held.enter_context(alone(folder() / ".lock"))
        except OSError as error:
            raise SandboxError(
                "RUN-005", where=str(folder()), seen=str(error.strerror), expected="a folder that can be written",
                fix="look at who may write there",
            ) from error  # fmt: skip
        yield


def _text(path: Path) -> str:
    """At most what a scenario may have. A link out of the packs is not followed."""
    whole = path.resolve()
    if not any(whole.is_relative_to(root.resolve()) for root in (library.root(), *paths.packs())):
        raise _unreadable(path.name, "a link to somewhere else")
    try:
        raw = strict_yaml.contents(path)
        if len(raw) > strict_yaml.MAX_BYTES:
            raise _unreadable(path.name, f"more than {strict_yaml.MAX_BYTES} bytes")
        return raw.decode()
    except UnicodeDecodeError as error:
        raise _unreadable(path.name, f"byte {error.start} is no UTF-8") from error


def _unreadable(name: str, seen: str) -> SandboxError:
    return SandboxError(
        "DRILL-002",
        where=name,
        seen=seen,
        expected="a UTF-8 text of at most 256 kB",
        fix="look at the file by other means",
    )


def _require_name(name: str) -> None:
    if re.fullmatch(SLUG, name) is None or len(name) > 60:
        raise SandboxError(
            "DRILL-002", where="name of a scenario", seen=name[:80], fix="such as slow-mornings",
            expected="small letters and digits, joined by hyphens, at most 60",
        )  # fmt: skip
