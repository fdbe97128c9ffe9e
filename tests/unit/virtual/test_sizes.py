"""What calls of the virtual backend would weigh on the wire: as much as the live services' messages."""

from __future__ import annotations

from sandbox.base.features import ITEM_STATS, USER_PROFILE, USER_SEEN, USER_SESSION, unpack_many
from sandbox.virtual.processes import sizes
from services.features.server import packed as _pack
from services.proto.recsys.v1 import features_pb2, gateway_pb2

VIEWS = (USER_PROFILE, USER_SESSION, USER_SEEN)


def test_rows_weigh_what_the_features_service_packs():
    """Packed by the service's own hands."""
    items = _pack(ITEM_STATS, unpack_many(ITEM_STATS, [None] * 150, 0.0))
    asked = features_pb2.GetItemsRequest(view=ITEM_STATS.name, item_ids=bytes(8 * 150))
    of_user = [_pack(view, unpack_many(view, [None], 0.0)) for view in VIEWS]
    user = features_pb2.GetUserRequest(user_id=1_000, views=[view.name for view in VIEWS])

    answer = features_pb2.GetItemsResponse(rows=items)
    assert sizes.get_items(150) == asked.ByteSize() + answer.ByteSize()
    answer = features_pb2.GetUserResponse(rows=of_user)
    assert sizes.get_user(VIEWS) == user.ByteSize() + answer.ByteSize()


def test_a_candidate_more_costs_its_cells_in_every_array():
    """8 bytes an id, 4 a float: the arrays that the protobuf files describe."""

    def step(of, *rest):
        return of(201, *rest) - of(200, *rest)

    assert step(sizes.retrieve, 5) == 8 + 4 + 1
    assert step(sizes.rank) == 8 + 4 + 3 * 4
    assert step(sizes.apply, 0, 10) == 8 + 4
    assert step(sizes.score, 38) == 8 + 38 * 4 + 3 * 4
    assert step(sizes.get_items) == 8 + len(ITEM_STATS.columns) * 4 + 8 + 1 + 8


def test_what_a_user_is_known_by_costs_too():
    assert sizes.retrieve(200, 15) - sizes.retrieve(200, 5) == 80
    assert sizes.apply(200, 120, 10) - sizes.apply(200, 20, 10) == 800
    # A field that is empty is not sent, and a length of 128 bytes or more takes a second byte.
    assert sizes.encode_user(20) - sizes.encode_user(0) == 160 + 3


def test_an_answer_without_items_is_no_more_than_who_answered():
    empty = gateway_pb2.RecommendResponse(request_id="0" * 32, user_id=1_000)

    assert empty.ByteSize() < sizes.slate(0) < 80
    assert sizes.slate(10) > sizes.slate(9) > sizes.slate(0)
    assert sizes.recommend(10) > sizes.slate(10)
