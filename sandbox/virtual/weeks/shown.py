"""Everything that was shown, with what came of it, as one Parquet file: for analyses of one's own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sandbox.virtual.weeks.served import Served

SHOWN = "shown.parquet"
_SCHEMA = pa.schema(
    [
        ("ts", pa.float64()), ("user_id", pa.int32()), ("session_id", pa.int64()),
        ("depth", pa.int16()), ("arm", pa.string()), ("item_id", pa.int32()), ("position", pa.int16()),
        ("randomised", pa.bool_()), ("click_ts", pa.float64()), ("dwell_s", pa.float32()),
        ("liked", pa.bool_()), ("hidden", pa.bool_()), ("converted_ts", pa.float64()),
        ("revenue", pa.float32()),
    ]
)  # fmt: skip


class ShownWriter:
    """One row per shown item, by time. Times are world seconds, NaN where nothing happened."""

    def __init__(self, path: Path, arms: Sequence[str]) -> None:
        self._writer = pq.ParquetWriter(path, _SCHEMA, compression="zstd")
        self._arms = pa.array(arms, pa.string())

    def add(self, served: Served) -> None:
        row, slot = np.nonzero(served.item >= 0)
        arm = pa.DictionaryArray.from_arrays(pa.array(served.arm[row], pa.int32()), self._arms)
        columns = {
            "ts": served.ts[row], "user_id": served.user[row].astype(np.int32),
            "session_id": served.session[row], "depth": served.depth[row].astype(np.int16),
            "arm": arm.cast(pa.string()), "item_id": served.item[row, slot].astype(np.int32),
            "position": (slot + 1).astype(np.int16), "randomised": served.randomised[row, slot],
            "click_ts": served.click_ts[row, slot], "dwell_s": served.dwell_s[row, slot],
            "liked": served.liked[row, slot], "hidden": served.hidden[row, slot],
            "converted_ts": served.converted_ts[row, slot], "revenue": served.revenue[row, slot],
        }  # fmt: skip
        self._writer.write_table(pa.table(columns, schema=_SCHEMA))

    def close(self) -> None:
        self._writer.close()
