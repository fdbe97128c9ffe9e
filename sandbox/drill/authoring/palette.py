"""What a scenario can be made of: settings to release, names to scope by, versions, rules, words. Pure but for
the world's names, which are read from disk."""

from __future__ import annotations

from typing import Any

from annotated_types import Ge, Gt, Le, Lt
from pydantic.fields import FieldInfo

from sandbox.base.catalogue import LANGUAGES, REGIONS, SENSITIVITIES
from sandbox.base.load import SETTINGS as LOAD_SHAPES
from sandbox.drill.authoring import place
from sandbox.drill.authoring.settings import documents
from sandbox.drill.authoring.truths import alert_rules, segment_values
from services.ranking.core import INPUTS
from services.retrieval.core import SOURCES
from services.rules.document import PARAMS
from services.skeleton.points import POINTS

_SIGNS = ((Gt, "gt", "above"), (Ge, "ge", "at least"), (Lt, "lt", "below"), (Le, "le", "at most"))


def document(world: str) -> dict[str, Any]:
    """For `sandbox scenario show --settings`. world: whose versions, topics and users are meant."""
    there = place.of(world)
    return {
        "settings": {
            f"{service}.{name}": {"default": getattr(of, name), "range": _range(info)}
            for service, of in documents().items()
            for name, info in type(of).model_fields.items()
        },
        "regions": list(REGIONS), "languages": list(LANGUAGES), "topics": list(there.topics),
        "sources": list(SOURCES), "labels": list(SENSITIVITIES), "rules": sorted(PARAMS),
        "inputs": list(INPUTS), "paths": ["a", "b"],
        "edges": {f"{a}->{b}": list(ops) for a, callees in POINTS["rpc"].lies.items() for b, ops in callees.items()},
        "versions": {artefact: sorted(names) for artefact, names in there.versions.items()},
        "alert_rules": alert_rules(), "load_shapes": list(LOAD_SHAPES),
        "segments": {column: list(values) for column, values in segment_values(there).items()}
        | {"user_bucket": ["0-99, as LOW-HIGH"]},
    }  # fmt: skip


def _range(info: FieldInfo) -> str:
    limits = [
        f"{word} {getattr(part, field):g}"
        for part in info.metadata
        for kind, field, word in _SIGNS
        if isinstance(part, kind)
    ]
    return ", ".join(limits)
