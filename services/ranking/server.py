"""The ranking service: item features in, the contract's matrix to the model, one score a candidate."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sandbox.base.catalogue import Catalogue
from sandbox.base.config import Config, RankingConfig
from sandbox.base.errors import SandboxError
from sandbox.base.features import ITEM_STATS, USER_PROFILE, USER_SESSION, FeatureView, Rows, Status
from services.features.core import rows_of
from services.proto.recsys.v1 import (
    features_pb2,
    features_pb2_grpc,
    model_pb2,
    model_pb2_grpc,
    ranking_pb2,
    ranking_pb2_grpc,
)
from services.ranking.core import OBJECTIVES, Contract, Floats, Ints, assemble, combine
from services.ranking.report import absent_shares, input_rows
from services.skeleton.context import CURRENT, Context
from services.skeleton.host import Host, Registration

MAX_ITEMS = 1000
PRIOR = ITEM_STATS.columns.index("ctr_28d")  # orders the candidates where no model answers


class RankingServicer(ranking_pb2_grpc.RankingServicer):
    """Two stand-ins: default features where the store does not answer, the items' own click rate where
    the model does not. Both are named in the answer."""

    def __init__(self, host: Host) -> None:
        self.host, self.telemetry = host, host.telemetry
        self.catalogue = Catalogue.load(Path(host.run.world_dir) / "public" / "catalogue.npz")
        self.features = host.callee("features", features_pb2_grpc.FeaturesStub)
        self.model = host.callee("model", model_pb2_grpc.ModelStub)
        self.inputs: dict[str, tuple[str, ...]] = {}  # names of a model's columns, by version
        self.reports: set[asyncio.Task[None]] = set()
        self._configure(host.config)

    def _configure(self, config: Config) -> None:
        weights = weights_of(config.ranking)
        self.contract = Contract.of(config.ranking.contract_version, config.ranking.contract)
        self.weights = weights
        self.config = config.ranking

    async def start(self) -> None:
        """Nothing to load but the catalogue."""

    async def reconfigure(self, config: Config) -> None:
        """Raises CFG-001 or MODEL-003 and keeps what is in force when the contract cannot be used."""
        self._configure(config)

    async def stop(self) -> None:
        if self.reports:
            await asyncio.wait(self.reports, timeout=1.0)

    async def Rank(self, request: Any, context: Context) -> Any:
        ids = self._items(request.item_ids)
        fallbacks: list[str] = []
        profile, profile_ok = _row(USER_PROFILE, request.profile)
        session, session_ok = _row(USER_SESSION, request.session)
        stats = await self._stats(ids, context)
        if stats is None or not (profile_ok and session_ok):
            fallbacks.append("features")
        if stats is None:
            stats = no_rows(len(ids))
        contract = self.contract  # one request, one contract, whatever is reloaded meanwhile
        x = assemble(profile, session, stats.values, ids, stats.status, self.catalogue, contract)
        probabilities, version = await self._probabilities(request.user_id, ids, x, context)
        if probabilities is None:
            fallbacks.append("model")
            probabilities = np.zeros((len(ids), len(OBJECTIVES)), np.float32)
            scores = stats.values[:, PRIOR] * self.weights[0]
        else:
            scores = combine(probabilities, self.weights)
        missing = np.count_nonzero(stats.status != Status.PRESENT) / max(len(ids), 1)
        if version and context.chosen(self.config.sample_share):
            self._report_behind(x, stats, request, version, contract, context)
        return ranking_pb2.RankResponse(
            scores=scores.astype("<f4", copy=False).tobytes(),
            probabilities=probabilities.astype("<f4", copy=False).tobytes(),
            model_version=version,
            contract_version=contract.version,
            missing_share=missing,
            fallbacks=fallbacks,
        )

    def _items(self, packed: bytes) -> Ints:
        if len(packed) % 8 or len(packed) > 8 * MAX_ITEMS:
            raise SandboxError(
                "WIRE-001",
                where="Rank.item_ids",
                seen=f"{len(packed)} bytes",
                expected=f"8 bytes an id, at most {MAX_ITEMS} ids",
                fix="pack them as little-endian int64",
            )
        ids = np.frombuffer(packed, "<i8")
        unknown = ids[(ids < 0) | (ids >= self.catalogue.n_items)]
        if len(unknown):
            raise SandboxError(
                "WIRE-003",
                where="Rank.item_ids",
                seen=int(unknown[0]),
                expected=f"0 to {self.catalogue.n_items - 1}",
                fix="rank items that the world has",
            )
        return ids

    async def _stats(self, ids: Ints, context: Context) -> Rows | None:
        request = features_pb2.GetItemsRequest(view=ITEM_STATS.name, item_ids=ids.tobytes())
        try:
            answer = await self.features.call("GetItems", request, self.config.features, n_keys=len(ids))
            rows = rows_of(answer.rows)
            return rows if len(rows.status) == len(ids) else None
        except SandboxError as error:
            self.telemetry.log("warn", "item features missing", context.trace_id, code=error.kind.code)
            return None

    async def _probabilities(self, user: int, ids: Ints, x: Floats, context: Context) -> tuple[Floats | None, str]:
        """float32 [n, 3] and the version that scored; None and "" where none did."""
        request = model_pb2.ScoreRequest(user_id=user, item_ids=ids.tobytes(), inputs=x.tobytes(), n_columns=x.shape[1])
        try:
            answer = await self.model.call("Score", request, self.config.model, n_keys=len(ids))
        except SandboxError as error:
            self.telemetry.log("warn", "model did not score", context.trace_id, code=error.kind.code)
            return None, ""
        p = np.frombuffer(answer.probabilities, "<f4")
        strict = self.config.nonfinite == "fall_back"
        if len(p) != len(ids) * len(OBJECTIVES) or (strict and not np.isfinite(p).all()):
            self.telemetry.log("warn", "scores cannot be used", context.trace_id, n=len(p))
            return None, ""
        return p.reshape(-1, len(OBJECTIVES)), answer.model_version

    def _report_behind(
        self, x: Floats, stats: Rows, request: Any, version: str, contract: Contract, context: Context
    ) -> None:
        absent = absent_shares(
            request.profile in (b"", USER_PROFILE.default_row.tobytes()),
            request.session in (b"", USER_SESSION.default_row.tobytes()),
            stats.status,
        )
        quiet = replace(context, deadline=None)  # the request itself is over
        task = asyncio.create_task(self._report(x, absent, version, contract, quiet))
        self.reports.add(task)
        task.add_done_callback(self.reports.discard)

    async def _report(
        self, x: Floats, absent: dict[str, float], version: str, contract: Contract, context: Context
    ) -> None:
        """One row of model_inputs per column, named as the model's manifest names it."""
        CURRENT.set(context)
        names = await self._names(version)
        for row in input_rows(
            x, absent, names, contract, ts=self.host.world.now(), request_id=context.trace_id, model_version=version
        ):
            self.telemetry.row("model_inputs", row)

    async def _names(self, version: str) -> tuple[str, ...]:
        if version not in self.inputs:
            try:
                answer = await self.model.call("ListVersions", model_pb2.ListVersionsRequest(), self.config.model)
            except SandboxError:
                return ()
            self.inputs |= {v.version: tuple(v.inputs) for v in answer.versions if v.artifact == "ranker"}
        return self.inputs.get(version, ())


