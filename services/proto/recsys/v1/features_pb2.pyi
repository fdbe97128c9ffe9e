from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PackedRows(_message.Message):
    __slots__ = ("view", "version", "n_columns", "values", "event_ts", "status", "writer_run")
    VIEW_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    N_COLUMNS_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    EVENT_TS_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    WRITER_RUN_FIELD_NUMBER: _ClassVar[int]
    view: str
    version: int
    n_columns: int
    values: bytes
    event_ts: bytes
    status: bytes
    writer_run: bytes
    def __init__(self, view: _Optional[str] = ..., version: _Optional[int] = ..., n_columns: _Optional[int] = ..., values: _Optional[bytes] = ..., event_ts: _Optional[bytes] = ..., status: _Optional[bytes] = ..., writer_run: _Optional[bytes] = ...) -> None: ...

class GetUserRequest(_message.Message):
    __slots__ = ("user_id", "views")
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    VIEWS_FIELD_NUMBER: _ClassVar[int]
    user_id: int
    views: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, user_id: _Optional[int] = ..., views: _Optional[_Iterable[str]] = ...) -> None: ...

class GetUserResponse(_message.Message):
    __slots__ = ("rows",)
    ROWS_FIELD_NUMBER: _ClassVar[int]
    rows: _containers.RepeatedCompositeFieldContainer[PackedRows]
    def __init__(self, rows: _Optional[_Iterable[_Union[PackedRows, _Mapping]]] = ...) -> None: ...

class GetItemsRequest(_message.Message):
    __slots__ = ("view", "item_ids")
    VIEW_FIELD_NUMBER: _ClassVar[int]
    ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    view: str
    item_ids: bytes
    def __init__(self, view: _Optional[str] = ..., item_ids: _Optional[bytes] = ...) -> None: ...

class GetItemsResponse(_message.Message):
    __slots__ = ("rows",)
    ROWS_FIELD_NUMBER: _ClassVar[int]
    rows: PackedRows
    def __init__(self, rows: _Optional[_Union[PackedRows, _Mapping]] = ...) -> None: ...

class GetConsentRequest(_message.Message):
    __slots__ = ("user_id", "purpose")
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    user_id: int
    purpose: str
    def __init__(self, user_id: _Optional[int] = ..., purpose: _Optional[str] = ...) -> None: ...

class GetConsentResponse(_message.Message):
    __slots__ = ("granted", "since_ts", "signal")
    GRANTED_FIELD_NUMBER: _ClassVar[int]
    SINCE_TS_FIELD_NUMBER: _ClassVar[int]
    SIGNAL_FIELD_NUMBER: _ClassVar[int]
    granted: bool
    since_ts: float
    signal: str
    def __init__(self, granted: _Optional[bool] = ..., since_ts: _Optional[float] = ..., signal: _Optional[str] = ...) -> None: ...
