"""A user and an item, each with what happened to them: what is known, what they were shown, or to whom, and what came of it."""

from __future__ import annotations

from sandbox.room.panels.asking import Asks, Fact, Table, Told, facts_of, table_of
from sandbox.room.panels.slates import SlateLine, Wanted, slate_lines

MOST = 40


class UserDocument(Told):
    """slates: the latest first. outcomes: what they did. features: as they were served last. consents: the latest of each
    purpose."""

    user: int
    facts: list[Fact]
    slates: list[SlateLine]
    outcomes: Table
    consents: Table
    features: Table


class ItemDocument(Told):
    """hours: exposure and clicks by the hour of world time. found_by: which sources proposed it. decisions: what rules did
    with it. features: as they were served last."""

    item: int
    facts: list[Fact]
    hours: Table
    found_by: Table
    decisions: Table
    outcomes: Table
    slates: list[SlateLine]
    features: Table


def user_page(lake: Asks, user: int) -> UserDocument:
    """Raises WIRE-003 where nobody has that number, LAKE-002..004."""
    facts = facts_of(lake, "user", user, f"SELECT * FROM users WHERE user_id = {user}")
    return UserDocument(
        user=user, facts=facts, slates=slate_lines(lake, Wanted(user=user), MOST),
        outcomes=table_of(lake, "What they did", f"""
            SELECT o.event_ts AS ts, o.kind, o.item_id AS item, c.title, o.value, o.request_id
            FROM outcomes o LEFT JOIN items c USING (item_id) WHERE o.user_id = {user}
            ORDER BY o.event_ts DESC LIMIT {MOST}"""),
        consents=table_of(lake, "Consent", f"""
            SELECT purpose, arg_max(state, effective_ts) AS state, max(effective_ts) AS since,
                   arg_max(jurisdiction, effective_ts) AS jurisdiction, arg_max(signal, effective_ts) AS signal
            FROM consent_ledger WHERE user_id = {user} GROUP BY purpose ORDER BY purpose"""),
        features=table_of(lake, "Features as they were served last", _features("user", user), 200),
    )  # fmt: skip


def item_page(lake: Asks, item: int) -> ItemDocument:
    """As `user_page`."""
    facts = facts_of(lake, "item", item, f"""
        SELECT i.*, c.name AS creator, c.followers FROM items i LEFT JOIN creators c USING (creator_id)
        WHERE i.item_id = {item}""")  # fmt: skip
    return ItemDocument(
        item=item, facts=facts, slates=slate_lines(lake, Wanted(item=item), MOST),
        hours=table_of(lake, "Shown, by the hour", f"""
            SELECT date_trunc('hour', ts) AS t, count(*) AS shown, sum(clicked) AS clicks, round(avg(clicked), 4) AS ctr,
                   round(avg(p_click), 4) AS predicted, round(avg(position), 1) AS position
            FROM ic WHERE item_id = {item} GROUP BY t ORDER BY t DESC LIMIT {MOST}"""),
        found_by=table_of(lake, "Found by", f"""
            SELECT source, count(*) AS times, round(avg(rank), 1) AS mean_rank, max(ts) AS last
            FROM candidates WHERE item_id = {item} GROUP BY source ORDER BY times DESC"""),
        decisions=table_of(lake, "What the rules did with it", f"""
            SELECT rule_id AS rule, action, count(*) AS times, round(avg(factor), 4) AS factor, min(ts) AS first, max(ts) AS last
            FROM rule_decisions WHERE item_id = {item} GROUP BY ALL ORDER BY times DESC LIMIT {MOST}"""),
        outcomes=table_of(lake, "What users did with it", f"""
            SELECT event_ts AS ts, kind, user_id AS "user", value, request_id FROM outcomes WHERE item_id = {item}
            ORDER BY event_ts DESC LIMIT {MOST}"""),
        features=table_of(lake, "Features as they were served last", _features("item", item), 200),
    )  # fmt: skip


def _features(entity: str, number: int) -> str:
    """Of sampled requests, so that the last may be a while ago."""
    return f"""
        SELECT view, feature, arg_max(value, ts) AS value, arg_max(status, ts) AS status,
               round(epoch(max(ts)) - epoch(arg_max(feature_event_ts, ts)), 1) AS age_s, max(ts) AS served,
               arg_max(request_id, ts) AS request_id
        FROM served_features WHERE entity = '{entity}' AND entity_id = '{number}'
        GROUP BY view, feature ORDER BY view, feature LIMIT 200"""
