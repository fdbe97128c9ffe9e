"""Which source files decide what comes out: a module and all of ours that it imports, and a hash of them.

What is kept of a computation is kept by such a hash: an edit elsewhere, in a screen or a command, must not throw it
away, and one that nobody thought of must.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_OURS = ("sandbox", "services", "faults", "loadtest")
_FROM = re.compile(r"^[ \t]*from[ \t]+([\w.]+)[ \t]+import[ \t]+(\([^)]*\)|[^\n#]+)", re.MULTILINE)
_IMPORT = re.compile(r"^[ \t]*import[ \t]+([\w.]+)", re.MULTILINE)
_NAME = re.compile(r"(\w+)(?:\s+as\s+\w+)?\s*,?")
_SAYS = ("sandbox.base.errors", "sandbox.base.paths", "sandbox.base.progress")  # which tell of things, and decide none


@cache
def closure(*modules: str) -> tuple[Path, ...]:
    """Files, ascending: the modules, what they import, in functions too, and the JSON data beside any of it. A
    package stands for all that lies in it. Raises ValueError for a module that is none of ours."""
    found: dict[str, Path] = {}
    wanted = list(modules)
    while wanted:
        name = wanted.pop()
        if name in found or name in _SAYS:
            continue
        path = _file(name)
        if path is None:
            raise ValueError(f"no module of ours: {name}")
        found[name] = path
        if path.name == "__init__.py" and name in modules:
            wanted += [_dotted(p) for p in path.parent.rglob("*.py")]
        wanted += _imported(path)
    data = {p for path in found.values() for p in path.parent.glob("*.json")}
    return tuple(sorted({*found.values(), *data}))


@cache
def code_hash(*modules: str) -> str:
    """Of their closure, 64 hexadecimal digits."""
    whole = hashlib.sha256()
    for path in closure(*modules):
        whole.update(path.relative_to(ROOT).as_posix().encode())
        whole.update(path.read_bytes())
    return whole.hexdigest()


def _imported(path: Path) -> Iterable[str]:
    """Modules of ours that a file names in its imports, packages on the way included."""
    text = path.read_text()
    for package, names in _FROM.findall(text):
        if package.partition(".")[0] in _OURS:
            yield package
            for name in _NAME.findall(names):
                if _file(f"{package}.{name}") is not None:
                    yield f"{package}.{name}"
    yield from (name for name in _IMPORT.findall(text) if name.partition(".")[0] in _OURS)


def _file(module: str) -> Path | None:
    place = ROOT.joinpath(*module.split("."))
    return next((p for p in (place.with_suffix(".py"), place / "__init__.py") if p.is_file()), None)


def _dotted(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
