"""Arms of an experiment: settings on top of the configuration in force, and which users get which."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from sandbox.base.config import Config
from sandbox.base.errors import SandboxError
from sandbox.base.streams import uniforms

# Settings that decide what is shown. The others are about time and queues, of which there are none
# here: an arm that sets one of them would differ from the others in name only. The user tower and the
# index are shared: each night's index is made by the tower in force.
SETTINGS = (
    "gateway.n_candidates", "retrieval.quotas", "retrieval.disabled",
    "ranking.contract", "ranking.contract_version", "ranking.weights", "model.ranker",
    "rules.version", "rules.rules", "rules.sensitivity", "rules.explore_share",
)  # fmt: skip
CONTROL = "control"
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")


@dataclass(frozen=True)
class Arm:
    """settings: `service.setting`, or `service.setting.entry` of one that has entries -> value."""

    name: str
    settings: dict[str, Any] = field(default_factory=dict)

    def on(self, config: Config) -> Config:
        """The configuration as this arm has it. Raises CFG-001 for a value that is not allowed."""
        changed = config.model_copy(deep=True)
        for key, value in self.settings.items():
            service, setting, *entry = key.split(".")
            document = getattr(changed, service)
            try:
                setattr(document, setting, _with_entry(document, setting, entry, value))
            except (ValidationError, KeyError, TypeError) as error:
                told = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error
                raise SandboxError(
                    "CFG-001",
                    where=f"arm {self.name}, {key}",
                    seen=value,
                    expected=str(told),
                    fix="give a value that sandbox.base.config allows",
                ) from error
        return changed


def parse_arms(texts: Sequence[str]) -> tuple[Arm, ...]:
    """Arms from `NAME` or `NAME:key=value,...`, as typed; values are YAML, such as [1,0,0] or [fresh].

    None gives one arm, control; one gives it control to be compared with. Raises CFG-004 for a name or
    key that cannot be, CFG-001 for a value that its setting does not allow.
    """
    arms = [_arm(text) for text in texts]
    if not arms or (len(arms) == 1 and arms[0].name != CONTROL):
        arms.insert(0, Arm(CONTROL))
    names = [arm.name for arm in arms]
    if len(set(names)) < len(names):
        raise _refused(" ".join(texts), names, "a name for each arm, none twice")
    for arm in arms:
        arm.on(Config())
    return tuple(arms)


def assigned(user: np.ndarray, n_arms: int, seed: int) -> np.ndarray:
    """int64 [n]: the arm of each user, by a hash of (seed, user), whoever else takes part."""
    return np.asarray((uniforms(seed, "simulate/arm", user) * n_arms).astype(np.int64))


def _arm(text: str) -> Arm:
    name, _, rest = text.partition(":")
    if not _NAME.fullmatch(name):
        raise _refused(text, name, "1 to 32 lower-case letters, digits, dashes or underscores")
    settings: dict[str, Any] = {}
    for part in _parts(rest):
        key, equals, value = part.partition("=")
        key = key.strip()
        if not equals or ".".join(key.split(".")[:2]) not in SETTINGS or len(key.split(".")) > 3:
            raise _refused(text, key, f"key=value with a key of {list(SETTINGS)}")
        if key in settings:
            raise _refused(text, key, "every key once")
        try:
            settings[key] = YAML(typ="safe", pure=True).load(value)
        except YAMLError as error:
            raise _refused(text, value, "a value such as 0.1, rk-2, [1,0,0] or [fresh]") from error
    return Arm(name, settings)


def _parts(text: str) -> list[str]:
    """Split at the commas that stand in no bracket."""
    parts, depth = [""], 0
    for letter in text:
        depth += (letter in "[{") - (letter in "]}")
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return [part for part in parts if part.strip()]


def _with_entry(document: Any, setting: str, entry: Sequence[str], value: Any) -> Any:
    if not entry:
        return value
    whole = document.model_dump()[setting]
    return {**whole, entry[0]: value}


def _refused(text: str, seen: object, expected: str) -> SandboxError:
    return SandboxError(
        "CFG-004",
        where=f"--arm {text}",
        seen=str(seen),
        expected=expected,
        fix="for example --arm treatment:rules.explore_share=0.1,ranking.weights=[1,0,0]",
    )
