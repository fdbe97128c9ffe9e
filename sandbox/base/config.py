"""The configuration documents in force: one typed place, each setting with unit, range and reason.

RUN/config.json holds a version and one document per service. Whoever changes it writes the file and
then calls Admin.Reload on the service; a service that restarts reads the same file.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field, field_validator, model_validator

from sandbox.base.errors import SandboxError
from sandbox.base.instances import MOST, SCALABLE
from sandbox.base.run import read_document, write_atomically

CONSENT_WAIT_MS = 60.0
Region = Literal["EU", "UK", "US-CA", "US", "CA", "BR", "AU"]  # as catalogue.REGIONS


class Document(BaseModel, extra="forbid", validate_assignment=True):
    """A service's configuration. Unknown keys and values out of range are refused."""


class Breaker(Document):
    """When an edge's circuit breaker opens, and how it closes again (services.skeleton.breaker). The
    defaults are those of Hystrix, but for the trial calls."""

    failed_share: float = Field(0.5, gt=0, le=1)  # of the window's calls; it opens from there on
    least_calls: int = Field(20, ge=1, le=100_000)  # ended in the window, or a share says nothing
    window_s: float = Field(10.0, ge=0.1, le=600)  # of calls that count, wall seconds
    open_s: float = Field(5.0, ge=0.1, le=600)  # left alone for so long, wall seconds
    trial_calls: int = Field(3, ge=1, le=100)  # all must do well: one may be luck in a brown-out


class Edge(Document):
    """One caller->callee edge. deadline_ms: the caller waits no longer, ms, whatever it tries. path: which of the
    two network paths to the callee carries the calls. attempts: tries in all; a retry follows UNAVAILABLE of the
    callee, and an attempt that took timeout_ms (None: each may take what is left of the deadline). backoff_ms: before
    the second attempt, twice as long before each further one. retry_budget: retries as a share of calls, over time;
    None: as many as `attempts` says (services.skeleton.retries). breaker: None, every call is tried. Documents do
    not speak of what is None or 0."""

    deadline_ms: float = Field(ge=1, le=10_000)
    path: Literal["a", "b"] = "a"
    attempts: int = Field(2, ge=1, le=30)
    timeout_ms: float | None = Field(None, ge=1, le=10_000, exclude_if=lambda ms: ms is None)
    backoff_ms: float = Field(0.0, ge=0, le=1_000, exclude_if=lambda ms: ms == 0)
    retry_budget: float | None = Field(None, ge=0, le=1, exclude_if=lambda share: share is None)
    breaker: Breaker | None = Field(None, exclude_if=lambda breaker: breaker is None)


class Concurrency(Document):
    """A limit on the calls that a process has in flight, found from how long they take (services.skeleton.limits); those
    beyond are turned away at once (services.skeleton.gate)."""

    mode: Literal["gradient", "vegas"] = "gradient"
    least: int = Field(2, ge=1, le=1024)  # also where it begins: two cores are busy with as many
    most: int = Field(64, ge=1, le=1024)  # as many as there are handlers: beyond, a limit limits nothing
    window_s: float = Field(0.5, ge=0.1, le=10)  # of calls that one step follows from, wall seconds
    # Feedback passes beside the limit (keep), or is the first to be turned away (shed): clicks are lost then.
    feedback: Literal["keep", "shed"] = "keep"

    @model_validator(mode="after")
    def _in_order(self) -> Concurrency:
        if self.least > self.most:
            raise ValueError("least is at most as large as most")
        return self


class Hosted(Document):
    """What every process has that answers calls. max_handlers: calls that it handles at once, further ones wait;
    None, and not spoken of, as many as the skeleton gives (services.skeleton.host). concurrency: None, and not spoken
    of, every call is let in."""

    max_handlers: int | None = Field(None, ge=1, le=1024, exclude_if=lambda handlers: handlers is None)
    concurrency: Concurrency | None = Field(None, exclude_if=lambda limit: limit is None)


class Scaled(Hosted):
    """Of a service that can have several instances. replicas: how many; all have the same document."""

    replicas: int = Field(1, ge=1, le=MOST)


class Calling(Document):
    """Of a service that calls others. balancing: which instance of a callee takes the next call, where there are
    several (services.skeleton.balancer)."""

    balancing: Literal["round_robin", "pick_first"] = "round_robin"


