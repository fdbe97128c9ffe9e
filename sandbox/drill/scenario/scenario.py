"""What a scenario is: one YAML file, checked so strictly that a drill never fails for a misspelling.

Times are world seconds since the drill began, unless the name says otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationError, model_validator

from faults.arming import Spec, params_of
from faults.base import Fault
from faults.catalogue import fault_named
from faults.onset import Onset
from faults.reach import Unreachable, unreachable
from faults.scope import Scope
from sandbox.base.config import Config, Document
from sandbox.base.errors import SandboxError
from sandbox.base.load import TrafficShape
from sandbox.base.streams import uniform
from sandbox.drill.scenario.patterns import ActionPattern
from sandbox.drill.scenario.predicate import Predicate
from sandbox.drill.scenario.queries import TIMES, unknown_times
from sandbox.drill.scenario.truth import Cause, Part, Pattern, Truth
from sandbox.pipeline.stages.settings import PipelineConfig
from sandbox.runtime.operate.actions import ACTIONS
from services.skeleton.points import POINTS, STAGES

SLUG = r"^[a-z0-9]+(-[a-z0-9]+)*$"


def _predicate(text: str) -> str:
    Predicate.parse(text)
    return text


def _query(text: str) -> str:
    if unknown := unknown_times(text):
        raise ValueError(f"only ${', $'.join(TIMES)} for times, not {unknown[0]}")
    return text


def _reflowed(text: str) -> str:
    """Paragraphs as one line each."""
    return "\n\n".join(" ".join(part.split()) for part in text.split("\n\n") if part.strip())


PredicateText = Annotated[str, Field(min_length=1, max_length=300), AfterValidator(_predicate)]
Text = Annotated[str, Field(min_length=1, max_length=4000)]
Query = Annotated[str, Field(min_length=1, max_length=4000), AfterValidator(_query)]
# Lines of a file end where the author's screen did; on the reader's they would break twice.
Prose = Annotated[str, Field(min_length=1, max_length=4000), AfterValidator(_reflowed)]
Line = Annotated[str, Field(min_length=1, max_length=200)]


class Load(TrafficShape):
    """Traffic of the drill: recommendation requests per wall second over its world seconds. See
    sandbox.base.load for the shapes."""


class Change(Part):
    """An entry of the change log that is only that: text, a dashboard, a ticket. Nothing moves."""

    key: Line
    old: str = ""
    new: Line
    note: str = Field("", max_length=400)
    actor: Line = "release-bot"


def configured(config: Config, patches: Mapping[str, Mapping[str, Any]], where: str) -> Config:
    """The documents with these settings, by service. Raises ValueError for those that there are not."""
    for service, settings in patches.items():
        document = getattr(config, service, None)
        if not isinstance(document, Document):
            raise ValueError(f"{where}.{service}: no service with settings is called that")
        for setting, value in settings.items():
            if setting not in type(document).model_fields:
                raise ValueError(f"{where}.{service}.{setting}: there is no such setting")
            try:
                setattr(document, setting, value)
            except ValidationError as error:
                told = error.errors()[0]["msg"]
                raise ValueError(f"{where}.{service}.{setting}: {told}") from error
    return config


class InvertedFile(Part):
    """An index made from the vectors of another: `lists` lists, `nprobe` of them searched."""

    of: str = "ix-1"
    lists: int = Field(200, ge=2, le=65_536)
    nprobe: int = Field(16, ge=1, le=65_536)


class Pipeline(Part):
    """A training by the pipeline of stages (docs/pipeline.md), whose run is in the lake from the release on. settings:
    of the pipeline, where others than the usual; bypass: check -> why it may fail."""

    settings: dict[str, Any] = Field({})
    bypass: dict[str, Line] = Field({})

    @model_validator(mode="after")
    def _settings_exist(self) -> Pipeline:
        try:
            _ = self.config
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(map(str, first["loc"]))
            raise ValueError(f"settings.{key}: {str(first['msg']).removeprefix('Value error, ')}") from error
        return self

    @property
    def config(self) -> PipelineConfig:
        return PipelineConfig.model_validate(self.settings)


MADE = ("retrain", "inverted_file", "fresh_index")  # keys of a release for which something is trained or built


class Release(Part):
    """A release that really goes out: settings by service, as in sandbox.base.config.

    key: what is released; new: its version. retrain: generation of models to train for it (2 makes
    tt-2, rk-2, ix-2); None needs none. pipeline: they are trained by it, stage by stage; None: straight from the log.
    inverted_file: how the index named by the patch
    `retrieval.index_version` is built; None: it is there, or is trained. fresh_index: the user tower of whose item
    vectors that index is built anew. An empty `ranking.contract` stands for the model's own inputs.
    """

    key: Line
    new: Line
    patches: dict[str, dict[str, Any]] = Field({})
    retrain: int | None = Field(None, ge=2, le=9)
    pipeline: Pipeline | None = None
    inverted_file: InvertedFile | None = None
    fresh_index: Line | None = None
    note: str = Field("", max_length=400)
    actor: Line = "release-bot"

    @model_validator(mode="after")
    def _settings_exist(self) -> Release:
        configured(Config(), self.patches, "patches")
        if self.inverted_file is not None and self.index_version is None:
            raise ValueError("inverted_file: patches.retrieval.index_version gives it no name")
        if self.pipeline is not None and self.retrain is None:
            raise ValueError("pipeline: retrain says which generation it trains")
        if self.fresh_index is not None and (self.index_version is None or self.inverted_file is not None):
            raise ValueError("fresh_index: patches.retrieval.index_version gives it a name, and inverted_file none")
        return self

    @property
    def index_version(self) -> str | None:
        """The index that it brings, None for none."""
        version: str | None = self.patches.get("retrieval", {}).get("index_version")
        return version

    @property
    def trained(self) -> tuple[str, ...]:
        """Artefacts that `retrain` trains: those that its patches bring, live or to some."""
        wanted = {name for fields in self.patches.values() for name in fields}
        ways = {"two_tower": {"two_tower"}, "ranker": {"ranker", "canary", "shadow"}}
        return tuple(artifact for artifact, names in ways.items() if wanted & names)


class FaultUse(Part):
    """Which fault, with which knobs."""

    name: str
    params: dict[str, Any] = Field({})


class Step(Part):
    """One entry of the timeline: a change, a release or both, or a fault armed in a process.

    target: the service concerned; for a fault on an edge `caller->callee`. A fault whose seam is
    a stage comes with the `release` that it spoils; without it the release goes out healthy.
    ends_on: actions that end it, beside taking back what was released. until_s: it ends by itself, world
    seconds since the drill began; None for never. anyway: it belongs to the day
    and not to the incident (a crowd, a campaign), so it happens where faults are left out as well.
    """

    at_s: float = Field(ge=0)
    target: Line
    change: Change | None = None
    release: Release | None = None
    fault: FaultUse | None = None
    scope: Scope = Scope()
    share: float = Field(1.0, gt=0, le=1)
    onset: Onset = Onset()
    ends_on: tuple[Pattern, ...] = ()
    until_s: float | None = Field(None, gt=0)
    anyway: bool = False

    @model_validator(mode="after")
    def _complete(self) -> Step:
        if self.change is None and self.release is None and self.fault is None:
            raise ValueError("a step has a change, a release or a fault")
        if self.fault is None:
            if self.until_s is not None:
                raise ValueError("until_s: a fault that ends; a change and a release stay")
            return self
        try:
            seam = fault_named(self.fault.name).seam
            params_of(self.spec(0), "fault")
        except SandboxError as error:
            raise ValueError(f"fault: {error.where}: {error.expected}") from error
        if (seam in STAGES) != (self.release is not None):
            raise ValueError(
                f"fault: {self.fault.name} sits at {seam}, so it "
                + ("needs the release that it spoils" if seam in STAGES else "comes without a release")
            )
        for part, seen, expected in self.unreachable():
            raise ValueError(f"{part}: {expected}; {seen!r} cannot hold")
        return self

    def unreachable(self) -> list[Unreachable]:
        """What of its fault can never hold. Only for steps that have one."""
        assert self.fault is not None
        kind = fault_named(self.fault.name)
        found = list(unreachable(kind, self.target, self.scope, self.share, self.onset, self.until_s))
        if self.until_s is not None and self.until_s <= self.at_s:
            found.append(Unreachable("until_s", self.until_s, f"after its at_s, {self.at_s:g}"))
        if why := kind.stray(params_of(self.spec(0), "fault"), self.service):
            knob, _, expected = why.partition(": ")
            found.append(Unreachable(f"fault.params.{knob}", self.fault.params.get(knob, "the usual"), expected))
        return [*found, *self._unspoilt(kind)]

    def _unspoilt(self, kind: type[Fault]) -> Iterator[Unreachable]:
        """Settings that its fault spoils and its release does not bring."""
        brought = self.release.patches if self.release is not None else {}
        for setting in kind.needs if self.release is not None else ():
            service, name = setting.split(".")
            if name not in brought.get(service, {}):
                there = [f"{s}.{key}" for s, fields in brought.items() for key in fields]
                yield Unreachable(
                    "release.patches", ", ".join(there) or "none", f"a release of {setting}, which {kind.name} spoils"
                )
        made_by = POINTS[kind.seam].made_by
        if made_by and self.release is not None and getattr(self.release, made_by) is None:
            yield Unreachable(f"release.{made_by}", None, f"something that is made: {kind.name} spoils it")
        if kind.seam == "training_log" and self.release is not None and self.release.pipeline is not None:
            yield Unreachable(
                "release.pipeline", self.release.pipeline, f"none: {kind.name} sits where it is not asked"
            )

    @property
    def harmful(self) -> bool:
        """Whether it has a fault that belongs to the incident."""
        return not (self.fault is None or self.anyway or fault_named(self.fault.name).control)

    def spec(self, seed: int) -> Spec:
        """The fault as the runtime arms it. Only for steps that have one."""
        assert self.fault is not None
        callee = self.target.partition("->")[2] or None
        scope = self.scope if callee is None else self.scope.model_copy(update={"callee": callee})
        return Spec(
            fault=self.fault.name, params=self.fault.params, scope=scope, share=self.share, onset=self.onset, seed=seed
        )

    @property
    def service(self) -> str:
        """The process in which a fault is armed: the caller of an edge."""
        return self.target.partition("->")[0]

    def later(self, by_s: float) -> Step:
        """The same, world seconds later."""
        until_s = None if self.until_s is None else self.until_s + by_s
        return self.model_copy(update={"at_s": self.at_s + by_s, "until_s": until_s})


class Pager(Part):
    """How the trainee learns of it. alert: when `rule` (a shell-style pattern) fires, or at `at_s` at
    the latest. human: somebody writes at `at_s`, every alert may be green. vary_s: by up to how many world seconds
    `at_s` is later still, drawn from the seed, so that no page tells how long ago it began."""

    kind: Literal["alert", "human"]
    text: Text
    at_s: float = Field(gt=0)
    rule: str = "*"
    vary_s: float = Field(0.0, ge=0)

    def placed(self, by_s: float, later_s: float) -> Pager:
        """by_s: what all is later by. later_s: what the page is later by."""
        return self.model_copy(update={"at_s": self.at_s + by_s + later_s, "vary_s": 0.0})


class Evidence(Part):
    """A query and what its answer must be. `$began`, `$paged` and `$now` stand for world times.

    An answer may have a column `onset`, a time: the scripted responder reports the first it finds.
    """

    id: str = Field(pattern=SLUG)
    claim: Line
    sql: Query
    predicate: PredicateText


class ClaimCheck(Part):
    """A sentence that the trainee reads, or a part of one, and what makes it true: a query and what its
    answer must be when the page has come (by: page) or when the evidence is due (by: evidence)."""

    says: Line
    sql: Query
    predicate: PredicateText
    by: Literal["page", "evidence"] = "evidence"


class Spoken(Part):
    """Sentences that state nothing which a query could show, word by word, by what they are instead. address: who is
    spoken to, and what they are to do. suspicions: what somebody thinks, which may be wrong. remedies: what would
    follow from a deed, which `prove` carries out."""

    address: tuple[Line, ...] = ()
    questions: tuple[Line, ...] = ()
    suspicions: tuple[Line, ...] = ()
    remedies: tuple[Line, ...] = ()

    @property
    def all(self) -> frozenset[str]:
        return frozenset((*self.address, *self.questions, *self.suspicions, *self.remedies))


class Scenario(Part):
    """A whole scenario. minutes: of the trainee's time, wall. evidence_by_s: until then the scripted
    responder waits for its evidence. world_rate: world seconds per wall second. vary_s: by up to how many
    world seconds everything that happens is later, drawn from the seed. replicas: instances of a service when the
    drill begins, 1 where none is said. probes: actions that somebody must do for the evidence to show, once paged: a
    load test. settings: other settings in force then, by service. claims: what `prove` holds
    the sentences of title, briefing, page and explanation against. spoken: those of them that claim nothing."""

    id: str = Field(pattern=SLUG, max_length=60)
    title: Line
    stars: int = Field(ge=1, le=5)
    minutes: float = Field(gt=0, le=60)
    world: str = "laptop"
    seed: int = Field(1, ge=0, lt=2**63)
    world_rate: float = Field(60.0, gt=0, le=600)
    load: Load = Load()
    replicas: dict[str, int] = Field({})
    settings: dict[str, dict[str, Any]] = Field({})
    briefing: Prose
    pager: Pager
    timeline: tuple[Step, ...] = Field(min_length=1, max_length=40)
    truth: Truth
    evidence: tuple[Evidence, ...] = Field(min_length=1, max_length=10)
    evidence_by_s: float = Field(gt=0)
    probes: tuple[Pattern, ...] = Field((), max_length=4, exclude_if=lambda probes: not probes)
    vary_s: float = Field(0.0, ge=0)
    claims: tuple[ClaimCheck, ...] = Field((), max_length=40)
    spoken: Spoken = Spoken()
    accept: tuple[Pattern, ...] = ()
    penalise: tuple[Pattern, ...] = ()
    hints: tuple[Line, Line, Line]
    teaches: Line
    precedent: Line
    look_alikes: tuple[str, ...] = ()
    kpi_gets_better: bool = False
    explanation: Prose

    @property
    def length_s(self) -> float:
        """World seconds that the trainee has."""
        return self.minutes * 60 * self.world_rate

    def accepted_for(self, cause: Cause) -> tuple[str, ...]:
        """Actions that help against one of its causes."""
        return cause.accept or self.accept

    @property
    def helpful(self) -> tuple[str, ...]:
        """All actions that help against some cause, each once."""
        own = (pattern for cause in self.truth.causes for pattern in cause.accept)
        return tuple(dict.fromkeys((*self.accept, *own)))

    @property
    def best_response(self) -> tuple[tuple[float, str], ...]:
        """(onset_s, action) for each cause: the first action that is accepted against it."""
        return tuple(
            (cause.onset_s, self.accepted_for(cause)[0])
            for cause in sorted(self.truth.causes, key=lambda c: c.onset_s or 0.0)
            if cause.onset_s is not None
        )

    def placed(self, seed: int) -> Scenario:
        """The scenario as it happens with that seed: everything later by one draw of whole minutes up to
        `vary_s`, and the page by another up to its own. Both are spent then, so that what is placed stays."""

        def drawn_s(purpose: str, up_to_s: float) -> float:
            return 60.0 * int(uniform(seed, f"{purpose}/{self.id}") * (up_to_s // 60 + 1))

        by_s, later_s = drawn_s("scenario", self.vary_s), drawn_s("page", self.pager.vary_s)
        causes = tuple(
            c if c.onset_s is None else c.model_copy(update={"onset_s": c.onset_s + by_s}) for c in self.truth.causes
        )
        return self.model_copy(update={
            "vary_s": 0.0, "load": self.load.later(by_s), "evidence_by_s": self.evidence_by_s + by_s,
            "pager": self.pager.placed(by_s, later_s),
            "timeline": tuple(step.later(by_s) for step in self.timeline),
            "truth": self.truth.model_copy(update={"causes": causes}),
        })  # fmt: skip

    @property
    def config(self) -> Config:
        """The documents in force when the drill begins."""
        return configured(Config(), self.settings, "settings").with_replicas(self.replicas)

    @model_validator(mode="after")
    def _can_begin(self) -> Scenario:
        try:
            _ = self.config
        except SandboxError as error:
            raise ValueError(f"replicas: {error.expected}; {error.seen} cannot be") from error
        return self

    @model_validator(mode="after")
    def _fits_together(self) -> Scenario:
        times = [step.at_s for step in self.timeline]
        if times != sorted(times):
            raise ValueError("timeline: steps stand in the order of at_s")
        for name, at_s in (("timeline", times[-1]), ("pager", self.pager.at_s), ("evidence_by_s", self.evidence_by_s)):
            if at_s + self.vary_s >= self.length_s:
                raise ValueError(
                    f"{name}: {at_s:g} s, and {self.vary_s:g} s later by seed, is past the drill's {self.length_s:g} s"
                )
        self._require_causes()
        for text in self.probes:
            pattern = ActionPattern.parse(text)
            if not pattern.concrete or pattern.op not in ACTIONS or not ACTIONS[pattern.op].looks:
                there = ", ".join(name for name, kind in ACTIONS.items() if kind.looks)
                raise ValueError(f"probes: {text!r} is no action that only looks, without wildcards, as {there}")
        if len({e.id for e in self.evidence}) < len(self.evidence):
            raise ValueError("evidence: an id is used twice")
        return self

    def _require_causes(self) -> None:
        """Causes are faults of the timeline, and each has an action that can be carried out."""
        at_work = [step.at_s for step in self.timeline if step.harmful]
        if self.truth.incident != bool(at_work):
            raise ValueError("truth: incident says whether a fault of the timeline does harm")
        if not self.truth.incident:
            return
        several = len(self.truth.causes) > 1
        for cause in self.truth.causes:
            if cause.onset_s not in at_work:
                raise ValueError(f"truth: onset_s is the at_s of a fault, one of {at_work}")
            if several and not cause.accept:
                raise ValueError("truth: of several causes each has an `accept` of its own")
            accepted = self.accepted_for(cause)
            if not (accepted and ActionPattern.parse(accepted[0]).concrete):
                raise ValueError("accept: its first action holds no wildcard, it is the one carried out")
