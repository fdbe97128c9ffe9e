"""The model server's shell: versions held side by side, batches, and switching without a gap."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sandbox.base import artefacts
from sandbox.base.arms import ranker_of
from sandbox.base.config import Config, ModelConfig
from sandbox.base.errors import SandboxError
from sandbox.base.features import N_RECENT
from sandbox.base.rows import row_of
from services.model.batching import Batcher, Scored
from services.model.core import N_PROFILE, Ranker, TwoTower, encode_user, load_ranker, load_two_tower, score
from services.model.shadow import Beside
from services.proto.recsys.v1 import model_pb2, model_pb2_grpc
from services.skeleton.context import Context
from services.skeleton.host import Host, Registration
from services.skeleton.seams import Call

N_MAX = 1000  # rows of one call
LOG_EVERY_S = 1.0  # wall seconds between warnings of one kind, or bad inputs would flood the lake


WARM_ROWS = 200  # candidates of a usual request


@dataclass(frozen=True)
class Versions:
    """What is loaded, by version, and what answers calls that name none."""

    rankers: dict[str, Ranker]
    towers: dict[str, TwoTower]
    inputs: dict[str, list[str]]  # by ranker version: names of the columns it was trained with
    config: ModelConfig  # by which they were loaded


class ModelServicer(model_pb2_grpc.ModelServicer):
    """Inputs that are NaN or infinite count as 0, the default of the feature views, and are counted
    and logged: one bad cell must not cost the request. A wrong number of columns is refused."""

    def __init__(self, host: Host) -> None:
        torch.set_num_threads(1)  # batches are small: a second thread costs more than it brings
        self.host, config = host, host.config.model
        self.registries = host.run.registries
        self.batcher = Batcher(score, host.wall, config.max_batch, config.max_wait_ms / 1000, config.beat)
        self.versions = Versions({}, {}, {}, config)
        self.beside = Beside(host)
        self.bad_cells = 0
        self._logged = float("-inf")

    async def start(self) -> None:
        """Raises MODEL-001 and MODEL-002: a model server without its active versions is of no use."""
        self.versions = self._load(self.host.config.model)
        for ranker in self.versions.rankers.values():  # first passes allocate: not in a request
            n = len(ranker.config.inputs)
            score(ranker, -1, np.zeros(1, np.int64), np.zeros((1, n), np.float32))

    async def reconfigure(self, config: Config) -> None:
        """Loads what is asked for, then switches; calls in a batch finish with the version they
        were given. Raises MODEL-001 or MODEL-002 and keeps what is in force when it cannot."""
        self.versions = await asyncio.to_thread(self._load, config.model)
        self.batcher.max_rows = config.model.max_batch
        self.batcher.max_wait_s = config.model.max_wait_ms / 1000
        self.batcher.beat = config.model.beat

    async def stop(self) -> None:
        self.batcher.drain()
        await self.beside.stop()

    async def EncodeUser(self, request: Any, context: Context) -> Any:
        versions = self.versions
        version = request.version or versions.config.two_tower
        tower = versions.towers.get(version)
        if tower is None:
            raise self._not_loaded("two_tower", version, versions)
        if len(request.profile) != 4 * N_PROFILE:
            raise _shape("profile", len(request.profile), f"{4 * N_PROFILE} bytes")
        if len(request.recent) % 8 or len(request.recent) > 8 * N_RECENT:
            raise _shape("recent", len(request.recent), f"int64, at most {N_RECENT}")
        profile = np.frombuffer(request.profile, "<f4")[None, :].copy()  # torch wants it writable
        profile = self._finite(profile, context)
        recent = np.full((1, N_RECENT), -1, np.int64)
        recent[0, : len(request.recent) // 8] = np.frombuffer(request.recent, "<i8")
        user = np.array([request.user_id], np.int64)

        async def forward(call: Call | None) -> NDArray[np.float32]:
            given = (user, profile, recent) if call is None else call.payload
            return encode_user(tower, *given)

        vectors = await self._through("EncodeUser", version, (user, profile, recent), forward, context)
        return model_pb2.EncodeUserResponse(
            vector=np.ascontiguousarray(vectors[0], "<f4").tobytes(), encoder_version=version
        )

    async def Score(self, request: Any, context: Context) -> Any:
        versions = self.versions
        version = request.version or ranker_of(versions.config, context.user, self.host.world.now())
        ranker = versions.rankers.get(version)
        if ranker is None:
            raise self._not_loaded("ranker", version, versions)
        items, inputs = self._inputs(request, len(ranker.config.inputs), version, context)
        users = np.full(len(items), request.user_id, np.int64)
        began_world, began = self.host.world.now(), self.host.wall.now()
        scored: Scored | None = None

        async def forward(call: Call | None) -> NDArray[np.float32]:
            nonlocal scored
            given = (users, items, inputs) if call is None else call.payload
            scored = await self.batcher.submit(ranker, *given)
            return scored.probabilities

        p = await self._through("Score", version, (users, items, inputs), forward, context)
        if scored is not None:
            self.host.telemetry.row("spans", row_of.spans(
                ts=began_world, trace_id=context.trace_id, span_id=self.host.spans.next(),
                parent_id=context.span_id, service="model", instance=self.host.instance,
                op="forward", kind="internal", peer=version,
                dur_ms=(self.host.wall.now() - began) * 1000, queue_ms=scored.wait_ms, status="OK",
                n_keys=len(items), batch_size=scored.batch_rows,
            ))  # fmt: skip
        shadow = versions.config.shadow
        if shadow is not None and version == versions.config.ranker:
            self.beside.offer(shadow, versions.rankers[shadow.version], version, users, items, inputs, p, context)
        return model_pb2.ScoreResponse(probabilities=np.ascontiguousarray(p, "<f4").tobytes(), model_version=version)

    async def ListVersions(self, request: Any, context: Context) -> Any:
        held = self.versions
        rows = [
            model_pb2.ModelVersion(artifact="two_tower", version=v, active=v == held.config.two_tower)
            for v in held.towers
        ]
        rows += [
            model_pb2.ModelVersion(artifact="ranker", version=v, active=v == held.config.ranker, inputs=held.inputs[v])
            for v in held.rankers
        ]
        return model_pb2.ListVersionsResponse(versions=rows)

    async def _through(
        self, op: str, version: str, payload: tuple[Any, ...], forward: Any, context: Context
    ) -> NDArray[np.float32]:
        """`forward`, through the model seam where that is armed."""
        if not self.host.seams.model:
            out: NDArray[np.float32] = await forward(None)
            return out
        call = Call(
            "model", "model", version, op, context.user, context.session, context.depth,
            context.region, payload=tuple(map(np.array, payload)),
        )  # fmt: skip
        wrapped: NDArray[np.float32] = await self.host.seams.model.run(call, forward)
        return wrapped

    def _inputs(
        self, request: Any, n_columns: int, version: str, context: Context
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Item ids [n] and inputs [n, n_columns]. Raises WIRE-001, WIRE-002 and MODEL-003."""
        if len(request.item_ids) % 8 or not 8 <= len(request.item_ids) <= 8 * N_MAX:
            raise _shape("item_ids", len(request.item_ids), f"int64 [n], n in 1..{N_MAX}")
        items = np.frombuffer(request.item_ids, "<i8")
        if request.n_columns != n_columns:
            raise SandboxError(
                "MODEL-003",
                where=f"Score, ranker {version}",
                seen=f"{request.n_columns} columns",
                expected=f"{n_columns} columns",
                fix="build the inputs by the manifest of that version",
            )
        if len(request.inputs) != 4 * len(items) * n_columns:
            raise SandboxError(
                "WIRE-001",
                where="ScoreRequest.inputs",
                seen=f"{len(request.inputs)} bytes",
                expected=f"float32 [{len(items)}, {n_columns}]",
                fix="send one row per item",
            )
        inputs = np.frombuffer(request.inputs, "<f4").reshape(len(items), n_columns)
        return items, self._finite(inputs, context)

    def _finite(self, values: NDArray[np.float32], context: Context) -> NDArray[np.float32]:
        if np.isfinite(values.sum(dtype=np.float64)):  # NaN and infinity survive a sum; one pass
            return values
        bad = int((~np.isfinite(values)).sum())
        self.bad_cells += bad
        if self.host.wall.now() - self._logged >= LOG_EVERY_S:
            self._logged = self.host.wall.now()
            self.host.telemetry.log(
                "warn", "inputs not finite", context.trace_id, cells=bad, cells_total=self.bad_cells
            )
        return np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)

    def _load(self, config: ModelConfig) -> Versions:
        """Everything the configuration names. What is loaded already is kept, not read anew."""
        held = self.versions
        rankers, towers, inputs = {}, {}, {}
        keep = dict.fromkeys(("ranker", "two_tower"), config.keep_loaded)
        for version in config.keep_loaded:
            of = [a for a in keep if self._exists(a, version)]
            if not of:
                raise self._not_loaded("keep_loaded", version, held)
            keep = {a: [v for v in names if v != version or a in of] for a, names in keep.items()}
        rolling = [rolled.version for rolled in (config.canary, config.shadow) if rolled is not None]
        for version in dict.fromkeys([config.ranker, *keep["ranker"], *rolling]):
            if version in held.rankers:
                rankers[version], inputs[version] = held.rankers[version], held.inputs[version]
                continue
            found = artefacts.find(self.registries, "ranker", version)
            tensors = found.read("model.safetensors")
            rankers[version] = load_ranker(tensors, found.manifest.config)
            inputs[version] = list(found.manifest.inputs)
            _warm_ranker(rankers[version], len(inputs[version]))
        for version in dict.fromkeys([config.two_tower, *keep["two_tower"]]):
            if version in held.towers:
                towers[version] = held.towers[version]
                continue
            found = artefacts.find(self.registries, "two_tower", version)
            tensors = found.read("model.safetensors")
            towers[version] = load_two_tower(tensors, found.manifest.config)
            _warm_tower(towers[version])
        return Versions(rankers, towers, inputs, config)

    def _exists(self, artifact: str, version: str) -> bool:
        """`keep_loaded` lists versions of both artifacts in one list."""
        return any((r / artifact / version / "manifest.json").exists() for r in self.registries)

    def _not_loaded(self, artifact: str, version: str, versions: Versions) -> SandboxError:
        held = versions.towers if artifact == "two_tower" else versions.rankers
        return SandboxError(
            "MODEL-001",
            where=f"model server, {artifact}",
            seen=version,
            expected=f"one of {sorted(held)}",
            fix="load it: name it in the model configuration",
        )


def _warm_ranker(model: Ranker, n_inputs: int) -> None:
    """The first forward pass allocates and compiles: nobody's request should wait for that."""
    score(model, -1, np.zeros(WARM_ROWS, np.int64), np.zeros((WARM_ROWS, n_inputs), np.float32))


def _warm_tower(model: TwoTower) -> None:
    recent = np.full((1, N_RECENT), -1, np.int64)
    encode_user(model, np.array([-1]), np.zeros((1, N_PROFILE), np.float32), recent)


def _shape(name: str, n_bytes: int, expected: str) -> SandboxError:
    return SandboxError(
        "WIRE-001",
        where=f"model, {name}",
        seen=f"{n_bytes} bytes",
        expected=expected,
        fix="pack the array as documented in model.proto",
    )


REGISTRATION = Registration("model", ModelServicer, model_pb2.DESCRIPTOR.services_by_name["Model"])
