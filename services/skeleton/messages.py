"""Which messages a method takes and answers, from the descriptors of services/proto."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from google.protobuf import descriptor_pool
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from sandbox.base.errors import SandboxError
from services.proto.recsys.v1 import (  # noqa: F401 they enter the pool when they are imported
    events_pb2,
    features_pb2,
    gateway_pb2,
    model_pb2,
    ranking_pb2,
    retrieval_pb2,
    rules_pb2,
)


@lru_cache(maxsize=64)
def kinds(callee: str, op: str) -> tuple[type[Message], type[Message]]:
    """The classes of request and answer. Raises KeyError for a method that there is not."""
    service = descriptor_pool.Default().FindServiceByName(f"recsys.v1.{callee.capitalize()}")
    method = service.methods_by_name[op]
    return GetMessageClass(method.input_type), GetMessageClass(method.output_type)


def checked(message: Any, kind: type[Message], where: str) -> Any:
    """The message. Raises WIRE-006 for anything that is none of that kind."""
    if isinstance(message, kind):
        return message
    raise SandboxError(
        "WIRE-006",
        where=where,
        seen=repr(message)[:100],
        expected=f"a {kind.__name__}",
        fix="hand on a message of the method's own kind",
    )