class GatewayConfig(Hosted, Calling):
    deadline_ms: float = Field(800.0, ge=5, le=10_000)  # budget when the client sets none, ms
    n_candidates: int = Field(200, ge=10, le=1000)  # asked of retrieval; ranking costs grow with it
    # Some 30 times the healthy medians: two busy cores must not make fallbacks answer.
    features: Edge = Edge(deadline_ms=120)
    retrieval: Edge = Edge(deadline_ms=300)
    ranking: Edge = Edge(deadline_ms=350)
    rules: Edge = Edge(deadline_ms=160)
    # When the rules do not answer: a vetted slate (closed), or the ranked candidates as they are (open).
    rules_fail: Literal["closed", "open"] = "closed"
    events: Edge = Edge(deadline_ms=500)
    # Whom one may personalise: by the copy that came with the catalogue, or the consent ledger is asked for each request
    # (GetConsent, over the edge to features). The fields from here to impersonal are not spoken of where they are as here.
    consent: Literal["copy", "ask"] = Field("copy", exclude_if=lambda source: source == "copy")
    consent_wait_ms: float = Field(CONSENT_WAIT_MS, ge=1, le=10_000, exclude_if=lambda ms: ms == CONSENT_WAIT_MS)
    # Where the ledger does not answer: nobody has consented (closed), or everybody has (open).
    consent_fail: Literal["closed", "open"] = Field("closed", exclude_if=lambda way: way == "closed")
    # World seconds for which what was decided of a user is kept, an answer of the ledger or not; 0: asked each time.
    consent_keep_s: float = Field(0.0, ge=0, le=31 * 86_400, exclude_if=lambda seconds: seconds == 0)
    impersonal: list[Region] = Field([], exclude_if=lambda regions: not regions)  # where nobody is personalised
    # Requests that one user may send within 60 world seconds; None: any number.
    max_per_minute: int | None = Field(None, ge=1, le=10_000)
    explain_share: float = Field(0.02, ge=0, le=1)  # of requests recorded in full, lake size
    impressions_to_stream: bool = True  # the seen list and the counters follow from it


class Withdrawal(Document):
    """People who take back their consent to personalisation, written into the ledger as the setting comes into force. Who
    did so stays so in the ledger; taking the setting away asks nobody. regions: [] for all. user_buckets: user numbers
    modulo 100, from the first to below the second. signal: how it was said; erasure: they asked to be erased, of which the
    ledger keeps a tombstone that says no."""

    regions: list[Region] = []
    user_buckets: tuple[int, int] = (0, 100)
    signal: Literal["ui", "gpc", "erasure"] = "ui"

    @field_validator("user_buckets")
    @classmethod
    def _in_order(cls, buckets: tuple[int, int]) -> tuple[int, int]:
        if not 0 <= buckets[0] < buckets[1] <= 100:
            raise ValueError("from the first to below the second, 0 to 100")
        return buckets


class FeaturesConfig(Scaled):
    max_age_s: dict[str, float] = {}  # world seconds by view, over the view's own
    sample_share: float = Field(0.05, ge=0, le=1)  # of requests whose every feature is logged
    fetch_batch: int = Field(0, ge=0, le=1000)  # keys of one store round trip; 0: all
    withdrawals: list[Withdrawal] = Field([], exclude_if=lambda withdrawn: not withdrawn)
    # Of the store itself, or of its replica (redis.replica), which takes reads off it and may be behind.
    reads: Literal["primary", "replica"] = "primary"


class RetrievalConfig(Scaled, Calling):
    index_version: str = "ix-1"
    # Lists searched of an inverted file, out of lists in all; None: as many as it was built for.
    nprobe: int | None = Field(None, ge=1, le=65_536)
    model: Edge = Edge(deadline_ms=200)
    quotas: dict[str, int] = {"ann": 120, "covisit": 60, "followed": 30, "popular": 40, "fresh": 20}
    disabled: list[str] = []  # sources switched off
    sample_share: float = Field(0.05, ge=0, le=1)  # of requests whose candidates are logged
    probe_every_s: float = Field(300.0, ge=10)  # recall probe, world seconds


class RankingConfig(Scaled, Calling):
    features: Edge = Edge(deadline_ms=120)
    model: Edge = Edge(deadline_ms=240)
    contract_version: str = "fc-1"
    contract: list[str] = []  # input columns in order; empty: as the pipeline defines them
    weights: list[float] = [1.0, 0.6, 3.0]  # click, long dwell, conversion
    # One NaN or infinity among a request's scores: none of them is used (fall_back), or all are (pass), and
    # what has none stands last.
    nonfinite: Literal["fall_back", "pass"] = "fall_back"
    sample_share: float = Field(0.05, ge=0, le=1)  # of requests whose inputs are summarised


class Shadow(Document):
    """A ranker that scores beside the live one; nobody is shown what it says."""

    version: str
    share: float = Field(0.25, gt=0, le=1)  # of requests that it scores too: each costs a forward pass


class Canary(Document):
    """A ranker that answers a share of the users, always the same ones (sandbox.base.arms)."""

    version: str
    share: float = Field(gt=0, le=0.5)  # as many users again are its baseline
    salt: str = Field(min_length=1, max_length=80)  # another salt, other users
    until_ts: float  # world seconds; from then on the live version answers everybody, watched or not


class Beat(Document):
    """Batches by the clock: one goes every_ms after the one before it, or after its first call where none waited. It
    takes `calls` of them; further ones keep their places, in a line that has no bound."""

    every_ms: float = Field(ge=1, le=200)
    calls: int = Field(1, ge=1, le=64)


