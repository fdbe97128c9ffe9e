"""The store's own settings, put in force while it runs; one that starts has them on its command line."""

from __future__ import annotations

from sandbox.base.config import RedisConfig
from sandbox.base.run import RunInfo
from sandbox.runtime.event_stream import store_of


def put_in_force(run: RunInfo, settings: RedisConfig) -> None:
    """What does not fit any more goes at once, where the policy lets keys go. Raises STORE-001."""
    with store_of(run) as store:
        store.config_set("maxmemory-policy", settings.policy)
        store.config_set("maxmemory", f"{settings.maxmemory_mb}mb")
