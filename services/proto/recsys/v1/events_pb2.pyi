from services.proto.recsys.v1 import gateway_pb2 as _gateway_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class AppendImpressionsRequest(_message.Message):
    __slots__ = ("event_ts", "request_id", "session_id", "user_id", "item_ids")
    EVENT_TS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    event_ts: float
    request_id: str
    session_id: str
    user_id: int
    item_ids: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, event_ts: _Optional[float] = ..., request_id: _Optional[str] = ..., session_id: _Optional[str] = ..., user_id: _Optional[int] = ..., item_ids: _Optional[_Iterable[int]] = ...) -> None: ...

class AppendImpressionsResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
