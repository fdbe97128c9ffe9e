"""What calls weigh on a live stack is what the virtual backend says they would."""

from __future__ import annotations

import grpc
import pytest

from sandbox.base.features import N_RECENT, N_SEEN
from sandbox.virtual.processes import sizes
from sandbox.virtual.processes.handlers import USER_VIEWS
from services.proto.recsys.v1 import gateway_pb2, gateway_pb2_grpc
from services.ranking.core import INPUTS
from tests.services.asking import query
from tests.services.waiting import wait_for

pytestmark = pytest.mark.stack
K, N_ASKED = 10, 8
OPS = ("GetUser", "GetItems", "Retrieve", "Rank", "Apply", "EncodeUser", "Score", "AppendImpressions")
WEIGHED = f"""
SELECT s.op, s.bytes, coalesce(s.n_keys, r.n_candidates) AS n, r.payload_bytes
FROM spans s JOIN requests r ON s.trace_id = r.request_id
WHERE s.kind = 'client' AND s.status = 'OK' AND NOT r.degraded AND r.client = 'sizes'
  AND s.op IN {OPS} ORDER BY s.ts
"""


def bounds(op: str, n: int) -> tuple[int, int]:
    """Bytes of a call for a user of whom nothing is known, and for one who did all that is kept."""
    of = {
        "GetUser": lambda: (sizes.get_user(USER_VIEWS),) * 2,
        "GetItems": lambda: (sizes.get_items(n),) * 2,
        "Retrieve": lambda: (sizes.retrieve(n, 0), sizes.retrieve(n, N_RECENT)),
        "Rank": lambda: (sizes.rank(n),) * 2,
        "Apply": lambda: (sizes.apply(n, 0, K), sizes.apply(n, N_SEEN, K)),
        "EncodeUser": lambda: (sizes.encode_user(0), sizes.encode_user(N_RECENT)),
        "Score": lambda: (sizes.score(n, len(INPUTS)),) * 2,
        "AppendImpressions": lambda: (sizes.append_impressions(K),) * 2,
    }
    low, high = of[op]()
    return low, high


def test_every_call_weighs_what_its_message_is_said_to(stack):
    with grpc.insecure_channel(stack.run.addresses["gateway"]) as channel:
        gateway = gateway_pb2_grpc.RecommenderStub(channel)
        for user in range(N_ASKED):
            asked = gateway_pb2.RecommendRequest(user_id=user, k=K, session_id=str(10**11 + user), client="sizes")
            gateway.Recommend(asked, timeout=5)

    def weighed():
        rows = query(stack.run.lake, WEIGHED).rows
        return rows if {row[0] for row in rows} == {*OPS} else None

    for op, weight, n, payload in wait_for(weighed, 20, "a span of every call"):
        low, high = bounds(op, n)
        # Ids are shorter or longer than usual ones, and some places carry a note of a rule.
        assert 0.95 * low - 20 <= weight <= 1.05 * high + 20 + 40 * K * (op == "Apply"), (op, n)
        assert 0.75 * sizes.slate(K) <= payload <= 1.6 * sizes.slate(K)
