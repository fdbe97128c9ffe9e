"""Documents are read as people mean them, or refused with the line."""

from __future__ import annotations

import pytest

from sandbox.base import strict_yaml
from sandbox.base.errors import SandboxError


def parse(text: str | bytes) -> strict_yaml.Document:
    raw = text.encode() if isinstance(text, str) else text
    return strict_yaml.parse(raw, "drill.yaml", "DRILL-002")


def test_yaml_is_of_version_1_2_and_not_of_1_1():
    text = "region: NO\non: 1\nat: 2:30\npadded: 010\nshare: 1e3\nyes: yes\nday: 2026-03-01\nnone: ~\nok: true\nhex: 0x1F\n"

    value = parse(text).value

    assert value == {
        "region": "NO", "on": 1, "at": "2:30", "padded": 10, "share": 1000.0, "yes": "yes",
        "day": "2026-03-01", "none": None, "ok": True, "hex": 31,
    }  # fmt: skip


def test_every_value_knows_its_line():
    document = parse("a: 1\nlist:\n  - x: 2\n  - x: 3\n    y:\n      z: 4\n")

    assert document.line_of(("list", 1, "y", "z")) == 6
    assert document.line_of(("list", 1, "y", "no such key")) == 5, "the nearest around it"
    assert strict_yaml.dotted(("list", 1, "y", "z")) == "list[1].y.z"


@pytest.mark.parametrize(
    ("text", "line", "seen"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, "a a second time"),
        ("a:\n  b: 1\n  b: 2\n", 3, "a.b a second time"),
        ("a: &x 1\nb: *x\n", 1, "&x"),
        ("a: 1\nb: !!python/object/apply:os.system [x]\n", 2, "tag"),
        ("a: !custom 1\n", 1, "tag"),
        ("a: 1\n---\nb: 2\n", 2, "second document"),
        ("a: 1\n  b: 2\n", 2, "mapping values are not allowed"),
        ("a: [1, 2\nb: 3\n", 2, ""),
        ("? [a, b]\n: 1\n", 1, "no scalar"),
        ("", 1, "empty"),
        ("a: " + "[" * 40 + "]" * 40, 1, "deeply nested"),
        ("a:\n" + "- 1\n" * 30_000, None, "too many values"),
        (b"a: \xff\xfe", 1, "no UTF-8"),
        ("a: 1\n" * 100_000, 1, "more than"),
    ],
)
def test_what_could_be_meant_otherwise_or_do_harm_is_refused_with_its_line(text, line, seen):
    with pytest.raises(SandboxError) as caught:
        parse(text)

    assert caught.value.kind.code == "DRILL-002"
    assert seen in str(caught.value.seen)
    if line is not None:
        assert caught.value.where.startswith(f"drill.yaml:{line}")


def test_a_billion_laughs_cost_nothing():
    lines = ["a0: &a0 [x, x]"] + [f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]" for i in range(1, 30)]

    with pytest.raises(SandboxError, match="no anchors"):
        parse("\n".join(lines))
