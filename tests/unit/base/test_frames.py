"""Frames: whatever a process sends comes out as it went in, and nothing else is taken for a frame."""

import msgpack
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.base.errors import SandboxError
from sandbox.base.frames import GAUGES, Decoder, decode, encode
from sandbox.base.schema import TABLES

_value = st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False) | st.text()
_rows = st.lists(st.lists(_value, min_size=4, max_size=4), max_size=5)


@given(frames=st.lists(_rows, max_size=4), cuts=st.lists(st.integers(1, 40), min_size=1))
def test_a_stream_cut_anywhere_gives_back_the_frames_that_were_sent(frames, cuts):
    sent = b"".join(encode("gateway", "gateway-0", "metrics", rows) for rows in frames)

    decoder, got, start, turn = Decoder(), [], 0, 0
    while start < len(sent):
        size = cuts[turn % len(cuts)]
        got += list(decoder.feed(sent[start : start + size]))
        start, turn = start + size, turn + 1

    assert [frame.rows for frame in got] == frames
    assert decoder.pending_bytes == 0


@given(st.binary(max_size=200))
def test_hostile_bytes_are_refused_by_code_and_never_otherwise(body):
    frame, code = None, ""
    try:
        frame = decode(body)
    except SandboxError as error:
        code = error.kind.code

    assert code == "LAKE-006" if frame is None else frame.table in {*TABLES, GAUGES}


@pytest.mark.parametrize(
    "parts",
    [
        {"s": "gateway", "i": "gateway-0", "t": "nosuch", "r": []},
        {"s": "gateway", "i": "gateway-0", "t": "metrics", "r": [[1.0, "ctr"]]},
        {"s": "gateway", "i": "gateway-0", "t": "metrics", "r": "rows"},
        {"s": 1, "i": "gateway-0", "t": "metrics", "r": []},
        [1, 2],
    ],
)
def test_a_frame_of_the_wrong_shape_is_refused(parts):
    with pytest.raises(SandboxError, match="LAKE-006"):
        decode(msgpack.packb(parts))


def test_a_length_beyond_the_limit_is_refused_before_anything_is_kept():
    with pytest.raises(SandboxError, match="LAKE-006"):
        list(Decoder().feed(b"\xff\xff\xff\xff"))


def test_numpy_scalars_travel_as_plain_numbers():
    sent = encode("ranking", "ranking-0", "metrics", [[np.float64(1.5), "ctr", "all", np.float32(0.5)]])

    (frame,) = Decoder().feed(sent)

    assert frame.rows == [[1.5, "ctr", "all", 0.5]]
