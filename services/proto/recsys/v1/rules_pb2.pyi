from services.proto.recsys.v1 import gateway_pb2 as _gateway_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ApplyRequest(_message.Message):
    __slots__ = ("user_id", "item_ids", "scores", "seen", "slate_size", "region", "session", "depth")
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    SCORES_FIELD_NUMBER: _ClassVar[int]
    SEEN_FIELD_NUMBER: _ClassVar[int]
    SLATE_SIZE_FIELD_NUMBER: _ClassVar[int]
    REGION_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    DEPTH_FIELD_NUMBER: _ClassVar[int]
    user_id: int
    item_ids: bytes
    scores: bytes
    seen: bytes
    slate_size: int
    region: int
    session: int
    depth: int
    def __init__(self, user_id: _Optional[int] = ..., item_ids: _Optional[bytes] = ..., scores: _Optional[bytes] = ..., seen: _Optional[bytes] = ..., slate_size: _Optional[int] = ..., region: _Optional[int] = ..., session: _Optional[int] = ..., depth: _Optional[int] = ...) -> None: ...

class Placed(_message.Message):
    __slots__ = ("row", "propensity", "randomised", "rules")
    ROW_FIELD_NUMBER: _ClassVar[int]
    PROPENSITY_FIELD_NUMBER: _ClassVar[int]
    RANDOMISED_FIELD_NUMBER: _ClassVar[int]
    RULES_FIELD_NUMBER: _ClassVar[int]
    row: int
    propensity: float
    randomised: bool
    rules: _containers.RepeatedCompositeFieldContainer[_gateway_pb2.RuleNote]
    def __init__(self, row: _Optional[int] = ..., propensity: _Optional[float] = ..., randomised: _Optional[bool] = ..., rules: _Optional[_Iterable[_Union[_gateway_pb2.RuleNote, _Mapping]]] = ...) -> None: ...

class ApplyResponse(_message.Message):
    __slots__ = ("slate", "rules_version", "dropped_row", "dropped_rule")
    SLATE_FIELD_NUMBER: _ClassVar[int]
    RULES_VERSION_FIELD_NUMBER: _ClassVar[int]
    DROPPED_ROW_FIELD_NUMBER: _ClassVar[int]
    DROPPED_RULE_FIELD_NUMBER: _ClassVar[int]
    slate: _containers.RepeatedCompositeFieldContainer[Placed]
    rules_version: str
    dropped_row: _containers.RepeatedScalarFieldContainer[int]
    dropped_rule: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, slate: _Optional[_Iterable[_Union[Placed, _Mapping]]] = ..., rules_version: _Optional[str] = ..., dropped_row: _Optional[_Iterable[int]] = ..., dropped_rule: _Optional[_Iterable[str]] = ...) -> None: ...
