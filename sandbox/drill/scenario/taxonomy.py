"""The public words of an incident report: which components there are and what can be wrong with them.

Components have neighbours and mechanisms have families: a report that names the neighbour or the
family earns part of the credit. Both lists hold far more than any pack of scenarios uses.
"""

from __future__ import annotations

from dataclasses import dataclass

NONE = "none"  # the component of a report that finds nothing wrong


@dataclass(frozen=True)
class Component:
    """name: what a report writes. about: one line. neighbours: components next to it, both ways."""

    name: str
    about: str
    neighbours: tuple[str, ...] = ()


@dataclass(frozen=True)
class Mechanism:
    """name: what a report writes. family: its parent, itself a legal, coarser answer."""

    name: str
    family: str
    about: str


_COMPONENTS = (
    Component(
        "gateway",
        "answers users, holds the deadline budget and the fallbacks",
        ("gateway->features", "gateway->retrieval", "gateway->ranking", "gateway->rules", "gateway->events"),
    ),
    Component("gateway->features", "the calls from gateway to features", ("features",)),
    Component("gateway->retrieval", "the calls from gateway to retrieval", ("retrieval",)),
    Component("gateway->ranking", "the calls from gateway to ranking", ("ranking",)),
    Component("gateway->rules", "the calls from gateway to rules", ("rules",)),
    Component("gateway->events", "the calls from gateway to events", ("events",)),
    Component("retrieval->model", "the calls from retrieval to model", ("retrieval", "model")),
    Component("ranking->features", "the calls from ranking to features", ("ranking", "features")),
    Component("ranking->model", "the calls from ranking to model", ("ranking", "model")),
    Component("retrieval", "merges candidates from several sources", ("index", "two_tower")),
    Component("index", "the vectors that retrieval searches", ("two_tower",)),
    Component("two_tower", "the model whose towers encode users and items", ("model", "training_set")),
    Component("features", "the service that reads feature rows", ("store", "user_profile", "item_stats")),
    Component("store", "the Redis that holds feature rows and the event stream", ("stream",)),
    Component("user_profile", "long-term features of a user, written by a batch job", ("materialisation",)),
    Component("item_stats", "features of an item, written by a batch job", ("materialisation",)),
    Component(
        "user_session", "recent clicks of a user, written by the stream processor", ("stream", "features", "user_seen")
    ),
    Component("user_seen", "items a user was shown, written by the stream processor", ("stream", "rules")),
    Component("materialisation", "the batch jobs that write features to the store", ("store",)),
    Component("ranking", "builds the ranker's inputs and orders candidates", ("ranker", "features")),
    Component("ranker", "the model that predicts click, long dwell and conversion", ("model", "training_set")),
    Component("model", "the service that runs both models"),
    Component("training_set", "the rows that a model is trained on", ("events",)),
    Component("rules", "the business rules: hard filters, caps, boosts, exploration", ("sensitivity_list",)),
    Component("sensitivity_list", "the list and thresholds that the sensitivity rule applies"),
    Component("events", "takes in feedback and writes it to the stream", ("stream",)),
    Component("stream", "the processor that turns the stream into session features"),
    Component("consent", "whom one may personalise: the ledger, and how it is asked", ("gateway", "features")),
    Component("experiments", "assignment to arms and what is concluded", ("gateway",)),
    Component("traffic", "how many users come, and which"),
    Component("monitoring", "dashboards, alerts and the telemetry behind them"),
    Component(NONE, "nothing is wrong"),
)