def _row(view: FeatureView, packed: bytes) -> tuple[NDArray[np.float32], bool]:
    """The row, and whether it is fit for use: NaN or infinity make it the default row.

    Empty is the default row too, and nothing wrong. Raises WIRE-001 for another size.
    """
    if not packed:
        return view.default_row, True
    if len(packed) != 4 * len(view.columns):
        raise SandboxError(
            "WIRE-001",
            where=f"Rank, row of {view.name}",
            seen=f"{len(packed)} bytes",
            expected=f"{4 * len(view.columns)} bytes",
            fix="send one float32 per column",
        )
    return fit_for_use(view, np.frombuffer(packed, "<f4"))


def fit_for_use(view: FeatureView, row: NDArray[np.float32]) -> tuple[NDArray[np.float32], bool]:
    """The row, and whether it is fit for use: NaN or infinity make it the view's default row."""
    return (row, True) if np.isfinite(row).all() else (view.default_row, False)


def weights_of(config: RankingConfig) -> Floats:
    """float32 [3]: what a click, a long dwell and a conversion are worth. Raises CFG-001."""
    weights = config.weights
    if len(weights) != len(OBJECTIVES) or not np.isfinite(weights).all():
        raise SandboxError(
            "CFG-001",
            where="ranking.weights",
            seen=str(weights),
            expected=f"one finite weight for each of {list(OBJECTIVES)}",
            fix="correct the configuration",
        )
    return np.array(weights, np.float32)


def no_rows(n: int) -> Rows:
    """`item_stats` where the store does not answer: n default rows, all missing."""
    return Rows(
        np.tile(ITEM_STATS.default_row, (n, 1)),
        np.full(n, np.nan),
        np.full(n, Status.MISSING, np.uint8),
        np.zeros(n, np.uint64),
    )


REGISTRATION = Registration("ranking", RankingServicer, ranking_pb2.DESCRIPTOR.services_by_name["Ranking"])
