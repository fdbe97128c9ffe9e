"""A proof that was made stands until something changes that it comes from."""

from __future__ import annotations

import json

import pytest

from sandbox.cli.app import main
from sandbox.drill.proof import kept
from tests.unit.drill.scenes import scenario


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("SANDBOX_HOME", str(tmp_path))


def key(**changed):
    asked = {"scenario": scenario(), "pack": [scenario()], "world": "tiny", "n_seeds": 1, "quick": False}
    return kept.key(**{**asked, **changed})


def test_what_was_written_is_read_again():
    kept.write(key(), {"scenario": "a", "ok": True})

    assert kept.read(key()) == {"scenario": "a", "ok": True}


@pytest.mark.parametrize(
    "changed",
    [
        {"scenario": scenario().model_copy(update={"title": "another"})},
        {"pack": [scenario(), scenario().model_copy(update={"id": "one-more"})]},
        {"world": "laptop"},
        {"n_seeds": 2},
        {"quick": True},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_another_question_has_no_answer_yet(changed):
    kept.write(key(), {"scenario": "a", "ok": True})

    assert kept.read(key(**changed)) is None


def test_another_sentence_elsewhere_in_the_pack_leaves_a_proof_as_it_is():
    other = scenario().model_copy(update={"id": "one-more"})

    assert key(pack=[other]) == key(pack=[other.model_copy(update={"explanation": "in other words"})])
    assert key(pack=[other]) != key(pack=[other.model_copy(update={"accept": ("skip-backlog",)})])


def test_the_order_of_the_pack_says_nothing():
    one, two = scenario(), scenario().model_copy(update={"id": "one-more"})

    assert key(pack=[one, two]) == key(pack=[two, one])


@pytest.mark.parametrize("text", ["", "{", "[]", '{"scenario": "a"}'])
def test_what_cannot_be_read_is_made_again(text, tmp_path):
    kept.write(key(), {"ok": True})
    (tmp_path / "proofs" / f"{key()}.json").write_text(text)

    assert kept.read(key()) is None


def test_the_command_measures_once_and_again_when_it_is_told_to(monkeypatch, capsys):
    made = []

    class Proved:
        def document(self):
            return {"scenario": "slow-home", "ok": True, "n": len(made)}

    def measured(asked, **_):
        made.append(asked.id)
        return Proved()

    monkeypatch.setattr("sandbox.drill.proof.prove.prove", measured)
    monkeypatch.setattr("sandbox.runtime.stack.ensure_built", lambda *_: None)

    def told(*options):
        with pytest.raises(SystemExit) as left:
            main(["scenario", "prove", "slow-home", "--json", *options])
        assert left.value.code == 0
        return json.loads(capsys.readouterr().out)["n"]

    assert [told(), told(), told("--again"), told()] == [1, 1, 2, 2]
