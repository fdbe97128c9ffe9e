"""Scripts that start workers, without the guard that multiprocessing asks for."""

from __future__ import annotations

import subprocess
import sys

import pytest

_SCRIPT = """
from concurrent.futures import ProcessPoolExecutor
from math import factorial
from sandbox.runtime.spawning import WithoutMain

print("the script begins", flush=True)
process = WithoutMain().Process(target=factorial, args=(3,))
process.start()
process.join()
with ProcessPoolExecutor(2, mp_context=WithoutMain()) as pool:
    print(process.exitcode, list(pool.map(factorial, range(5))))
"""
_SAID = "the script begins\n0 [1, 1, 2, 6, 24]\n"


@pytest.mark.parametrize("way", ["script.py", "-m script", "-c", "-"])
def test_a_script_runs_once_however_it_was_started(way, tmp_path):
    (tmp_path / "script.py").write_text(_SCRIPT)
    arguments = ["-c", _SCRIPT] if way == "-c" else way.split()

    done = subprocess.run(
        [sys.executable, *arguments], cwd=tmp_path, input=_SCRIPT if way == "-" else "",
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == _SAID


def test_the_main_module_has_its_name_and_its_file_back():
    from sandbox.runtime.spawning import WithoutMain

    main = sys.modules["__main__"]
    before = dict(vars(main))

    process = WithoutMain().Process(target=len, args=("",))
    process.start()
    process.join()

    assert vars(main) == before
