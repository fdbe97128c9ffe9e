"""Where a request is taken to come from: its user's home, through the seam at which that may be mistaken."""

from __future__ import annotations

from sandbox.base.catalogue import REGIONS
from sandbox.base.errors import SandboxError
from services.skeleton.seams import Call, Seam, payload_of


def tagged(seam: Seam, user: int, session: int, depth: int, home: int, n_regions: int) -> int:
    """The code of the region. home: that of the user's. n_regions: that the world has, whose codes come first. Raises
    WIRE-002 for another."""
    if not seam:
        return home
    call = Call("region", "gateway", "region", "tag", user, session, depth, home, payload=home)
    code: int = seam.run_sync(call, payload_of)
    if not 0 <= code < n_regions:
        raise SandboxError(
            "WIRE-002",
            where="gateway, region",
            seen=code,
            expected=f"one of {', '.join(REGIONS[:n_regions])}",
            fix="name a region in which the world has people",
        )
    return code
