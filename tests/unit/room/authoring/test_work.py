"""What scenarios hold, as documents: the library, what the checker says of a text, words to write with, both days of a dry run."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from faults.catalogue import CATALOGUE
from sandbox.drill.scenario import library
from sandbox.room.authoring import files, shelf
from sandbox.room.authoring.documents import AuthorsWords, CheckedText, Library, Whole
from sandbox.room.authoring.dry_run import _Days, curves
from sandbox.room.authoring.work import Work, answered

SOURCE = library.path_of("slow-home").read_text()


@pytest.fixture
def work(place: Path) -> Work:
    return Work(place)


def asked(work: Work, do: str, **fields: Any) -> Any:
    """Its answer, as JSON carries it; else the parts of the refusal."""
    told: list[dict[str, Any]] = []
    answered(work, {"do": do, **fields}, told.append)
    last = json.loads(json.dumps(told[-1]))
    return last.get("answer", last.get("problem"))


def test_the_library_has_both_packs_and_says_what_is_refused(work: Work, place: Path):
    own = files.folder()
    own.mkdir(parents=True)
    (own / "mine.yaml").write_text(SOURCE.replace("id: slow-home", "id: mine"))
    (own / "broken.yaml").write_text("id: broken\ntitle: [\n")

    found = Library(**asked(work, "library"))
    cards = {card.id: card for card in found.scenarios}

    assert (cards["mine"].pack, cards["slow-home"].pack) == ("own", "core")
    assert cards["mine"].faults == ["rpc-edge-latency"]
    assert cards["mine"].proof is None
    assert [(file.id, file.pack) for file in found.refused] == [("broken", "own")]
    (own / "mine.yaml").unlink()
    assert "mine" not in {card.id for card in Library(**asked(work, "library")).scenarios}, (
        "files are looked at each time"
    )


def test_a_proof_that_is_kept_is_shown_and_rather_the_full_one(work: Work, place: Path):
    scenario = library.named("slow-home")
    proofs = {"ok": True, "why": "well", "scenario": "slow-home"}
    for quick in (True, False):
        key = shelf.proof_key(scenario, library.load_all().values(), quick)
        shelf.kept.write(key, {**proofs, "quick": quick})
        whole = Whole(**asked(work, "whole", name="slow-home"))
        assert whole.card.proof is not None
        assert whole.card.proof.quick == whole.proof["quick"] == quick
    assert asked(work, "whole", name="slow-hom")["code"] == "DRILL-001"


def test_the_picture_has_what_happens_in_the_order_of_time():
    picture = shelf.picture(library.named("slow-home"))

    assert [line.kind for line in picture.lines] == ["change", "release", "fault", "release", "page", "evidence"]
    [guilty] = [line for line in picture.lines if line.guilty]
    assert (guilty.at_s, len(guilty.curve), guilty.curve[0], guilty.curve[-1]) == (2100, 80, 0.0, 1.0)
    assert picture.told == ["gateway->features: slow-edge, from world minute 35, everyone"]


def test_a_text_is_checked_at_its_lines_and_a_sound_one_has_a_picture(work: Work):
    sound = CheckedText(**asked(work, "check", name="slow-home", text=SOURCE))
    wrong = CheckedText(
        **asked(work, "check", name="slow-home", text=SOURCE.replace("rpc-edge-latency", "rpc-edge-latncy"))
    )
    other = CheckedText(**asked(work, "check", name="mine", text=SOURCE))

    assert (sound.ok, sound.findings) == (True, [])
    assert sound.picture is not None
    line = 1 + SOURCE.split("\n").index("    fault: {name: rpc-edge-latency, params: {delay_ms: 40}}")
    assert [(one.line, one.fix) for one in wrong.findings] == [(line, "did you mean rpc-edge-latency?")]
    assert not wrong.ok
    assert wrong.picture is None
    assert [(one.place, one.seen) for one in other.findings if one.severity == "error"] == [("id", "slow-home")]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: &x [1]\nb: *x\n", 1),
        ("a: " + "[" * 40 + "]" * 40, 1),
        ("id: x\n--- \nid: y\n", 2),
        ("a: !!python/object/apply:os.system [id]\n", 1),
        ("a: 1\na: 2\n", 2),
        ("", 1),
        ("\ttabs: 1\n", 1),
        ("- just\n- a list\n", 1),
        ("x" * 100_000, 1),
        ("\x00", 1),
    ],
)  # fmt: skip
def test_whatever_a_text_holds_is_a_finding_at_a_line_and_no_failure(text: str, line: int, work: Work):
    found = CheckedText(**asked(work, "check", name="slow-home", text=text))

    assert not found.ok
    assert found.findings[0].line == line


def test_a_draft_is_the_other_under_its_own_name_and_sound(work: Work):
    text = asked(
        work, "draft", name="mine", source="slow-home", fault=None, head={"title": 'a "new" one: é', "stars": 2}
    )

    assert text.startswith('id: mine\ntitle: "a \\"new\\" one: é"\nstars: 2\n')
    assert asked(work, "draft", name="mine", source=None, fault="rpc-edge-latency", head={}).startswith("id: mine\n")
    assert asked(work, "draft", name="mine", source=None, fault="none-such", head={})["code"] == "FLT-001"
    assert asked(work, "draft", name="mine", source="none-such", fault=None, head={})["code"] == "DRILL-001"


def test_words_stand_at_places_that_the_schema_has(work: Work):
    words = AuthorsWords(**asked(work, "words", world="none-such"))

    assert "rpc-edge-latency" in words.values["timeline.[].fault.name"]
    assert set(words.knobs) == set(CATALOGUE)
    assert "delay_ms" in words.knobs["rpc-edge-latency"]
    for place in words.values:
        assert stands(words.schema_, place.split(".")), place


def stands(schema: dict[str, Any], place: list[str]) -> bool:
    nodes = [schema]
    for part in place:
        nodes = [inner for node in nodes for one in variants(schema, node) for inner in parts(one, part)]
    return bool(nodes)


def variants(schema: dict[str, Any], node: dict[str, Any]) -> list[dict[str, Any]]:
    if "$ref" in node:
        return variants(schema, schema["$defs"][node["$ref"].rpartition("/")[2]])
    return [found for one in node["anyOf"] for found in variants(schema, one)] if "anyOf" in node else [node]


def parts(node: dict[str, Any], part: str) -> list[dict[str, Any]]:
    if part == "[]":
        return [one for one in [node.get("items"), *node.get("prefixItems", [])] if one]
    inner = node.get("properties", {}).get(part) or node.get("additionalProperties")
    return [inner] if isinstance(inner, dict) else [{}] if inner else []


def test_the_metric_that_tells_the_days_apart_best_comes_first():
    minutes = np.arange(200)
    usual = 10.0 + (minutes % 2)
    flat = dict.fromkeys(("clicks", "conversions", "revenue", "satisfied_sessions", "users_lost", "policy_breaches",
                          "p99_ms", "exposure_gap"), usual)  # fmt: skip
    broken = flat | {"revenue": usual - 5.0 * (minutes >= 100), "p99_ms": np.where(minutes >= 100, math.nan, usual)}

    found = curves(_Days(minutes, flat, broken), since_minute=100)

    assert found[0]["metric"] == "revenue"
    assert (found[0]["each"], found[0]["sums"], len(found[0]["minutes"])) == (3, True, 67)
    assert found[0]["healthy"][0] == found[0]["broken"][0] == 31.0
    assert found[0]["broken"][-2] == found[0]["healthy"][-2] - 15.0
    assert not next(one for one in found if one["metric"] == "p99_ms")["sums"]
    assert json.loads(json.dumps(found, allow_nan=False)) == found
