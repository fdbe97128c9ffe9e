"""A release: what changes on a stack, as configuration patches. The stage at which releases can be wrapped.

A release is prepared (its patches computed), then passes the stage `release`, then is applied by
whoever operates the stack. Documents are plain JSON values, so that a release can be journalled.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(frozen=True)
class Release:
    """target: service that a reader of the change log sees. key: what is released. new: its version or
    value. patches: service -> field of its configuration document -> value. note: words of the author."""

    target: str
    key: str
    new: str
    actor: str
    note: str = ""
    patches: dict[str, dict[str, Any]] = field(default_factory=dict)

    def patched(self, service: str, name: str, value: Any) -> Release:
        """The release with one field set."""
        patches = {s: dict(p) for s, p in self.patches.items()}
        patches.setdefault(service, {})[name] = value
        return replace(self, patches=patches)

    def without(self, service: str, name: str) -> Release:
        """The release with one field left as it is on the stack."""
        patches = {s: {k: v for k, v in p.items() if (s, k) != (service, name)} for s, p in self.patches.items()}
        return replace(self, patches={s: p for s, p in patches.items() if p})
