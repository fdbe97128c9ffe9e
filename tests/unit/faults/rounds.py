"""What a fault of the store makes of a round of upkeep."""

import asyncio

from sandbox.base.errors import SandboxError
from sandbox.runtime.upkeep import upkeep_call


def round_of(armed, n=1, fails=False):
    """The commands that the n-th round comes to. fails: the store does not take them."""
    commands = []

    async def store(call):
        if fails:
            raise SandboxError("STORE-001", where="", seen="", expected="", fix="")
        commands.extend(call.payload)
        return len(call.payload)

    assert asyncio.run(armed.seam.run(upkeep_call(n), store)) == len(commands)
    return commands
