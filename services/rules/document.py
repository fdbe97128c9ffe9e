"""The rules document: which rules there are, their parameters with defaults and ranges, and its check."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML, YAMLError

from sandbox.base.config import Rule
from sandbox.base.errors import SandboxError

DEFAULT_DOCUMENT = Path(__file__).with_name("rules.yaml")
MAX_BYTES = 64 << 10  # of a document; the default one has 1 KiB

HARD = ("duplicate", "seen", "blocked_creator", "region_rights", "maturity", "sensitivity")

# rule -> parameter -> (default, least, greatest); None where there is no range
PARAMS: dict[str, dict[str, tuple[Any, float | None, float | None]]] = {
    "duplicate": {},
    "seen": {"refill": (True, None, None)},
    "blocked_creator": {},
    "region_rights": {},
    "maturity": {"unknown_age_years": (13, 0, 120)},
    "sensitivity": {
        "minor_factor": (0.8, 0.0, 1.0),  # on every threshold
        "minor_labels": (["minors-unsuitable", "sexuality"], None, None),  # refused besides the list's
    },
    "freshness": {"boost": (0.1, 0.0, 10.0), "half_life_h": (48.0, 0.1, 10_000.0)},
    "creator_cap": {"max_per_slate": (2, 1, 100)},
    "diversity": {"relevance_weight": (0.85, 0.0, 1.0)},
    "sponsored": {"position": (5, 1, 100)},
    "exploration": {},
}


@dataclass(frozen=True)
class Checked:
    """A rule as it runs. seq: its place in the document, from 1. params: complete, in range."""

    id: str
    seq: int
    enabled: bool
    params: dict[str, Any]


def checked(rules: Sequence[Rule]) -> list[Checked]:
    """The rules, complete with defaults. Raises CFG-003 for an unknown or repeated rule or parameter
    or a value of another type, CFG-001 for a value out of range."""
    seen: set[str] = set()
    out = []
    for seq, rule in enumerate(rules, 1):
        if rule.id not in PARAMS or rule.id in seen:
            raise _malformed(f"rules[{seq - 1}].id", rule.id, f"one of {sorted(PARAMS)}, each once")
        seen.add(rule.id)
        params = {name: default for name, (default, _, _) in PARAMS[rule.id].items()}
        for name, value in rule.params.items():
            where = f"rules[{seq - 1}] {rule.id}.{name}"
            if name not in params:
                raise _malformed(where, name, f"one of {sorted(params)}")
            default, least, most = PARAMS[rule.id][name]
            if not _same_kind(value, default):
                raise _malformed(where, value, f"a {type(default).__name__}")
            if least is not None and most is not None and not least <= float(value) <= most:  # type: ignore[arg-type]
                raise SandboxError(
                    "CFG-001", where=where, seen=value, expected=f"{least}..{most}", fix="choose a value in range"
                )
            params[name] = value
        out.append(Checked(rule.id, seq, rule.enabled, params))
    return out


def load(path: Path = DEFAULT_DOCUMENT) -> list[Rule]:
    """The rules of a YAML document. Raises CFG-002 and CFG-003."""
    try:
        with path.open("rb") as file:
            text = file.read(MAX_BYTES + 1).decode("utf-8")
    except OSError as error:
        raise SandboxError(
            "CFG-002", where="rules document", seen=str(error), expected="a YAML file", fix="name one that exists"
        ) from error
    except UnicodeDecodeError as error:
        raise _malformed(str(path), str(error), "UTF-8") from error
    if len(text) > MAX_BYTES or "&" in text or "*" in text.replace("# ", ""):
        raise _malformed(str(path), f"{len(text)} characters", "a short list without aliases")
    try:
        listed = YAML(typ="safe", pure=True).load(text)
        return [Rule.model_validate(entry) for entry in listed]
    except (YAMLError, ValidationError, TypeError, RecursionError) as error:
        raise _malformed(str(path), str(error)[:300], "a list of rules with id and params") from error


def _same_kind(value: object, default: object) -> bool:
    if isinstance(default, bool) or isinstance(value, bool):
        return isinstance(default, bool) and isinstance(value, bool)
    if isinstance(default, int | float):
        return isinstance(value, int | float)
    if isinstance(default, list):
        return isinstance(value, list) and all(isinstance(entry, str) for entry in value)
    return isinstance(value, type(default))


def _malformed(where: str, seen: object, expected: str) -> SandboxError:
    return SandboxError(
        "CFG-003",
        where=where,
        seen=seen,
        expected=expected,
        fix="see services/rules/document.py for the rules and their parameters",
    )
