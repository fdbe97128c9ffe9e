"""Responders by name, and anybody's own by `module:Class`."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from typing import Any

from sandbox.base.errors import SandboxError
from sandbox.drill.responders.env import Responder
from sandbox.drill.scenario.scenario import Scenario

GOLD = "gold"
_HERE = "sandbox.drill.responders"
SHIPPED = {
    "do-nothing": f"{_HERE}.do_nothing:DoNothing",
    "random": f"{_HERE}.random_answer:RandomAnswer",
    "constant": f"{_HERE}.constant:Constant",
    "first-alert": f"{_HERE}.first_alert:FirstAlert",
    "last-change": f"{_HERE}.last_change:LastChange",
    "vandal": f"{_HERE}.vandal:Vandal",
    "gamer": f"{_HERE}.gamer:Gamer",
    GOLD: f"{_HERE}.gold:Gold",
}
TOLD = frozenset({GOLD})  # of SHIPPED: made with the scenario, for no environment tells it


def checked(names: list[str]) -> list[str]:
    """The responders meant, each once: names of SHIPPED, `module:Class`, or `all` for those that ship.

    Nothing of a module is run here. Raises CFG-004 for a name that is neither, or a module that is not found.
    """
    wanted = [one for name in names for one in (SHIPPED if name == "all" else [name])]
    for name in wanted:
        if name in SHIPPED:
            continue
        module, colon, cls = name.partition(":")
        if not (colon and cls.isidentifier() and _found(module)):
            raise SandboxError(
                "CFG-004",
                where="--responder",
                seen=name,
                expected=f"all, {', '.join(SHIPPED)}, or module:Class that can be imported from here",
                fix="check the spelling, and the directory that the command runs in",
            )
    return list(dict.fromkeys(wanted))


def made(name: str, scenario: Scenario) -> Responder:
    """A fresh responder for a drill of that scenario. Raises whatever its module or its class raises."""
    look_here()
    module, _, cls = SHIPPED.get(name, name).partition(":")
    kind: Any = getattr(importlib.import_module(module), cls)
    responder: Responder = kind(scenario) if name in TOLD else kind()
    return responder


def look_here() -> None:
    """Lets modules beside the user's shell be imported, as `python -m` does."""
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)


def _found(module: str) -> bool:
    """Whether there is such a module, by its outermost package: importing a package would run it."""
    outermost = module.partition(".")[0]
    look_here()
    try:
        return bool(outermost) and importlib.util.find_spec(outermost) is not None
    except (ImportError, ValueError):
        return False
