"""Scenarios on disk: loaded strictly, listed, named. The core pack comes with the program, packs of one's own lie
in SANDBOX_HOME/scenarios and in the folders named with --pack."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from sandbox.base import paths, strict_yaml
from sandbox.base.errors import SandboxError
from sandbox.drill.scenario.draft import Draft
from sandbox.drill.scenario.finding import guess
from sandbox.drill.scenario.scenario import Scenario

_CODE = "DRILL-002"


def root() -> Path:
    """The folder of the core pack: scenarios/ beside this package, in a checkout and when installed."""
    return Path(__file__).resolve().parents[3] / "scenarios"


@dataclass(frozen=True)
class Shelf:
    """Everything there is to play. scenarios: by id, the core pack first. refused: files of packs of one's
    own that cannot be played, each with the reason."""

    scenarios: dict[str, Scenario]
    refused: dict[Path, SandboxError]


def load(path: Path) -> Scenario:
    """The scenario in a file. Raises DRILL-002 with file, line and path; CFG-002 without a file."""
    return _parsed(strict_yaml.contents(path), path.name)


@lru_cache(maxsize=256)
def _parsed(raw: bytes, name: str) -> Scenario:
    """A grading asks for the whole pack: what says the same is read once."""
    return checked(strict_yaml.parse(raw, name, _CODE))


def checked(document: strict_yaml.Document) -> Scenario:
    """Raises DRILL-002 for the first thing that the schema does not allow; all of them are told by
    sandbox.drill.authoring."""
    if not isinstance(document.value, dict):
        raise document.refusal(
            (), seen=type(document.value).__name__, expected="a mapping", fix="start from a scenario of scenarios/core"
        )
    draft = Draft.of(document)
    if draft.scenario is not None:
        return draft.scenario
    first = draft.schema[0]
    where = f"{document.name}:{first.line}" + (f", {first.place}" if first.place else "")
    raise SandboxError(_CODE, where=where, seen=first.seen, expected=first.expected, fix=first.fix)


def load_all(folder: Path | None = None) -> dict[str, Scenario]:
    """All scenarios of a pack by id, the core pack's when None. Raises DRILL-002 when one is refused, or two
    share an id."""
    found: dict[str, Scenario] = {}
    for path in sorted((folder or root()).rglob("*.yaml")):
        found[path.stem] = _placed(path, found)
    return found


def shelf() -> Shelf:
    """The core pack, and of packs of one's own what can be played: a broken file hides no other."""
    found = load_all()
    refused: dict[Path, SandboxError] = {}
    for path in _own():
        try:
            found[path.stem] = _placed(path, found)
        except SandboxError as error:
            refused[path] = error
    return Shelf(found, refused)


def _own() -> list[Path]:
    folders = dict.fromkeys(folder.resolve() for folder in paths.packs() if folder.is_dir())
    return [path for folder in folders for path in sorted(folder.rglob("*.yaml"))]


def _placed(path: Path, before: dict[str, Scenario]) -> Scenario:
    """The scenario of a file that is called as it is, and as no other of `before` is."""
    scenario = load(path)
    if scenario.id in before or scenario.id != path.stem:
        raise SandboxError(
            _CODE,
            where=f"{path.name}, id",
            seen=scenario.id,
            expected="the name of its file, used once",
            fix="rename the file or the id",
        )
    return scenario


def path_of(name: str, folder: Path | None = None) -> Path:
    """The file of that path, or of the scenario of that id: the core pack's before one's own. Raises DRILL-001."""
    if name.endswith((".yaml", ".yml")):
        return Path(name)
    there = sorted((folder or root()).rglob("*.yaml")) + (_own() if folder is None else [])
    for path in there:
        if path.stem == name:
            return path
    names = [path.stem for path in there]
    raise SandboxError(
        "DRILL-001",
        where="scenario",
        seen=name,
        expected=f"one of {names}",
        fix=guess(name, names, "see `sandbox drill list`"),
    )


def named(name: str, folder: Path | None = None) -> Scenario:
    """The scenario of that id, or in the file of that path. Raises DRILL-001 when there is none."""
    return load(path_of(name, folder))


def gentlest(folder: Path | None = None) -> Scenario:
    """The scenario with the fewest stars, then the fewest minutes."""
    return min(load_all(folder).values(), key=lambda s: (s.stars, s.minutes, s.id))
