"""A read of 200 items x 16 features through the service, beside what it can't do without."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import numpy as np
from grpc import aio

from sandbox.base.catalogue import Catalogue
from sandbox.base.features import ITEM_STATS, key
from sandbox.base.streams import uniforms
from sandbox.bench import echo, stats, transport
from sandbox.bench.processes import conditions
from sandbox.bench.stats import Report
from sandbox.runtime.stack import Stack
from services.proto.recsys.v1 import features_pb2, features_pb2_grpc
from services.skeleton.feature_store import RedisFeatures
from services.skeleton.store import Store

N_ITEMS = 200


def measure(stack: Stack, n: int) -> Report:
    """n reads of each kind, in turns. time_vs_floor: median of the service's read over the sum of the
    medians of a bare packed MGET of the same keys and of a bare RPC of the same size."""
    report = Report(
        conditions=conditions(
            world=stack.run.world, n=n, items=N_ITEMS, columns=len(ITEM_STATS.columns), floor=transport.described()
        )
    )
    with echo.running() as (_, address):
        service_ms, mget_ms, rpc_ms = asyncio.run(_in_turns(stack, address, n))
    floor_ms = stats.median(mget_ms) + stats.median(rpc_ms)
    report.figures |= {
        "service_p50_ms": stats.median(service_ms),
        "service_p99_ms": stats.quantile(service_ms, 0.99),
        "mget_p50_ms": stats.median(mget_ms),
        "rpc_p50_ms": stats.median(rpc_ms),
        "floor_ms": floor_ms,
    }
    report.ratios["time_vs_floor"] = stats.median(service_ms) / floor_ms
    return report


async def _in_turns(stack: Stack, echo_address: str, n: int) -> tuple[list[float], ...]:
    """Milliseconds of each service read, MGET and echo."""
    run = stack.run
    catalogue = Catalogue.load(Path(run.world_dir) / "public" / "catalogue.npz")
    n_items = min(N_ITEMS, catalogue.n_items)
    store = RedisFeatures(Store(run.redis))
    times: tuple[list[float], ...] = ([], [], [])
    async with aio.insecure_channel(run.addresses["features"]) as channel, transport.channel(echo_address) as bare:
        stub, call = features_pb2_grpc.FeaturesStub(channel), bare.unary_unary(transport.METHOD)
        for i in range(n + n // 10):
            lots = uniforms(run.seed, "bench/items", i, np.arange(catalogue.n_items))
            ids = np.argsort(lots)[:n_items].astype(np.int64)
            keys = [key(ITEM_STATS, item).encode() for item in ids.tolist()]
            request = features_pb2.GetItemsRequest(view=ITEM_STATS.name, item_ids=ids.tobytes())
            began = time.perf_counter()
            answer = await stub.GetItems(request)
            read = time.perf_counter()
            await store.fetch(keys)
            fetched = time.perf_counter()
            bytes_of_size = echo.request_of(request.ByteSize(), answer.ByteSize())
            started = time.perf_counter()
            await call(bytes_of_size)
            echoed = time.perf_counter()
            if i >= n // 10:  # the first tenth warms connections up
                for series, seconds in zip(times, (read - began, fetched - read, echoed - started), strict=True):
                    series.append(seconds * 1000)
    await store.close()
    return times
