"""One request, one state: the answer computed in one process is the one that comes through gRPC."""

from __future__ import annotations

from pathlib import Path

import grpc
import numpy as np
import pytest
import redis

from sandbox.base.config import Config
from sandbox.base.features import ITEM_STATS, N_RECENT, USER_PROFILE, USER_SEEN, USER_SESSION, key, unpack_many
from sandbox.virtual.answers.content import Content, Request
from services.gateway.stages import UserRows
from services.proto.recsys.v1 import gateway_pb2, gateway_pb2_grpc

pytestmark = pytest.mark.stack
N_USERS = 42  # about as many are asked for
TRIES = 20  # an answer that a busy machine made fall back, or features rewritten meanwhile


class Live:
    """A running stack, its store, and what one request to it gave."""

    def __init__(self, stack, stub, store, content):
        self.stack, self.stub, self.store, self.content = stack, stub, store, content
        self.catalogue, self.world = content.catalogue, stack.run.clock()

    def blobs(self, view, ids):
        return self.store.mget([key(view, int(i)) for i in ids])

    def ask(self, user, k, visit):
        """The wire's answer, the request, its user's rows, and item rows at a time."""
        batch_views = (
            lambda: self.blobs(ITEM_STATS, range(self.catalogue.n_items)),
            lambda: self.blobs(USER_PROFILE, [user]),
        )
        for attempt in range(TRIES):
            session = visit * TRIES + attempt
            before, streamed = [read() for read in batch_views], self.streamed(user)
            began = self.world.now()
            answer = self.stub.Recommend(
                gateway_pb2.RecommendRequest(user_id=user, k=k, session_id=str(session), depth=1), timeout=5
            )
            now = (began + self.world.now()) / 2
            if answer.degraded or [read() for read in batch_views] != before:
                continue
            region, known = int(self.catalogue.user_region[user]), bool(self.catalogue.user_personalised[user])
            asked = Request(user, session, 1, region, k, known, now)
            return answer, asked, self.rows(before[1], streamed, now), items_of(before[0])
        pytest.fail("the stack never answered whole with its features left alone")

    def streamed(self, user):
        return [self.blobs(view, [user]) for view in (USER_SESSION, USER_SEEN)]

    def rows(self, profile, streamed, now):
        """As the gateway takes them from the wire."""
        of = unpack_many(USER_PROFILE, profile, now).values[0]
        session, seen = (
            unpack_many(view, blobs, now).values[0]
            for view, blobs in zip((USER_SESSION, USER_SEEN), streamed, strict=True)
        )
        recent, shown = session[3 : 3 + N_RECENT].astype(np.int64), seen.astype(np.int64)
        return UserRows(of, session, recent[recent >= 0], shown[shown >= 0])


@pytest.fixture(scope="module")
def live(stack):
    run = stack.run
    content = Content(Path(run.world_dir), run.registries, run.seed)
    content.configure(Config.load(run.path))
    with grpc.insecure_channel(run.addresses["gateway"]) as channel, redis.Redis(unix_socket_path=run.redis) as store:
        stub = gateway_pb2_grpc.RecommenderStub(channel)
        yield from with_new_users(Live(stack, stub, store, content))


def with_new_users(live):
    """Takes the rows of some users away, and puts them back in the end."""
    live.new = np.flatnonzero(live.catalogue.user_personalised)[-N_USERS // 3 :].tolist()
    keys = [key(view, u) for view in (USER_PROFILE, USER_SESSION, USER_SEEN) for u in live.new]
    held = {k: blob for k, blob in zip(keys, live.store.mget(keys), strict=True) if blob}
    live.store.delete(*keys)
    yield live
    live.store.mset(held)


def users_of_all_kinds(live):
    """Users whom the store knows, some whose rows were taken away, and some who gave no consent."""
    consent = np.flatnonzero(live.catalogue.user_personalised).tolist()
    active = [u for u, blob in zip(consent, live.blobs(USER_SESSION, consent), strict=True) if blob]
    without = np.flatnonzero(~live.catalogue.user_personalised).tolist()
    kinds = (live.new, active[: N_USERS // 3], without[: N_USERS // 3])
    assert min(len(of) for of in kinds) > 5
    return [user for of in kinds for user in of]


def test_the_same_request_gives_the_same_slate_on_both_backends(live):
    content, asked, rows, wire, items = live.content, [], [], [], []
    for visit, user in enumerate(users_of_all_kinds(live), 1):
        answer, request, of, item_rows = live.ask(user, (5, 10, 20)[visit % 3], visit)
        wire.append(answer), asked.append(request), rows.append(of), items.append(item_rows)
    for i, answer in enumerate(wire):
        mine = content.healthy([asked[i]], [rows[i]], items[i])[0]
        shown = mine.ranked.order[mine.slate.rows]
        assert mine.candidates.ids[shown].tolist() == [item.item_id for item in answer.items]
        names = [mine.candidates.names[mine.candidates.masks[row]] for row in shown]
        assert names == [tuple(item.sources) for item in answer.items]
        for values, field in ((mine.ranked.scores, "score"), (mine.ranked.p_click, "p_click")):
            theirs = [getattr(item, field) for item in answer.items]
            np.testing.assert_allclose(values[shown], theirs, rtol=0, atol=1e-5)
        assert [row + 1 for row in mine.slate.rows] == [item.model_rank for item in answer.items]
        sent = np.array(mine.slate.propensity, np.float32).tolist()  # as the wire has it
        assert sent == [item.propensity for item in answer.items]
        assert mine.slate.randomised == [item.randomised for item in answer.items]
        assert noted(mine.slate) == [
            [(n.rule, n.action, pytest.approx(n.factor, abs=1e-5)) for n in item.rules] for item in answer.items
        ]
        versions = (mine.ranked.model_version, mine.candidates.encoder_version,
                    mine.candidates.index_version, content.rules_version)  # fmt: skip
        assert versions == (answer.model_version, answer.encoder_version, answer.index_version, answer.rules_version)


def test_what_a_live_state_is_answered_does_not_depend_on_the_batch(live):
    asked, rows = [], []
    users = users_of_all_kinds(live)
    now = live.world.now()
    for user in users:
        known = bool(live.catalogue.user_personalised[user])
        asked.append(Request(user, 7, 1, int(live.catalogue.user_region[user]), 10, known, now))
        rows.append(live.rows(live.blobs(USER_PROFILE, [user]), live.streamed(user), now))
    stats = unpack_many(ITEM_STATS, live.blobs(ITEM_STATS, range(live.catalogue.n_items)), now)

    def item_rows(ids, at):
        return type(stats)(stats.values[ids], stats.event_ts[ids], stats.status[ids], stats.run[ids])

    together = live.content.healthy(asked, rows, item_rows)
    for a, r, whole in zip(asked, rows, together, strict=True):
        (alone,) = live.content.healthy([a], [r], item_rows)
        assert alone.candidates.ids.tolist() == whole.candidates.ids.tolist()
        assert alone.ranked.scores.tobytes() == whole.ranked.scores.tobytes()
        assert alone.slate.rows == whole.slate.rows
        assert alone.slate.propensity == whole.slate.propensity


def items_of(blobs):
    """Item rows out of what the store held."""
    return lambda ids, at: unpack_many(ITEM_STATS, [blobs[i] for i in ids], float(at[0]))


def noted(slate):
    """By place of the slate what the rules say about its item."""
    return [[(d.rule, d.action, d.factor) for d in slate.decisions if d.row == row] for row in slate.rows]
