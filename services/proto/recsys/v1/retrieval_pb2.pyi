from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RetrieveRequest(_message.Message):
    __slots__ = ("user_id", "profile", "recent", "region", "personalised", "n_wanted")
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    PROFILE_FIELD_NUMBER: _ClassVar[int]
    RECENT_FIELD_NUMBER: _ClassVar[int]
    REGION_FIELD_NUMBER: _ClassVar[int]
    PERSONALISED_FIELD_NUMBER: _ClassVar[int]
    N_WANTED_FIELD_NUMBER: _ClassVar[int]
    user_id: int
    profile: bytes
    recent: bytes
    region: int
    personalised: bool
    n_wanted: int
    def __init__(self, user_id: _Optional[int] = ..., profile: _Optional[bytes] = ..., recent: _Optional[bytes] = ..., region: _Optional[int] = ..., personalised: _Optional[bool] = ..., n_wanted: _Optional[int] = ...) -> None: ...

class SourceCount(_message.Message):
    __slots__ = ("source", "n", "failed")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    N_FIELD_NUMBER: _ClassVar[int]
    FAILED_FIELD_NUMBER: _ClassVar[int]
    source: str
    n: int
    failed: bool
    def __init__(self, source: _Optional[str] = ..., n: _Optional[int] = ..., failed: _Optional[bool] = ...) -> None: ...

class RetrieveResponse(_message.Message):
    __slots__ = ("item_ids", "scores", "sources", "counts", "encoder_version", "index_version")
    ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    SCORES_FIELD_NUMBER: _ClassVar[int]
    SOURCES_FIELD_NUMBER: _ClassVar[int]
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    ENCODER_VERSION_FIELD_NUMBER: _ClassVar[int]
    INDEX_VERSION_FIELD_NUMBER: _ClassVar[int]
    item_ids: bytes
    scores: bytes
    sources: bytes
    counts: _containers.RepeatedCompositeFieldContainer[SourceCount]
    encoder_version: str
    index_version: str
    def __init__(self, item_ids: _Optional[bytes] = ..., scores: _Optional[bytes] = ..., sources: _Optional[bytes] = ..., counts: _Optional[_Iterable[_Union[SourceCount, _Mapping]]] = ..., encoder_version: _Optional[str] = ..., index_version: _Optional[str] = ...) -> None: ...
