"""The files of a logged history, written alike by presets and imports: columns as sandbox.base.worlds says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

KINDS = ("click", "dwell", "like", "hide", "conversion")
IMPRESSIONS = pa.schema(
    [
        ("ts", pa.float64()), ("request_id", pa.int64()), ("session_id", pa.int64()),
        ("user_id", pa.int32()), ("item_id", pa.int32()), ("position", pa.int16()),
        ("propensity", pa.float32()),
    ]
)  # fmt: skip
OUTCOMES = pa.schema(
    [
        ("event_ts", pa.float64()), ("ingest_ts", pa.float64()), ("request_id", pa.int64()),
        ("session_id", pa.int64()), ("user_id", pa.int32()), ("item_id", pa.int32()),
        ("kind", pa.string()), ("value", pa.float32()),
    ]
)  # fmt: skip


def impressions_writer(path: Path) -> pq.ParquetWriter:
    """A writer for tables of schema IMPRESSIONS, in order of ts; use it as a context."""
    # Statistics leave NaN out, and DuckDB concludes from them that isnan(propensity) is never true.
    sound = [name for name in IMPRESSIONS.names if name != "propensity"]
    return pq.ParquetWriter(path, IMPRESSIONS, compression="zstd", write_statistics=sound)


def write_outcomes(path: Path, outcomes: dict[str, np.ndarray]) -> None:
    """Write columns of schema OUTCOMES, in order of event_ts. kind: int8 [n], index of KINDS."""
    # Dictionaries only in memory: the file holds plain strings.
    kind = pa.DictionaryArray.from_arrays(pa.array(outcomes["kind"]), pa.array(KINDS))
    table = pa.table({**outcomes, "kind": kind.cast(pa.string())}).select(OUTCOMES.names)
    pq.write_table(table.cast(OUTCOMES), path, compression="zstd")
