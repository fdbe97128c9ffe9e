from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class RankRequest(_message.Message):
    __slots__ = ("user_id", "profile", "session", "item_ids")
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    PROFILE_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    user_id: int
    profile: bytes
    session: bytes
    item_ids: bytes
    def __init__(self, user_id: _Optional[int] = ..., profile: _Optional[bytes] = ..., session: _Optional[bytes] = ..., item_ids: _Optional[bytes] = ...) -> None: ...

class RankResponse(_message.Message):
    __slots__ = ("scores", "probabilities", "model_version", "contract_version", "missing_share", "fallbacks")
    SCORES_FIELD_NUMBER: _ClassVar[int]
    PROBABILITIES_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    CONTRACT_VERSION_FIELD_NUMBER: _ClassVar[int]
    MISSING_SHARE_FIELD_NUMBER: _ClassVar[int]
    FALLBACKS_FIELD_NUMBER: _ClassVar[int]
    scores: bytes
    probabilities: bytes
    model_version: str
    contract_version: str
    missing_share: float
    fallbacks: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, scores: _Optional[bytes] = ..., probabilities: _Optional[bytes] = ..., model_version: _Optional[str] = ..., contract_version: _Optional[str] = ..., missing_share: _Optional[float] = ..., fallbacks: _Optional[_Iterable[str]] = ...) -> None: ...
