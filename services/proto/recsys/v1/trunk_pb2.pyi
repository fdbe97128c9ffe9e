from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CallsOut(_message.Message):
    __slots__ = ("calls",)
    CALLS_FIELD_NUMBER: _ClassVar[int]
    calls: _containers.RepeatedCompositeFieldContainer[CallOut]
    def __init__(self, calls: _Optional[_Iterable[_Union[CallOut, _Mapping]]] = ...) -> None: ...

class CallOut(_message.Message):
    __slots__ = ("id", "method", "timeout_s", "metadata", "request")
    ID_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_S_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    id: int
    method: str
    timeout_s: float
    metadata: _containers.RepeatedScalarFieldContainer[str]
    request: bytes
    def __init__(self, id: _Optional[int] = ..., method: _Optional[str] = ..., timeout_s: _Optional[float] = ..., metadata: _Optional[_Iterable[str]] = ..., request: _Optional[bytes] = ...) -> None: ...

class Answers(_message.Message):
    __slots__ = ("answers", "leaving")
    ANSWERS_FIELD_NUMBER: _ClassVar[int]
    LEAVING_FIELD_NUMBER: _ClassVar[int]
    answers: _containers.RepeatedCompositeFieldContainer[Answer]
    leaving: bool
    def __init__(self, answers: _Optional[_Iterable[_Union[Answer, _Mapping]]] = ..., leaving: _Optional[bool] = ...) -> None: ...

class Answer(_message.Message):
    __slots__ = ("id", "answer", "code", "details", "status")
    ID_FIELD_NUMBER: _ClassVar[int]
    ANSWER_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    DETAILS_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    id: int
    answer: bytes
    code: int
    details: str
    status: bytes
    def __init__(self, id: _Optional[int] = ..., answer: _Optional[bytes] = ..., code: _Optional[int] = ..., details: _Optional[str] = ..., status: _Optional[bytes] = ...) -> None: ...
