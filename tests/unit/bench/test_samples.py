"""What a profiler wrote, read."""

from __future__ import annotations

from sandbox.bench.profile.measure import _shares
from sandbox.bench.profile.samples import of_flame_graph, of_stacks


def frame(name: str, y: int, x: int, w: int) -> str:
    return (
        f'<g><title>{name} ({w} samples, {w:.2f}%)</title><rect x="{x}.0000%" y="{y}" width="{w}.0000%" height="15" '
        f'fill="rgb(1,2,3)" fg:x="{x}" fg:w="{w}"/><text>{name}</text></g>'
    )


def test_a_functions_own_samples_are_those_that_what_it_calls_leaves():
    """100 samples: a main thread with 80, of which run has 30 of its own, and a pool's thread with 20."""
    svg = "".join(
        [
            frame("all", 52, 0, 100),
            frame("thread (0x7F01): &quot;MainThread&quot;", 68, 0, 80),
            frame("thread (0x7F02): &quot;pool_1&quot;", 68, 80, 20),
            frame("run (app.py:10)", 84, 0, 80),
            frame("work (pool.py:5)", 84, 80, 20),
            frame("step (app.py:20)", 100, 0, 40),
            frame("step (app.py:22)", 100, 40, 10),
        ]
    )

    seen = of_flame_graph(svg)

    assert seen.threads == {"MainThread": 80, "pool_1": 20}
    assert seen.top(3) == [("step (app.py)", 50), ("run (app.py)", 30), ("work (pool.py)", 20)]
    assert seen.total == 100


def test_stacks_count_for_their_thread_and_their_innermost_function():
    text = 'thread (0x7F01): "MainThread";run (a.py:1);step (a.py:9) 3\nthread (0x7F01): "MainThread";run (a.py:2) 2\n'

    seen = of_stacks(text)

    assert seen.threads == {"MainThread": 5}
    assert seen.innermost == {"step (a.py)": 3, "run (a.py)": 2}


def test_threads_without_a_name_are_told_as_one():
    seen = of_stacks("thread (0x7F01);run (a.py:1) 1\nthread (0x7F02);run (a.py:1) 4\n")

    assert seen.threads == {"unnamed": 5}


def test_a_process_that_never_ran_has_no_samples():
    assert of_stacks("").total == 0
    assert of_flame_graph("<svg></svg>").top(5) == []


def test_threads_of_one_name_share_a_line_and_idle_ones_have_none():
    before = {1: ("main", 1.0), 2: ("event_engine", 1.0), 4: ("timer", 3.0)}
    after = {1: ("main", 2.0), 2: ("event_engine", 1.5), 3: ("event_engine", 0.5), 4: ("timer", 3.0)}

    assert _shares(before, after, wall_s=2.0) == {"main": 0.5, "event_engine": 0.5}
