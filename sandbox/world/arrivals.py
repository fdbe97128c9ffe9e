"""When sessions begin and whose they are."""

from __future__ import annotations

import numpy as np

from sandbox.base.streams import stream
from sandbox.world.latent import Latent

BUCKET_S = 60.0  # sessions are drawn minute by minute, so that any window gives the same ones
_MAX_PER_BUCKET = 1 << 17  # and the minute's number times this is the first of its session ids


def diurnal(latent: Latent, ts: np.ndarray, user: np.ndarray) -> np.ndarray:
    """float64: weight of the local hour of user at ts (world seconds). Shapes broadcast."""
    hour = np.floor(ts / 3_600.0 + latent.user_tz_h[user]).astype(np.int64) % 24
    weight: np.ndarray = latent.diurnal[hour].astype(np.float64)
    return weight


def arrivals(
    latent: Latent, start_ts: float, end_ts: float, rate_per_s: float, seed: int, *, shaped: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """See Behaviour.arrivals."""
    if end_ts <= start_ts or rate_per_s <= 0:
        return np.empty(0), np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    everybody = np.arange(latent.n_users)
    daily = latent.user_rate.astype(np.float64).sum()
    by_hour: dict[int, tuple[np.ndarray, float]] = {}
    parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    for bucket in range(int(start_ts // BUCKET_S), int(np.ceil(end_ts / BUCKET_S))):
        begins = bucket * BUCKET_S
        hour = int(begins // 3_600)
        if hour not in by_hour:
            weight = latent.user_rate * diurnal(latent, np.array(begins), everybody)
            by_hour = {hour: (np.cumsum(weight), float(weight.sum() / daily))}
        cdf, busy = by_hour[hour]
        draw = stream(seed, "arrivals", bucket)
        count = draw.poisson(rate_per_s * BUCKET_S * (busy if shaped else 1.0))
        assert count < _MAX_PER_BUCKET, "more sessions in a minute than it has ids"
        ts = np.sort(begins + BUCKET_S * draw.random(count))
        user = np.minimum(np.searchsorted(cdf, draw.random(count) * cdf[-1]), latent.n_users - 1)
        parts.append((ts, user, bucket * _MAX_PER_BUCKET + np.arange(count, dtype=np.int64)))
    ts, user, session = (np.concatenate(column) for column in zip(*parts, strict=True))
    inside = (ts >= start_ts) & (ts < end_ts)
    return ts[inside], user[inside], session[inside]
