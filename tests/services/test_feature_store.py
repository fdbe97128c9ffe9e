"""One contract for the feature store, whichever backend it is on: Redis, Redis spread over nodes, virtual."""

from __future__ import annotations

import math
import signal
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st
from redis.crc import key_slot

from sandbox.base.config import RedisConfig
from sandbox.base.errors import SandboxError
from sandbox.base.features import ITEM_STATS, USER_PROFILE, USER_SEEN, USER_SESSION, VIEWS, Status, key
from sandbox.base.jobs import ROWS_PER_WRITE
from sandbox.virtual.processes.store import Store as VirtualStore
from services.events import core
from services.skeleton.feature_store import FeatureStore, RedisFeatures, together
from services.skeleton.replica import HELD, hold
from services.skeleton.store import Store
from tests.services.harness import N_ITEMS, N_USERS, WORLD_START, catalogue, make_run, redis_at
from tests.services.waiting import until

NOW = WORLD_START
N_KEPT = 2_000  # rows in a store that becomes full
EVERY_VIEW = pytest.mark.parametrize("view", VIEWS.values(), ids=list(VIEWS))


def ids(*numbers):
    return np.array(numbers, np.int64)


def rows_of(view, n, value=0.5):
    """n rows that can be told apart. float32 [n, columns]."""
    return np.full((n, len(view.columns)), value, np.float32) + np.arange(n, dtype=np.float32)[:, None]


async def fill(store, view, numbers, ts=NOW - 60, run=7, value=0.5, lives_s=None):
    rows = rows_of(view, len(numbers), value)
    await store.write(view, numbers, rows, np.full(len(numbers), ts), run, lives_s=lives_s)


