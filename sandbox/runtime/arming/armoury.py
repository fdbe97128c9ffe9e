"""What is put on the seams of one process, by order of whoever started the stack."""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

from sandbox.base.errors import SandboxError
from sandbox.base.run import CONTROLLED

if TYPE_CHECKING:
    from services.skeleton.seams import Seam, Seams, Wrapper

ORDERS = ("ping", "list", "arm", "disarm")


class Armoury:
    """name: of the process. seams: its own; None for a process that has none."""

    def __init__(self, name: str, seams: Seams | None) -> None:
        self.name, self.seams = name, seams
        self.armed: dict[str, tuple[Seam, Wrapper]] = {}

    def answer(self, order: dict[str, Any]) -> dict[str, Any]:
        """The answer to one order of `ORDERS`. Raises FLT-001..003, and CFG-003 for another one."""
        op = order["op"]
        if op == "ping":
            return {"pid": os.getpid()}
        if op == "list":
            return {"ids": sorted(self.armed)}
        if op == "arm":
            self._arm(order)
            return {"id": order["id"]}
        if op == "disarm":
            seam, wrapper = self.armed.pop(str(order.get("id")), (None, None))
            if seam is not None and wrapper is not None:
                seam.take_off(wrapper)
            return {"was_armed": wrapper is not None}
        raise SandboxError(
            "CFG-003",
            where=f"{self.name} control",
            seen=op,
            expected=", ".join(ORDERS),
            fix="use sandbox.runtime.stack",
        )

    def _arm(self, order: dict[str, Any]) -> None:
        if self.seams is None:
            raise SandboxError(
                "FLT-003",
                where=self.name,
                seen=order.get("fault"),
                expected="a process with seams",
                fix=f"name one of {[*CONTROLLED, 'load']}",
            )
        key = str(order.get("id") or "")
        if not key or key in self.armed:
            raise SandboxError(
                "FLT-003",
                where=self.name,
                seen=key,
                expected="an id that is not armed here",
                fix="disarm it first, or give another id",
            )
        arming = importlib.import_module("faults.arming")  # nothing of it is here until it is asked for
        spec = {k: v for k, v in order.items() if k not in ("op", "id")}
        seam_name, wrapper = arming.wrapper_for(spec, self.seams, self.name)
        seam = self.seams.named(seam_name)
        seam.put(wrapper)
        self.armed[key] = (seam, wrapper)