_FAMILIES: dict[str, dict[str, str]] = {
    "latency": {
        "slow-edge": "one caller waits long for one callee, which itself is quick",
        "slow-callee": "the work of one service takes longer",
        "unbatched-calls": "many small calls where one did",
        "pool-starvation": "calls wait for a free handler",
        "store-stall": "the store stops for moments",
        "big-command": "one large command holds the store, and all others wait for it",
        "batch-wait": "requests wait for company in a model batch",
    },
    "overload": {
        "traffic-surge": "more users than there is capacity for",
        "retry-storm": "retries keep the system busy after the cause has gone",
        "cache-stampede": "many misses at once",
        "uneven-load": "one instance takes the calls of all, the others idle",
        "bot-traffic": "machines pose as users",
        "job-collision": "a batch job takes what those who serve need, while it runs",
        "resource-exhaustion": "processor or memory runs out",
        "cpu-throttled": "a limit holds a process while processors are free",
        "noisy-neighbour": "a program beside the stack takes the processor",
    },
    "availability": {
        "crash-loop": "a process dies again and again",
        "errors-from-callee": "one callee answers with errors",
        "fallback-served": "a designed fallback answers in place of the real thing",
    },
    "staleness": {
        "stream-lag": "the stream is processed too late",
        "materialisation-stalled": "a batch job no longer writes",
        "window-skipped": "a batch job runs, and passes over the input that it should have read",
        "stale-input-reused": "a job runs on time on old input",
        "replica-lag": "reads come from a copy that has not caught up with what was written",
        "index-outdated": "the index lacks what is new",
    },
    "feature-values": {
        "feature-contract": "serving gives the model other features, or in other places, than it expects",
        "transform-skew": "one feature is computed in two ways",
        "wrong-entity": "rows of another entity are served",
        "defaults-mask-errors": "defaults stand in for rows that failed to load",
        "non-finite": "numbers that are none (NaN, infinity) among inputs or scores",
        "rows-expired": "rows run out before they are renewed",
        "rows-evicted": "a full store lets rows go that were still wanted",
    },
    "training-data": {
        "group-undersampled": "the training set holds too few rows of one group",
        "biased-labels": "labels carry an old prejudice",
        "label-leakage": "a feature knows the label",
        "immature-labels": "labels were read before they could come true",
        "feedback-loop": "the model learns from what it chose to show",
        "position-bias": "the place, not the item, earned the click",
    },
    "version-mismatch": {
        "encoder-index-skew": "queries and vectors come from different models",
        "split-versions": "instances run different versions",
        "id-map-misaligned": "rows of the index point at other items",
        "bad-model-promoted": "a worse model passed the gate",
    },
    "retrieval-quality": {
        "recall-collapse": "the index search misses its neighbours",
        "source-empty": "one candidate source gives nothing",
        "metric-mismatch": "the index measures another distance than the model",
    },
    "policy": {
        "overblocking": "a filter removes what it should let through",
        "filter-open": "a filter lets through what it should remove",
        "rule-order": "a later rule undoes an earlier one",
        "diversity-overcap": "a cap pushes relevance out",
        "label-lag": "labels come after the item was shown",
    },
    "privacy": {
        "consent-assumed": "no answer of the ledger is taken for a yes",
        "withdrawal-lag": "a withdrawal is acted on too late",
        "optout-ignored": "a no that came in one way is not listened to",
        "erasure-incomplete": "erased people are still there, or come back",
        "wrong-jurisdiction": "people are treated as people of another region",
    },
    "experiment": {
        "assignment-mismatch": "arms do not have the sizes they were designed for",
        "contamination": "one arm learns from the other",
        "read-too-early": "a conclusion before the outcome matured",
    },
    "measurement": {
        "events-lost": "outcomes do not reach the log",
        "events-doubled": "outcomes are counted twice",
        "dead-metric": "a metric no longer measures anything",
        "join-broken": "what was done is logged, and no longer finds what it was done with",
        "meaning-changed": "a field is read in another unit or meaning than it was written in",
        "sampling-bias": "what is sampled is not what happens",
    },
    "benign": {
        "coincident-change": "a harmless change beside a harmless wobble",
        "mix-shift": "other users came; each kind is served as before",
        "preference-drift": "people want other things now",
        "chance": "a fluctuation within the usual band",
    },
}

COMPONENTS = {component.name: component for component in _COMPONENTS}
FAMILIES = tuple(_FAMILIES)
MECHANISMS = {
    name: Mechanism(name, family, about) for family, members in _FAMILIES.items() for name, about in members.items()
}
assert len(COMPONENTS) == len(_COMPONENTS), "a component is declared twice"
assert not set(FAMILIES) & set(MECHANISMS), "a family and a mechanism share a name"


def are_neighbours(one: str, other: str) -> bool:
    """True when the two components touch; a component is not its own neighbour."""
    if one == other:
        return False
    return other in COMPONENTS[one].neighbours or one in COMPONENTS[other].neighbours


def family_of(mechanism: str) -> str:
    """The family of a mechanism; a family is its own."""
    return mechanism if mechanism in FAMILIES else MECHANISMS[mechanism].family


# Columns by which a segment may be named in a report, with the table that holds each; `user_bucket` is
# user_id modulo 100.
SEGMENT_COLUMNS = {
    "region": "requests", "segment": "requests", "surface": "requests", "depth": "requests",
    "client": "requests", "user_lang": "users", "age_band": "users", "main_topic": "users",
    "lang": "items", "creator_group": "items", "category": "items", "sensitivity": "items",
    "age_rating": "items", "cand_source": "impressions", "personalised": "consent_ledger",
    "user_bucket": "users",
}  # fmt: skip