async def there(store, numbers):
    """Whether each has a row that is seen, bool [n]. A few at a time: answers under way take memory of the store, too."""
    parts = [await store.read(USER_SEEN, part, NOW) for part in np.array_split(numbers, len(numbers) // 50)]
    return np.concatenate([rows.status for rows in parts]) == Status.PRESENT


async def refused(doing):
    with pytest.raises(SandboxError) as told:
        await doing
    return told.value


class Contract:
    """What whoever reads or writes features may rely on. `backend` has a store, and ways to harm it."""

    @EVERY_VIEW
    async def test_what_is_written_is_read_in_the_order_asked_for(self, backend, view):
        await fill(backend.store, view, ids(1, 2, 3))

        rows = await backend.store.read(view, ids(3, 1, 3), NOW)

        assert rows.values[:, 0].tolist() == [2.5, 0.5, 2.5]
        assert rows.values.dtype == np.float32
        assert rows.event_ts.tolist() == [NOW - 60] * 3
        assert rows.status.tolist() == [Status.PRESENT] * 3
        assert rows.run.tolist() == [7] * 3

    @EVERY_VIEW
    async def test_what_nobody_wrote_is_missing_with_default_values(self, backend, view):
        await fill(backend.store, view, ids(1))

        rows = await backend.store.read(view, ids(2, 1, -1, 10**9), NOW)

        assert rows.status.tolist() == [Status.MISSING, Status.PRESENT, Status.MISSING, Status.MISSING]
        for i in (0, 2, 3):
            assert (rows.values[i] == view.default_row).all()
            assert np.isnan(rows.event_ts[i])
            assert rows.run[i] == 0

    @EVERY_VIEW
    async def test_a_row_expires_when_it_is_older_than_its_view_allows(self, backend, view):
        await fill(backend.store, view, ids(4), ts=NOW)

        at_the_limit = await backend.store.read(view, ids(4), NOW + view.max_age_s)
        later = await backend.store.read(view, ids(4), NOW + view.max_age_s + 1)

        assert at_the_limit.status.tolist() == [Status.PRESENT]
        assert later.status.tolist() == [Status.EXPIRED]
        assert (later.values[0] == view.default_row).all()
        assert later.event_ts.tolist() == [NOW], "when it was written is told all the same"

    @EVERY_VIEW
    async def test_a_later_write_wins_and_touches_no_other_row(self, backend, view):
        await fill(backend.store, view, ids(1, 2))
        await fill(backend.store, view, ids(2), ts=NOW, run=8, value=9.0)

        rows = await backend.store.read(view, ids(1, 2), NOW)

        assert rows.values[:, 0].tolist() == [0.5, 9.0]
        assert (rows.event_ts.tolist(), rows.run.tolist()) == ([NOW - 60, NOW], [7, 8])

    @EVERY_VIEW
    async def test_a_row_that_has_an_end_is_gone_after_it_and_its_neighbour_stays(self, backend, view):
        await fill(backend.store, view, ids(1, 2), lives_s=0.05)
        await fill(backend.store, view, ids(3))
        before = await backend.store.read(view, ids(1, 3), NOW)

        await backend.over(view, 1)
        rows = await backend.store.read(view, ids(1, 2, 3), NOW)

        assert before.status.tolist() == [Status.PRESENT] * 2
        assert rows.status.tolist() == [Status.MISSING, Status.MISSING, Status.PRESENT]
        assert np.isnan(rows.event_ts[:2]).all()

    @EVERY_VIEW
    async def test_who_writes_a_row_again_decides_anew_whether_it_has_an_end(self, backend, view):
        await fill(backend.store, view, ids(1, 2), lives_s=60.0)
        await fill(backend.store, view, ids(1, 3))
        await fill(backend.store, view, ids(2), lives_s=600.0)

        assert backend.left_s(view, 1) is None
        assert 60.0 < backend.left_s(view, 2) <= 600.0
        assert backend.left_s(view, 3) is None

    async def test_views_of_one_entity_are_apart(self, backend):
        await fill(backend.store, USER_PROFILE, ids(1))

        rows = await backend.store.read(USER_SESSION, ids(1), NOW)

        assert rows.status.tolist() == [Status.MISSING]

    @EVERY_VIEW
    async def test_nothing_is_read_and_written_for_nobody(self, backend, view):
        await fill(backend.store, view, ids())

        rows = await backend.store.read(view, ids(), NOW)

        assert rows.values.shape == (0, len(view.columns))
        assert len(rows.status) == len(rows.event_ts) == len(rows.run) == 0

    async def test_a_store_that_came_back_empty_has_nothing(self, backend):
        await fill(backend.store, ITEM_STATS, ids(1))
        backend.empty()

        rows = await backend.store.read(ITEM_STATS, ids(1), NOW)

        assert rows.status.tolist() == [Status.MISSING]

    @EVERY_VIEW
    @pytest.mark.parametrize("harm", ["die", "hang"])
    async def test_a_store_that_is_away_is_said_at_once_and_found_again(self, backend, view, harm):
        await fill(backend.store, view, ids(1))
        getattr(backend, harm)()

        reading = await refused(backend.store.read(view, ids(1), NOW))
        writing = await refused(fill(backend.store, view, ids(1)))
        backend.recover()
        await fill(backend.store, view, ids(1), value=3.0)

        assert (reading.kind.code, writing.kind.code) == ("STORE-001", "STORE-001")
        assert (await backend.store.read(view, ids(1), NOW)).values[0, 0] == 3.0

    @EVERY_VIEW
    async def test_a_store_that_refuses_writes_says_so_and_goes_on_to_be_read(self, backend, view):
        await fill(backend.store, view, ids(1))
        backend.refuse_writes()

        writing = await refused(fill(backend.store, view, ids(1, 2), value=9.0))
        rows = await backend.store.read(view, ids(1, 2), NOW)
        backend.recover()
        await fill(backend.store, view, ids(2))

        assert writing.kind.code == "STORE-004"
        assert rows.status.tolist() == [Status.PRESENT, Status.MISSING]
        assert rows.values[0, 0] == 0.5
        assert (await backend.store.read(view, ids(2), NOW)).status.tolist() == [Status.PRESENT]

    async def test_a_full_store_lets_the_rows_go_that_nobody_used_for_longest(self, backend):
        used, unused = np.arange(N_KEPT // 2), np.arange(N_KEPT // 2, N_KEPT)
        await fill(backend.store, USER_SEEN, np.arange(N_KEPT))
        await backend.a_while()
        await backend.store.read(USER_SEEN, used, backend.ts())
        backend.leave_room_for(0.7, "allkeys-lru")

        await fill(backend.store, ITEM_STATS, ids(1))
        kept = [await there(backend.store, of) for of in (used, unused)]

        assert kept[0].mean() > 0.95, "Redis looks at a few keys of all, and takes the oldest of these"
        assert kept[1].mean() < 0.6
        assert backend.evicted() == N_KEPT - sum(map(np.count_nonzero, kept))

    async def test_where_only_rows_with_an_end_may_go_the_others_stay_and_then_no_write_is_taken(self, backend):
        await fill(backend.store, USER_SEEN, np.arange(N_KEPT // 2))
        await fill(backend.store, USER_SEEN, np.arange(N_KEPT // 2, N_KEPT), lives_s=3_600.0)
        backend.leave_room_for(0.7, "volatile-lru")
        await fill(backend.store, ITEM_STATS, ids(1))
        at_first = await there(backend.store, np.arange(N_KEPT))
        backend.leave_room_for(0.0, "volatile-lru")

        writing = await refused(fill(backend.store, ITEM_STATS, ids(2)))
        at_last = await there(backend.store, np.arange(N_KEPT))

        assert at_first[: N_KEPT // 2].all()
        assert 0 < at_first[N_KEPT // 2 :].mean() < 0.6
        assert writing.kind.code == "STORE-004"
        assert np.flatnonzero(at_last).tolist() == list(range(N_KEPT // 2))

    @EVERY_VIEW
    async def test_who_reads_from_a_replica_that_is_held_sees_what_was_there_before(self, backend, view):
        await fill(backend.store, view, ids(1, 2))
        backend.with_replica()
        await backend.hold_replica(600.0)
        await fill(backend.store, view, ids(1, 3), value=5.0)
        await fill(backend.store, view, ids(1), value=9.0)

        behind = await backend.store.read(view, ids(1, 2, 3), NOW)
        backend.read_from("primary")
        now = await backend.store.read(view, ids(1, 2, 3), NOW)

        assert behind.status.tolist() == [Status.PRESENT, Status.PRESENT, Status.MISSING]
        assert behind.values[:2, 0].tolist() == [0.5, 1.5]
        assert now.values[:, 0].tolist() == [9.0, 1.5, 6.0]

    async def test_a_replica_catches_up_with_all_at_once_and_is_held_anew(self, backend):
        backend.with_replica()
        await backend.hold_replica(0.4)
        await fill(backend.store, USER_SESSION, ids(1))
        await fill(backend.store, ITEM_STATS, ids(7))
        await backend.hold_replica(600.0)  # it is held already, and not for longer by this
        before = [
            (await backend.store.read(*of, NOW)).status[0] for of in ((USER_SESSION, ids(1)), (ITEM_STATS, ids(7)))
        ]

        await backend.replica_follows()
        after = [
            (await backend.store.read(*of, NOW)).status[0] for of in ((USER_SESSION, ids(1)), (ITEM_STATS, ids(7)))
        ]
        await backend.hold_replica(600.0)
        await fill(backend.store, USER_SESSION, ids(1), value=7.0)

        assert before == [Status.MISSING] * 2
        assert after == [Status.PRESENT] * 2
        assert (await backend.store.read(USER_SESSION, ids(1), NOW)).values[0, 0] == 0.5


@dataclass
class Watched(Store):
    """A client that notes what it sends."""

    address: str
    sent: list = field(default_factory=list)

    def __post_init__(self):
        super().__init__(self.address, timeout_s=0.25)

    async def commands(self, commands):
        commands = [tuple(words) for words in commands]
        self.sent.append(commands)
        return await super().commands(commands)


class OnRedis:
    """A real one, and what can happen to it."""

    def __init__(self, run, process, spread):
        self.run, self.process = run, process
        self.client = Watched(run.redis)
        self.store: FeatureStore = RedisFeatures(self.client, spread=spread)
        self._again = None

    def empty(self):
        with redis.Redis(**self.run.redis_kwargs()) as direct:
            direct.flushall()

    async def over(self, view, number):
        await until(lambda: self._ask("exists", key(view, number)) == 0)

    def left_s(self, view, number):
        left_ms = self._ask("pttl", key(view, number))
        return None if left_ms == -1 else left_ms / 1000

    def _ask(self, what, name):
        with redis.Redis(**self.run.redis_kwargs()) as direct:
            return getattr(direct, what)(name)

    def die(self):
        self.process.kill()
        self.process.wait()

    def hang(self):
        self.process.send_signal(signal.SIGSTOP)

    def ts(self):
        return NOW

    async def a_while(self):
        with redis.Redis(**self.run.redis_kwargs()) as direct:
            await until(lambda: direct.object("idletime", key(USER_SEEN, 0)) >= 2)

    def leave_room_for(self, share, policy):
        """Of what is held now, beyond what Redis itself takes."""
        with redis.Redis(**self.run.redis_kwargs()) as direct:
            memory = direct.info("memory")
            own = memory["used_memory_startup"]
            direct.config_set("maxmemory-policy", policy)
            direct.config_set("maxmemory", int(own + share * (memory["used_memory"] - own)))

    def evicted(self):
        with redis.Redis(**self.run.redis_kwargs()) as direct:
            return direct.info("stats")["evicted_keys"]

    def with_replica(self):
        self.store.has_replica = self.store.from_replica = True

    def read_from(self, place):
        self.store.from_replica = place == "replica"

    async def hold_replica(self, lag_s):
        await self.client.command(*hold(round(lag_s * 1000)))

    async def replica_follows(self):
        await until(lambda: self._ask("exists", HELD) == 0)

    def refuse_writes(self):
        with redis.Redis(**self.run.redis_kwargs()) as direct:
            direct.config_set("maxmemory", 1)

    def recover(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            with redis.Redis(**self.run.redis_kwargs()) as direct:
                direct.config_set("maxmemory", 0)
        else:
            self._again = redis_at(self.run)
            self._again.__enter__()

    async def close(self):
        await self.store.close()
        if self._again is not None:
            self._again.__exit__(None, None, None)


class TestRedis(Contract):
    spread = False

    @pytest.fixture
    async def backend(self, tmp_path):
        run = make_run(tmp_path)
        with redis_at(run) as process:
            backend = OnRedis(run, process, self.spread)
            yield backend
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
            await backend.close()

    async def test_a_read_costs_one_round_trip_and_a_write_one_for_each_part(self, backend):
        numbers = np.arange(ROWS_PER_WRITE + 1)
        await fill(backend.store, ITEM_STATS, numbers)
        assert len(backend.client.sent) == 2

        await backend.store.read(ITEM_STATS, numbers, NOW)

        assert len(backend.client.sent) == 3

    async def test_bytes_that_are_no_row_are_missing(self, backend):
        await backend.store.put({key(ITEM_STATS, 1).encode(): b"rubbish"})

        rows = await backend.store.read(ITEM_STATS, ids(1), NOW)

        assert rows.status.tolist() == [Status.MISSING]


class TestRedisSpreadOverNodes(TestRedis):
    """As in a cluster: no command names keys of two slots, and a read is one round trip all the same."""

    spread = True

    async def test_no_command_names_keys_of_two_slots(self, backend):
        await fill(backend.store, ITEM_STATS, np.arange(20))
        users = [key(view, user).encode() for user in (1, 2) for view in (USER_PROFILE, USER_SESSION, USER_SEEN)]
        await backend.store.put(dict.fromkeys(users, b"row"))
        found = await backend.store.fetch([*users, b"none", users[0]])

        assert found == [b"row"] * 6 + [None, b"row"]
        of_reads = backend.client.sent[-1]
        assert [len(words) - 1 for words in of_reads] == [3, 3, 1], "a user's rows by one command"
        for command, *words in (c for together_sent in backend.client.sent for c in together_sent):
            names = words[::2] if command == "MSET" else words
            assert len({key_slot(name) for name in names}) == 1


class Virtual:
    def __init__(self):
        self.now = 100.0
        self.store: FeatureStore = VirtualStore(
            replace(catalogue(), user_region=np.zeros(N_KEPT, np.int8)), lambda: self.now, self.ts
        )

    def empty(self):
        self.store.clear()

    async def over(self, view, number):
        self.now = math.nextafter(self.store._ends[view.name, number], math.inf)

    def left_s(self, view, number):
        ends = self.store._ends.get((view.name, number))
        return None if ends is None else ends - self.now

    def die(self):
        self.store.down_until = self.now + 1

    hang = die

    def ts(self):
        return NOW + self.now - 100.0

    async def a_while(self):
        self.now += 2.0

    def leave_room_for(self, share, policy):
        memory = self.store.memory
        own = memory.used_bytes({}, 0)
        limit = own + share * (self.store.used_bytes - own)
        self.store.configure(RedisConfig(policy=policy).model_copy(update={"maxmemory_mb": limit / 2**20}))

    def evicted(self):
        return self.store.memory.n_evicted

    def with_replica(self):
        self.store.configure(RedisConfig(replica=True), "replica")

    def read_from(self, place):
        self.store.configure(RedisConfig(replica=True), place)

    async def hold_replica(self, lag_s):
        self.store.hold_replica(lag_s)

    async def replica_follows(self):
        self.now = self.store.replica.until
        self.store.tend()

    def refuse_writes(self):
        self.leave_room_for(0.0, "noeviction")

    def recover(self):
        self.now = max(self.now, self.store.down_until)
        self.store.configure(RedisConfig())


class TestVirtual(Contract):
    @pytest.fixture
    def backend(self):
        return Virtual()


def test_what_the_script_of_the_events_service_touches_lies_in_one_slot():
    names = [core.STREAM, core.PROGRESS, f"{core.REMEMBERED}an-id", f"{core.REMEMBERED}another"]

    assert len({key_slot(name.encode()) for name in names}) == 1


def test_a_users_rows_lie_in_one_slot_and_the_items_are_spread():
    users = {key_slot(key(view, 3).encode()) for view in (USER_PROFILE, USER_SESSION, USER_SEEN)}
    items = {key_slot(key(ITEM_STATS, item).encode()) for item in range(N_ITEMS)}

    assert len(users) == 1
    assert len(items) > N_ITEMS // 2
    assert len({key_slot(key(USER_PROFILE, user).encode()) for user in range(N_USERS)}) > N_USERS // 2


@pytest.mark.parametrize(
    ("names", "groups"),
    [([b"a", b"b"], [[b"a"], [b"b"]]), ([b"x{1}", b"a", b"y{1}z"], [[b"x{1}", b"y{1}z"], [b"a"]]),
     ([b"{}a", b"{}b"], [[b"{}a"], [b"{}b"]]), ([b"{a", b"a"], [[b"{a"], [b"a"]]), ([b"a", b"a"], [[b"a"]]),
     ([b"{user}", b"user"], [[b"{user}", b"user"]])],
)  # fmt: skip
def test_keys_are_grouped_as_redis_hashes_them(names, groups):
    assert together(names) == groups
    for group in groups:
        assert len({key_slot(name) for name in group}) == 1


names = st.lists(st.text("ab{}", max_size=5).map(str.encode), max_size=12)


@given(names)
def test_whatever_the_keys_every_group_lies_in_one_slot_and_no_key_is_lost(keys):
    groups = together(keys)

    assert sorted(name for group in groups for name in group) == sorted(set(keys))
    for group in groups:
        assert len({key_slot(name) for name in group}) == 1
