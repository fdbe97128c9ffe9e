"""All faults by name, found by walking this package: adding one is adding its file."""

from __future__ import annotations

import importlib
import pkgutil

import faults
from faults.base import Fault
from sandbox.base.errors import SandboxError


def _walk() -> dict[str, type[Fault]]:
    found: dict[str, type[Fault]] = {}
    for layer in pkgutil.iter_modules(faults.__path__, "faults."):
        if not layer.ispkg:
            continue
        package = importlib.import_module(layer.name)
        for module in pkgutil.iter_modules(package.__path__, f"{layer.name}."):
            for thing in vars(importlib.import_module(module.name)).values():
                if isinstance(thing, type) and issubclass(thing, Fault) and thing is not Fault:
                    other = found.setdefault(thing.name, thing)
                    assert other is thing, f"two faults are called {thing.name}"
                    assert thing.layer == layer.name.removeprefix("faults."), "layer is the folder"
    return dict(sorted(found.items()))


CATALOGUE = _walk()


def fault_named(name: str) -> type[Fault]:
    """Raises FLT-001 for a name that is not in the catalogue."""
    if name not in CATALOGUE:
        raise SandboxError(
            "FLT-001", where="fault name", seen=name, expected=f"one of {list(CATALOGUE)}",
            fix="see `sandbox fault list`",
        )  # fmt: skip
    return CATALOGUE[name]
