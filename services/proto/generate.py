"""Generates the Python of recsys/v1. `--check` only says whether what is committed is up to date."""

from __future__ import annotations

import sys
import tempfile
from importlib import resources
from pathlib import Path

from grpc_tools import protoc

HERE = Path(__file__).parent


def generate(target: Path) -> list[Path]:
    """Writes *_pb2.py, *_pb2.pyi and *_pb2_grpc.py under `target`, and returns them."""
    include = str(resources.files("grpc_tools") / "_proto")
    protos = sorted(str(p.relative_to(HERE)) for p in (HERE / "recsys/v1").glob("*.proto"))
    code = protoc.main(
        ["protoc", f"-I{HERE}", f"-I{include}", f"--python_out={target}", f"--pyi_out={target}",
         f"--grpc_python_out={target}", *protos]
    )  # fmt: skip
    if code:
        raise SystemExit(code)
    written = sorted((target / "recsys/v1").glob("*_pb2*"))
    for path in written:  # our package is services.proto.recsys.v1, protoc knows only recsys.v1
        path.write_text(path.read_text().replace("from recsys.v1 import", "from services.proto.recsys.v1 import"))
    return written


def main() -> int:
    if "--check" not in sys.argv:
        generate(HERE)
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        stale = [
            path.name
            for path in generate(Path(scratch))
            if not (HERE / "recsys/v1" / path.name).exists()
            or (HERE / "recsys/v1" / path.name).read_text() != path.read_text()
        ]
    if stale:
        sys.stderr.write(f"out of date: {', '.join(stale)}; run python -m services.proto.generate\n")
    return 1 if stale else 0


if __name__ == "__main__":
    raise SystemExit(main())
