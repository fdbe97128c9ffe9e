"""What a run of the pipeline is asked to do: one document, YAML or JSON, each setting with unit, range and reason.

A stage's outputs are kept by a hash of the sections it names, so that a change of one section runs again only
what reads it.
"""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field, ValidationError, field_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from sandbox.base.catalogue import AGE_BANDS, REGIONS
from sandbox.base.errors import SandboxError
from services.ranking.core import INPUTS


class Section(BaseModel, extra="forbid", frozen=True):
    """Unknown keys and values out of range are refused."""


class Bots(Section):
    """Who is none of our users. By behaviour before and beside any experiment: an arm is not looked at, as a filter on
    what an arm changes would itself make the arms unequal."""

    requests_per_hour: int = Field(60, ge=1, le=100_000)  # more in any hour; people think between two pages
    impressions_per_day: int = Field(1_500, ge=10, le=1_000_000)
    click_share: float = Field(0.9, gt=0, le=1)  # clicks on nearly all that is shown ...
    click_share_from: int = Field(200, ge=10, le=100_000)  # ... of so many impressions


class Privacy(Section):
    """purpose: what the events are used for here; a person must have allowed it when it happened and at `as_of`."""

    purpose: str = Field("personalisation", pattern=r"[a-z_]+")


class Threshold(Section):
    """An item is sensitive from this score on, to whoever it is said of. None: to all."""

    at_least: float = Field(ge=0, le=1)  # of the classifier's score
    surface: Literal["home", "training"] | None = None
    region: Literal[REGIONS] | None = None  # type: ignore[valid-type]
    age_band: Literal[AGE_BANDS] | None = None  # type: ignore[valid-type]


class Sensitivity(Section):
    """thresholds: the strictest that fits counts. Scores from review_from up to the threshold for all wait for a
    person, who answers after review_hours on average."""

    thresholds: tuple[Threshold, ...] = (Threshold(at_least=0.5), Threshold(at_least=0.3, age_band="13-17"))
    review_from: float = Field(0.35, ge=0, le=1)
    review_hours: float = Field(36.0, gt=0, le=24 * 90)
    purpose: str = Field("sensitive", pattern=r"[a-z_]+")  # must be allowed by who did something with such an item


class Labels(Section):
    """Hours within which an outcome is put down to what was shown; a conversion's count from its click."""

    click_h: float = Field(1.0, gt=0, le=24 * 60)
    after_click_h: float = Field(24.0, gt=0, le=24 * 60)  # dwell, like, hide: after it was shown
    conversion_h: float = Field(24.0 * 30, gt=0, le=24 * 60)
    session_gap_h: float = Field(0.5, gt=0, le=24)  # a visit ends after so long without anything


class Training(Section):
    """days: of history that the training set is taken from, the last ones. inputs: columns of the ranker's matrix."""

    days: float = Field(14.0, gt=0, le=365)
    max_rows: int = Field(700_000, ge=1_000, le=5_000_000)
    inputs: tuple[str, ...] = INPUTS

    @field_validator("inputs")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name not in INPUTS:
                near = difflib.get_close_matches(name, INPUTS, 3)
                raise ValueError(f"no feature {name!r}; " + (f"near: {', '.join(near)}" if near else "see INPUTS"))
        if len(set(names)) < len(names) or not names:
            raise ValueError("each feature once, and at least one")
        return names


class Gate(Section):
    """What a new ranker must keep on the rows held out, by the 95 % interval, or it goes no further."""

    margin: float = Field(0.01, ge=0, le=0.5)  # of AUC, that it may be below the one in force
    least_auc: float = Field(0.55, ge=0.5, le=1)  # where none is in force


class RollOut(Section):
    """to: how far a version is moved in the registry that its gate has passed; candidate: not at all."""

    to: Literal["candidate", "shadow", "live"] = "candidate"


class PipelineConfig(Section):
    """as_of: world seconds; what was known later counts for nothing. None: the end of the history."""

    seed: int = Field(1, ge=0, lt=1 << 31)
    as_of: float | None = Field(None, ge=0)
    bots: Bots = Bots()
    privacy: Privacy = Privacy()
    sensitivity: Sensitivity = Sensitivity()
    labels: Labels = Labels()
    training: Training = Training()
    gate: Gate = Gate()
    roll_out: RollOut = RollOut()


def read_config(path: Path) -> PipelineConfig:
    """A YAML or JSON file. Raises CFG-002 where there is none, PIPE-003 naming the first key or value at fault."""
    try:
        document = YAML(typ="safe").load(path.read_text())
    except OSError as error:
        raise SandboxError(
            "CFG-002", where="--config", seen=str(path), expected="a file that can be read", fix="check the path"
        ) from error
    except YAMLError as error:
        raise _refused(path, str(error)[:300], "YAML, each key once") from error
    try:
        return PipelineConfig.model_validate({} if document is None else document)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        message = first["msg"].removeprefix("Value error, ")
        raise _refused(path, f"{key}: {first['input']!r}"[:300], message) from error


def _refused(path: Path, seen: str, expected: str) -> SandboxError:
    return SandboxError(
        "PIPE-003",
        where=str(path),
        seen=seen,
        expected=expected,
        fix="mend the file; docs/pipeline.md lists the settings",
    )
