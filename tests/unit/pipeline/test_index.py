"""An index that is built anew: of all items, or of what becomes of its rows on the way."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sandbox.base import artefacts
from sandbox.base.artefacts import pack_arrays
from sandbox.base.errors import SandboxError
from sandbox.pipeline.index import IndexRows, rebuild
from services.retrieval.index import Index
from tests.services.artefacts import two_tower


@pytest.fixture
def registry(tmp_path: Path) -> Path:
    two_tower(tmp_path)
    return tmp_path


def test_an_index_of_all_items_names_no_rows_and_finds_what_the_first_one_found(registry: Path) -> None:
    made = Index.of(rebuild([registry], "tt-1", "ix-new", registry))
    first = Index.of(artefacts.find([registry], "index", "ix-1"))

    assert "ids.safetensors" not in artefacts.find([registry], "index", "ix-new").manifest.files
    query = first.vectors[:3]
    assert np.array_equal(made.search_many(query, 5)[1], first.search_many(query, 5)[1])


def test_rows_that_are_left_out_are_not_found_and_the_others_keep_their_items(registry: Path) -> None:
    odd = Index.of(rebuild([registry], "tt-1", "ix-odd", registry, lambda rows: rows.take(rows.ids % 2 == 1)))
    first = Index.of(artefacts.find([registry], "index", "ix-1"))

    assert odd.faiss_index.ntotal == len(first.vectors) // 2
    wanted = [item for item in first.search(first.vectors[3], len(first.vectors)).ids.tolist() if item % 2]
    assert odd.search(first.vectors[3], 5).ids.tolist() == wanted[:5]


def test_ids_of_another_number_of_rows_are_damage(registry: Path) -> None:
    made = rebuild([registry], "tt-1", "ix-new", registry, lambda rows: IndexRows(np.roll(rows.ids, 1), rows.vectors))
    files = {name: made.read(name) for name in made.manifest.files} | {
        "ids.safetensors": pack_arrays({"ids": np.arange(3)})
    }
    short = artefacts.register(registry, made.manifest.model_copy(update={"version": "ix-short"}), files)

    with pytest.raises(SandboxError) as error:
        Index.of(short)
    assert error.value.kind.code == "MODEL-002"
