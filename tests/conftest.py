"""What all tests share: a home with the tiny world, and how they are spread over two workers."""

from __future__ import annotations

import fcntl
import gc
import os
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.runtime.building import ensure_built

_SPREAD = ("test_virtual_pack.py",)  # files whose tests share nothing and take minutes together


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is imported and collected stays to the end. To look through it for garbage is a sixth of collecting it, and
    would be a good part of every look afterwards: it is set aside."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Under `pytest -n`, the tests of one file stay together, as they share fixtures; those of
    `whole_stack` share a stack across files. Files go out in order: drills first, they take longest."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = Path(nodeid.partition("::")[0])
            if file.name in _SPREAD:
                return nodeid
            return str(file.parent if file.parent.name == "whole_stack" else file)

    config.option.loadscopereorder = False
    return ByFile(config, log)


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """SANDBOX_HOME for the session. Each worker has its own: "the latest run" and "what is still up" are asked of a
    home, and the other worker's stacks would answer. Worlds and twins, dear to make, are all workers'; tiny is built.

    $SANDBOX_TEST_HOME keeps those from one session to the next."""
    kept = os.environ.get("SANDBOX_TEST_HOME")
    base = tmp_path_factory.getbasetemp()
    shared = Path(kept) if kept else (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "shared-home"
    place = base / "home"
    place.mkdir()
    for name in ("worlds", "twins", "twins-in-use"):
        (shared / name).mkdir(parents=True, exist_ok=True)
        (place / name).symlink_to((shared / name).absolute())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SANDBOX_HOME", str(place))
        with (shared / "tests.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            ensure_built("tiny")
        yield place
