"""The recorder loses nothing in a run that nobody asks about until its end."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from sandbox.base.schema import TABLES
from sandbox.telemetry.lake import Lake
from sandbox.telemetry.segments import MAX_BUFFERED_ROWS
from sandbox.virtual.machine.loop import Loop, World
from sandbox.virtual.processes.recorder import Recorder


def test_more_rows_than_are_kept_in_memory_are_all_there_at_the_end(tmp_path):
    items = SimpleNamespace(creator_group=np.zeros(1), item_creator=np.zeros(3, int), n_items=3)
    recorder = Recorder(tmp_path, World(Loop(), 0.0, 60.0), items)
    n = MAX_BUFFERED_ROWS + 30_000
    blank = (None,) * (len(TABLES["spans"].names) - 1)

    for ts in range(n):
        recorder("gateway", "spans", (float(ts), *blank))
    recorder.flush()

    lake = Lake(tmp_path)
    assert lake.query("SELECT count(*), min(epoch(ts)) FROM spans") == [(n, 0.0)]
