"""Where one gets from an object by its attributes alone: for tests of what must not be reached."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import BuiltinFunctionType, CodeType, FrameType, FunctionType, MethodType, ModuleType, TracebackType
from typing import Any

_ENDS = (str, bytes, int, float, bool, type(None), type, ModuleType, CodeType)
_STEPS = ("__dict__", "__self__", "__func__", "__wrapped__", "__defaults__", "__kwdefaults__", "__traceback__",
          "__cause__", "__context__", "cell_contents", "fget", "func", "args", "keywords",
          "gi_frame", "tb_next", "tb_frame", "f_locals")  # fmt: skip
_WALKED = ("builtins", "sandbox", "faults", "tests", "functools", "types", "collections", "weakref", "contextlib")


def reached(*roots: object) -> Iterator[object]:
    """Every object on a way from the roots: attributes of whatever name, contents, closures, the values
    among a method's globals, locals of an error's frames. It ends at modules, classes and imported functions,
    from which an import would go on, and calls nothing but properties."""
    seen: dict[int, object] = {}
    ahead = list(roots)
    while ahead:
        here = ahead.pop()
        if id(here) in seen:
            continue
        seen[id(here)] = here  # held, or its number might come again
        yield here
        if not isinstance(here, _ENDS) and _ours(here):
            ahead += _next(here)


def _ours(here: object) -> bool:
    """Not an array, a lock, a file: what other libraries make holds nothing of ours."""
    return type(here).__module__.partition(".")[0] in _WALKED


def _next(here: Any) -> Iterator[object]:
    if isinstance(here, Mapping):
        yield from here.keys()
        yield from here.values()
    elif isinstance(here, list | tuple | set | frozenset):
        yield from here
    if isinstance(here, FunctionType):
        yield from here.__closure__ or ()
        yield from (v for v in here.__globals__.values() if not isinstance(v, FunctionType))
    names = set(_STEPS)
    if not isinstance(here, BuiltinFunctionType | FunctionType | MethodType | FrameType | TracebackType):
        names |= {name for name in dir(here) if not name.startswith("__")}
    for name in names:
        if name.startswith("model_"):
            continue  # of pydantic: what there is to say of the class
        try:
            yield getattr(here, name)
        except Exception:  # a property that does not apply now
            continue
