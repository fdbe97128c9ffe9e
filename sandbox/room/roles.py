"""Who may be in a room."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """What somebody is in a room for. The instructor runs it and is no participant."""

    commander = "commander"
    deputy = "deputy"
    operations = "operations"
    ml_engineer = "ml_engineer"
    data_analyst = "data_analyst"
    communications = "communications"
    scribe = "scribe"
    observer = "observer"
    instructor = "instructor"


ALONE = frozenset({Role.commander, Role.deputy, Role.scribe})  # one person at a time
JOINABLE = tuple(role for role in Role if role is not Role.instructor)
TEAM = frozenset(JOINABLE) - {Role.observer}