class ModelConfig(Scaled):
    ranker: str = "rk-1"  # active version
    two_tower: str = "tt-1"  # active version of the user tower
    keep_loaded: list[str] = []  # further versions held ready
    shadow: Shadow | None = Field(None, exclude_if=lambda shadow: shadow is None)
    canary: Canary | None = Field(None, exclude_if=lambda canary: canary is None)
    max_batch: int = Field(1024, ge=1, le=8192)  # rows in one forward pass
    max_wait_ms: float = Field(1.0, ge=0, le=50)  # a batch waits no longer for company
    beat: Beat | None = Field(None, exclude_if=lambda beat: beat is None)  # in place of both


class Rule(Document):
    """One rule, in the order of the document. params: see services/rules/core.py for each rule's own."""

    id: str
    enabled: bool = True
    params: dict[str, float | int | str | bool | list[str]] = {}


class SensitivityList(Document):
    """The list that the sensitivity rule applies: thresholds on the classifier's score."""

    version: str = "sl-1"
    threshold: float = Field(0.75, ge=0, le=1)
    by_language: dict[str, float] = {}
    by_topic: dict[str, float] = {}
    blocked_labels: list[str] = ["gore", "adult"]
    # World seconds from an item's publication until the rule knows its label and score: safe till then.
    label_delay_s: float = Field(0.0, ge=0)


class RulesConfig(Scaled):
    version: str = "ru-1"
    rules: list[Rule] = []  # empty: services/rules/rules.yaml
    sensitivity: SensitivityList = SensitivityList()
    explore_share: float = Field(0.015, ge=0, le=0.2)  # of slots filled at random


class EventsConfig(Hosted):
    stream_maxlen: int = Field(200_000, ge=1000)  # entries kept in the stream, memory
    dedupe_s: float = Field(3_600.0, ge=1)  # wall seconds that event ids are remembered


class StreamConfig(Hosted):
    batch: int = Field(200, ge=1, le=5000)  # entries read at once
    block_ms: int = Field(200, ge=1, le=5000)  # wait for entries, ms
    linger_ms: int = Field(100, ge=0, le=5000)  # between batches: one round trip for many entries


class RedisConfig(Document):
    """Of the store itself. What it does once its memory is full: refuse writes (noeviction), or let keys go, those that
    nobody has used for longest: of all (allkeys-lru), or of those that have an end (volatile-lru)."""

    maxmemory_mb: int = Field(512, ge=8, le=8192)  # the laptop world's rows take some 25; a runaway must not take all
    policy: Literal["noeviction", "allkeys-lru", "volatile-lru"] = "noeviction"
    replica: bool = False  # kept for who reads (features.reads); who writes looks at once a write whether it is behind


class Config(BaseModel, extra="forbid"):
    """All documents, and a version that grows with every change."""

    version: int = 1
    gateway: GatewayConfig = GatewayConfig()
    features: FeaturesConfig = FeaturesConfig()
    retrieval: RetrievalConfig = RetrievalConfig()
    ranking: RankingConfig = RankingConfig()
    model: ModelConfig = ModelConfig()
    rules: RulesConfig = RulesConfig()
    events: EventsConfig = EventsConfig()
    stream: StreamConfig = StreamConfig()
    redis: RedisConfig = RedisConfig()

    @property
    def replicas(self) -> dict[str, int]:
        """Instances of each service that can have several."""
        return {service: getattr(self, service).replicas for service in SCALABLE}

    def with_replicas(self, replicas: Mapping[str, int]) -> Config:
        """The same with other numbers of instances. replicas: service -> instances. Raises CFG-001 for a service that
        cannot have several, or too many of one."""
        changed = self.model_copy(deep=True)
        for service, n in replicas.items():
            try:
                if service not in SCALABLE:
                    raise ValueError(service)
                getattr(changed, service).replicas = n
            except ValueError as error:
                raise SandboxError(
                    "CFG-001",
                    where="replicas",
                    seen=f"{service}={n}",
                    expected=f"1 to {MOST} instances of one of {', '.join(SCALABLE)}",
                    fix="the others have one instance each: see docs/operating.md",
                ) from error
        return changed

    def handlers(self, service: str, usual: int) -> int:
        """Of each instance. usual: where its settings say nothing."""
        document = getattr(self, service, None)
        return (document.max_handlers if isinstance(document, Hosted) else None) or usual

    def concurrency(self, service: str) -> Concurrency | None:
        """The limit of each instance, None where every call is let in."""
        document = getattr(self, service, None)
        return document.concurrency if isinstance(document, Hosted) else None

    def balancing(self, caller: str) -> str:
        """The policy by which a service's calls choose an instance; that of others cannot be set."""
        document = getattr(self, caller, None)
        return document.balancing if isinstance(document, Calling) else "round_robin"

    def save(self, run_dir: Path) -> None:
        write_atomically(run_dir / "config.json", self.model_dump_json(indent=1))

    @classmethod
    def load(cls, run_dir: Path) -> Config:
        """Raises CFG-002 when there is none, CFG-003 when it is malformed."""
        return read_document(run_dir / "config.json", cls.model_validate, "CFG-002")
