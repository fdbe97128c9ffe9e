from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RecommendRequest(_message.Message):
    __slots__ = ("user_id", "k", "session_id", "depth", "surface", "client", "attempt", "explain")
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    K_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    DEPTH_FIELD_NUMBER: _ClassVar[int]
    SURFACE_FIELD_NUMBER: _ClassVar[int]
    CLIENT_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    EXPLAIN_FIELD_NUMBER: _ClassVar[int]
    user_id: int
    k: int
    session_id: str
    depth: int
    surface: str
    client: str
    attempt: int
    explain: bool
    def __init__(self, user_id: _Optional[int] = ..., k: _Optional[int] = ..., session_id: _Optional[str] = ..., depth: _Optional[int] = ..., surface: _Optional[str] = ..., client: _Optional[str] = ..., attempt: _Optional[int] = ..., explain: _Optional[bool] = ...) -> None: ...

class RuleNote(_message.Message):
    __slots__ = ("rule", "action", "factor")
    RULE_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    FACTOR_FIELD_NUMBER: _ClassVar[int]
    rule: str
    action: str
    factor: float
    def __init__(self, rule: _Optional[str] = ..., action: _Optional[str] = ..., factor: _Optional[float] = ...) -> None: ...

class SlateItem(_message.Message):
    __slots__ = ("item_id", "position", "score", "p_click", "model_rank", "sources", "propensity", "randomised", "rules")
    ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    P_CLICK_FIELD_NUMBER: _ClassVar[int]
    MODEL_RANK_FIELD_NUMBER: _ClassVar[int]
    SOURCES_FIELD_NUMBER: _ClassVar[int]
    PROPENSITY_FIELD_NUMBER: _ClassVar[int]
    RANDOMISED_FIELD_NUMBER: _ClassVar[int]
    RULES_FIELD_NUMBER: _ClassVar[int]
    item_id: int
    position: int
    score: float
    p_click: float
    model_rank: int
    sources: _containers.RepeatedScalarFieldContainer[str]
    propensity: float
    randomised: bool
    rules: _containers.RepeatedCompositeFieldContainer[RuleNote]
    def __init__(self, item_id: _Optional[int] = ..., position: _Optional[int] = ..., score: _Optional[float] = ..., p_click: _Optional[float] = ..., model_rank: _Optional[int] = ..., sources: _Optional[_Iterable[str]] = ..., propensity: _Optional[float] = ..., randomised: _Optional[bool] = ..., rules: _Optional[_Iterable[_Union[RuleNote, _Mapping]]] = ...) -> None: ...

class RecommendResponse(_message.Message):
    __slots__ = ("request_id", "user_id", "degraded", "fallbacks", "model_version", "encoder_version", "index_version", "rules_version", "items")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    DEGRADED_FIELD_NUMBER: _ClassVar[int]
    FALLBACKS_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    ENCODER_VERSION_FIELD_NUMBER: _ClassVar[int]
    INDEX_VERSION_FIELD_NUMBER: _ClassVar[int]
    RULES_VERSION_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    user_id: int
    degraded: bool
    fallbacks: _containers.RepeatedScalarFieldContainer[str]
    model_version: str
    encoder_version: str
    index_version: str
    rules_version: str
    items: _containers.RepeatedCompositeFieldContainer[SlateItem]
    def __init__(self, request_id: _Optional[str] = ..., user_id: _Optional[int] = ..., degraded: _Optional[bool] = ..., fallbacks: _Optional[_Iterable[str]] = ..., model_version: _Optional[str] = ..., encoder_version: _Optional[str] = ..., index_version: _Optional[str] = ..., rules_version: _Optional[str] = ..., items: _Optional[_Iterable[_Union[SlateItem, _Mapping]]] = ...) -> None: ...

class Feedback(_message.Message):
    __slots__ = ("event_id", "event_ts", "request_id", "session_id", "user_id", "item_id", "kind", "value")
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    EVENT_TS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    event_id: str
    event_ts: float
    request_id: str
    session_id: str
    user_id: int
    item_id: int
    kind: str
    value: float
    def __init__(self, event_id: _Optional[str] = ..., event_ts: _Optional[float] = ..., request_id: _Optional[str] = ..., session_id: _Optional[str] = ..., user_id: _Optional[int] = ..., item_id: _Optional[int] = ..., kind: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...

class LogFeedbackRequest(_message.Message):
    __slots__ = ("events",)
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[Feedback]
    def __init__(self, events: _Optional[_Iterable[_Union[Feedback, _Mapping]]] = ...) -> None: ...

class LogFeedbackResponse(_message.Message):
    __slots__ = ("accepted", "duplicate")
    ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    DUPLICATE_FIELD_NUMBER: _ClassVar[int]
    accepted: int
    duplicate: int
    def __init__(self, accepted: _Optional[int] = ..., duplicate: _Optional[int] = ...) -> None: ...
