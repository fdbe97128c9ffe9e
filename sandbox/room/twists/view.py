"""One line for each room of a server, for its instructor: where it stands, and who may need help."""

from __future__ import annotations

from functools import lru_cache

from pydantic import BaseModel

from sandbox.drill.play.drills import Drill
from sandbox.drill.scenario import taxonomy
from sandbox.room.rights import Phase
from sandbox.room.roles import Role
from sandbox.room.room import Room
from sandbox.room.twists import astray

# Words of SQL that mean a place nowhere, or places that no query names: nobody is said to be lost because of them.
_NAMED = frozenset(taxonomy.COMPONENTS) - {taxonomy.NONE, "traffic", "monitoring", "experiments", "training_set"}
QUIET_S = 300.0  # wall seconds in which somebody has done nothing


class Quiet(BaseModel):
    """Somebody who has done nothing for a while. since_s: wall seconds."""

    name: str
    role: str
    since_s: float


class Astray(BaseModel):
    """Somebody whose last looks name none of what is to blame. at: the places that they name."""

    name: str
    role: str
    at: list[str]


class RoomView(BaseModel):
    """world_ts, page_ts: world seconds since the epoch. left_s: world seconds. acknowledged_s: world seconds from the page
    to whoever acknowledged it, None while nobody has. last_s: wall seconds since anybody did anything, None where nobody
    has. waits: injects that wait for a hand. armed: faults that are on by hand. touched: whether a hand changed the world.
    requests: for status updates, that are open; overdue: of them. score: None before the grade."""

    code: str
    title: str
    backend: str
    phase: str
    world_ts: float
    began_ts: float
    left_s: float
    participants: int
    page_ts: float | None
    acknowledged_by: str | None
    acknowledged_s: float | None
    last_s: float | None
    last_by: str
    last_did: str
    quiet: list[Quiet]
    astray: list[Astray]
    hypotheses: int
    actions: int
    requests: int
    overdue: int
    waits: int
    armed: int
    touched: bool
    score: float | None


def view_of(room: Room) -> RoomView:
    """As things are now."""
    blamed, wall_ts = _blamed(room.drill), room.wall()
    with room.looking() as (shared, aside):
        opened, twists, now_ts = shared.opened, aside.twists, room.now()
        here = [person for person in shared.here() if person.role is not Role.observer]
        goes_on = shared.phase in (Phase.running, Phase.paused, Phase.time_up)
        seen = [(twists.watched[p.participant], p) for p in here if p.participant in twists.watched]
        last = max(seen, key=lambda entry: entry[0].wall_ts, default=None)
        page_ts = shared.page[0] if shared.page else None
        quiet = [
            Quiet(name=p.name, role=p.role.value, since_s=wall_ts - watched.wall_ts)
            for watched, p in seen
            if goes_on and wall_ts - watched.wall_ts >= QUIET_S
        ]
        gone_astray = [
            Astray(name=p.name, role=p.role.value, at=at)
            for watched, p in seen
            if goes_on and page_ts is not None
            and (at := astray.wrong([t for ts, t in watched.looks if ts >= page_ts], _NAMED, blamed))
        ]  # fmt: skip
        length_s = opened.length_s if opened else 0.0
        began_ts = opened.began_ts if opened else now_ts
        return RoomView(
            code=room.code, title=opened.title if opened else "", backend=opened.backend if opened else "",
            phase=shared.phase.value, world_ts=now_ts, began_ts=began_ts,
            left_s=max(0.0, began_ts + length_s - now_ts) if goes_on or shared.phase is Phase.waiting else 0.0,
            participants=len(shared.here()), page_ts=page_ts,
            acknowledged_by=None if shared.acknowledged_by is None else shared.name_of(shared.acknowledged_by),
            acknowledged_s=None if page_ts is None or twists.acknowledged_ts is None else twists.acknowledged_ts - page_ts,
            last_s=None if last is None else max(0.0, wall_ts - last[0].wall_ts),
            last_by="" if last is None else last[1].name, last_did="" if last is None else last[0].kind,
            quiet=quiet, astray=gone_astray, hypotheses=len(shared.hypotheses), actions=len(shared.actions),
            requests=len(shared.requests), overdue=sum(r["due_ts"] <= now_ts for r in shared.requests.values()),
            waits=len(twists.waiting), armed=len(twists.armed), touched=twists.touched,
            score=_score(shared.grade.score if shared.grade else None, aside.overrides),
        )  # fmt: skip


@lru_cache(maxsize=64)
def _blamed(drill: Drill) -> frozenset[str]:
    """Components where looking is right: those of the causes and what counts as next to them. Empty where one of the causes
    lies where no query looks."""
    causes = drill.scenario.truth.causes
    if not all(cause.component in _NAMED for cause in causes):
        return frozenset()
    return frozenset(name for cause in causes for name in (cause.component, *cause.neighbours))


def _score(graded: float | None, overrides: dict[str, dict[str, object]]) -> float | None:
    to = overrides.get("score")
    return graded if to is None else float(str(to["score"]))
