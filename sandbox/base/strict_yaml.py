"""YAML as people mean it: version 1.2, plain values only, every value with the line it stands on.

Refused, with the line: keys given twice, aliases and anchors, tags, more than one document, more
than 256 kB, 12 levels or 20,000 values. Whatever looks like a date stays text.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent, DocumentStartEvent, NodeEvent
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from sandbox.base.errors import SandboxError

MAX_BYTES = 256 * 1024
MAX_DEPTH = 12
MAX_NODES = 20_000
_PAGES = {"PRIV-001": "docs/privacy.md"}  # by code of an error: where the form of such a file is shown

Place = tuple[str | int, ...]  # path of keys and indexes from the document's root


@dataclass(frozen=True)
class Document:
    """value: dicts, lists, strings, numbers, booleans, None. lines: line, from 1, of each place."""

    value: Any
    lines: dict[Place, int]
    name: str
    code: str  # of the errors that this document raises

    def line_of(self, place: Place) -> int:
        """The line of a place, or of the nearest one around it that stands in the document."""
        while place not in self.lines and place:
            place = place[:-1]
        return self.lines.get(place, 1)

    def refusal(self, place: Place, *, seen: object, expected: str, fix: str) -> SandboxError:
        """An error about that place, with file, line and path."""
        path = dotted(place)
        where = f"{self.name}:{self.line_of(place)}" + (f", {path}" if path else "")
        return SandboxError(self.code, where=where, seen=seen, expected=expected, fix=fix)


def dotted(place: Place) -> str:
    """timeline[1].params.delay_ms"""
    text = ""
    for part in place:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def read(path: Path, code: str) -> Document:
    """The document in a file. Raises `code` for what is refused, CFG-002 when there is no such file."""
    return parse(contents(path), path.name, code)


def contents(path: Path) -> bytes:
    """The bytes of a file, of a large one as many as show that it is too large. Raises CFG-002 when there
    is no such file."""
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise SandboxError(
            "CFG-002",
            where="document",
            seen=str(path),
            expected="a file that can be read",
            fix=f"check the path ({error.strerror})",
        ) from error


def parse(raw: bytes, name: str, code: str) -> Document:
    """raw: UTF-8. name: how errors call the document. Raises `code` with line and path."""
    if len(raw) > MAX_BYTES:
        raise _refused(name, code, 1, f"more than {MAX_BYTES} bytes", "a document of at most 256 kB")
    try:
        text = raw.decode("utf-8-sig")
        yaml = YAML(typ="safe", pure=True)
        _guard(yaml.parser, name, code)
        node = yaml.compose(text)
    except UnicodeDecodeError as error:
        raise _refused(name, code, 1, f"byte {error.start} is no UTF-8", "a UTF-8 document") from error
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark is not None else 1
        seen = str(getattr(error, "problem", None) or error).splitlines()[0]
        raise _refused(name, code, line, seen, "YAML 1.2") from error
    except RecursionError as error:
        raise _refused(name, code, 1, "too deeply nested", f"{MAX_DEPTH} levels at most") from error
    document = Document(None, {}, name, code)
    if node is None:
        raise _refused(name, code, 1, "an empty document", "a mapping")
    return Document(_plain(node, (), document), document.lines, name, code)


def _guard(parser: Any, name: str, code: str) -> None:
    """Has it refuse what is hostile as it comes along, before anything is composed of it. parser: of ruamel.yaml."""
    depth = nodes = documents = 0
    next_event = parser.get_event

    def get_event() -> Any:
        nonlocal depth, nodes, documents
        event = next_event()
        line = event.start_mark.line + 1 if event.start_mark is not None else 1
        if isinstance(event, DocumentStartEvent):
            documents += 1
        if documents > 1:
            raise _refused(name, code, line, "a second document", "one document")
        if isinstance(event, AliasEvent):
            raise _refused(name, code, line, f"*{event.anchor}", "no aliases: write the value out")
        if isinstance(event, CollectionEndEvent):
            depth -= 1
        if not isinstance(event, NodeEvent):
            return event
        nodes += 1
        if event.anchor is not None:
            raise _refused(name, code, line, f"&{event.anchor}", "no anchors: write the value out")
        tag = getattr(event, "ctag", None)
        if tag is not None and str(tag) not in ("None", "!"):
            raise _refused(name, code, line, f"tag {tag}", "plain values without tags")
        if isinstance(event, CollectionStartEvent):
            depth += 1
        if depth > MAX_DEPTH:
            raise _refused(name, code, line, "too deeply nested", f"{MAX_DEPTH} levels at most")
        if nodes > MAX_NODES:
            raise _refused(name, code, line, "too many values", f"{MAX_NODES} values at most")
        return event

    parser.get_event = get_event


def _plain(node: Node, place: Place, document: Document) -> Any:
    document.lines.setdefault(place, node.start_mark.line + 1)
    if isinstance(node, MappingNode):
        mapping: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, ScalarNode):
                raise _refused(document.name, document.code, line, "a key that is no scalar", "a name")
            key = str(key_node.value)
            inner = (*place, key)
            if key in mapping:
                raise _refused(
                    document.name,
                    document.code,
                    line,
                    f"{dotted(inner)} a second time",
                    f"each key once (it stands on line {document.lines[inner]} too)",
                )
            document.lines[inner] = line
            mapping[key] = _plain(value_node, inner, document)
        return mapping
    if isinstance(node, SequenceNode):
        return [_plain(part, (*place, i), document) for i, part in enumerate(node.value)]
    assert isinstance(node, ScalarNode)
    return _scalar(node)


def _scalar(node: ScalarNode) -> Any:
    kind, text = str(node.tag).rsplit(":", 1)[-1], node.value
    if kind == "null":
        return None
    if kind == "bool":
        return text.lower() == "true"
    try:
        if kind == "int":
            digits = text.replace("_", "")
            plain = digits.lstrip("+-")
            # In YAML 1.2 a leading zero is no octal; Python's int(…, 0) would refuse it.
            return int(digits, 0) if plain[:2].lower() in ("0x", "0o", "0b") else int(digits)
        if kind == "float":
            words = {".inf": "inf", "+.inf": "inf", "-.inf": "-inf", ".nan": "nan"}
            return float(words.get(text.lower(), text.replace("_", "")))
    except ValueError:
        return text
    return text


def _refused(name: str, code: str, line: int, seen: str, expected: str) -> SandboxError:
    return SandboxError(
        code,
        where=f"{name}:{line}",
        seen=seen,
        expected=expected,
        fix=f"change that line; {_PAGES.get(code, 'docs/scenarios.md')} shows the form",
    )
