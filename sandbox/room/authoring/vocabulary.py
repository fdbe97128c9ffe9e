"""What completion is made of: the schema of scenarios, and the words that may stand at places of it. Nothing of a scenario."""

from __future__ import annotations

from typing import Any

from faults.catalogue import CATALOGUE
from sandbox.base import paths
from sandbox.drill.authoring import palette
from sandbox.drill.scenario import taxonomy
from sandbox.drill.scenario.schema import schema
from sandbox.room.authoring.documents import AuthorsWords
from sandbox.runtime.operate.actions import ACTIONS

_CAUSES = ("truth", "truth.causes.[]")


def words(world: str) -> AuthorsWords:
    """world: whose versions, topics and kinds of users are meant; one that is not built has few of them."""
    of = palette.document(world)
    faults = {name: fault.describe() for name, fault in CATALOGUE.items()}
    services = sorted({name.partition(".")[0] for name in of["settings"]})
    components = {name: one.about for name, one in taxonomy.COMPONENTS.items()}
    mechanisms = {name: one.about for name, one in taxonomy.MECHANISMS.items()}
    actions = {_form(name, kind): kind.summary for name, kind in ACTIONS.items()}
    segments = [f"{column}: {value}" for column, values in of["segments"].items() for value in values]
    values = {
        "world": sorted({p.parent.name for p in paths.worlds().glob("*/world.json")}),
        "load.shape": of["load_shapes"],
        "pager.rule": of["alert_rules"],
        "timeline.[].target": [*services, *of["edges"]],
        "timeline.[].fault.name": list(faults),
        "timeline.[].scope.regions.[]": of["regions"],
        "timeline.[].release.patches": services,
        "replicas": services,
        "settings": services,
        "look_alikes.[]": list(faults),
        "truth.causes.[].accept.[]": list(actions),
        "accept.[]": list(actions), "penalise.[]": list(actions), "probes.[]": list(actions), "timeline.[].ends_on.[]": list(actions),
    }  # fmt: skip
    for place in _CAUSES:
        values |= {
            f"{place}.component": list(components), f"{place}.mechanism": list(mechanisms),
            f"{place}.neighbours.[]": list(components), f"{place}.segment": segments,
        }  # fmt: skip
    for service in services:
        settings = [name.partition(".")[2] for name in of["settings"] if name.startswith(f"{service}.")]
        values[f"timeline.[].release.patches.{service}"] = values[f"settings.{service}"] = settings
    about = {name: of["settings"][name]["range"] for name in of["settings"] if of["settings"][name]["range"]}
    about |= {name: one["summary"] for name, one in faults.items()} | components | mechanisms | actions
    return AuthorsWords(
        schema=schema(),
        values=values,
        knobs={name: {knob: _told(spec) for knob, spec in one["knobs"].items()} for name, one in faults.items()},
        about=about,
    )


def _told(spec: dict[str, Any]) -> str:
    """A knob in words: its default and what it says of itself."""
    default = f"default {spec['default']}" if "default" in spec else "has to be said"
    text = spec.get("description", "")
    return f"{default}; {text}" if text else default


def _form(name: str, kind: Any) -> str:
    """An action as it is typed, less what may be left out."""
    return " ".join([name, *(f"{arg}=" for arg in kind.arguments if arg not in kind.optional)])
