"""Whatever comes as an order or as an answer: it is understood, or refused by code, and nothing else happens."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.base.errors import SandboxError
from sandbox.runtime.arming import control
from sandbox.runtime.arming.endpoint import Endpoint

AT = Endpoint("127.0.0.1:7307", "secret")
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
lines = st.binary(max_size=60) | values.map(lambda value: json.dumps(value).encode())


@given(lines)
def test_a_line_is_an_order_with_op_or_refused_as_malformed(line: bytes) -> None:
    told = json.loads(control.answered(line, lambda order: {"op": order["op"]}))

    if told["ok"]:
        assert told["op"] == json.loads(line)["op"]
    else:
        assert told["error"]["code"] == "CFG-003"


@given(lines)
def test_a_line_that_is_no_answer_says_that_a_stranger_listens_there(line: bytes) -> None:
    with pytest.raises(SandboxError, match="WIRE-007" if line else "RUN-001"):
        control.unwrap(line, AT)


@given(st.dictionaries(st.text(max_size=5), values, max_size=3))
def test_what_a_process_tells_arrives_as_it_is(fields: dict[str, object]) -> None:
    fields.pop("ok", None)

    assert control.unwrap(json.dumps({"ok": True, **fields}).encode(), AT) == fields


@given(values)
def test_no_value_but_the_token_itself_opens_the_door(shown: object) -> None:
    if shown == AT.token:
        AT.require(shown)
        return
    with pytest.raises(SandboxError, match="RUN-010"):
        AT.require(shown)
