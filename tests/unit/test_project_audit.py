"""The project looked at as a whole: what can be registered must be documented, tested and used."""

from __future__ import annotations

import ast
import itertools
import re
import tomllib
from pathlib import Path

import pytest

from faults.catalogue import CATALOGUE
from sandbox.base.errors import KINDS
from sandbox.base.schema import REQUIRED, TABLES
from sandbox.cli.reference import command_paths
from sandbox.drill.scenario import library
from services.rules.document import PARAMS

ROOT = Path(__file__).resolve().parents[2]
OURS = sorted(
    path
    for folder in ("sandbox", "services", "faults", "loadtest")
    for path in (ROOT / folder).rglob("*.py")
    if "_pb2" not in path.name
)
COMMANDS = list(command_paths())
# That it is a look-alike of something is not enough
ARMED = {step.fault.name for s in library.load_all().values() for step in s.timeline if step.fault}
SHELLS = {  # of services: what they do is I/O
    "behind", "record", "server", "processor", "batching", "probe", "client", "host", "lines", "directory", "status", "store",
    "feature_store", "telemetry", "generate", "pool", "keeper", "burden", "other_work", "shadow", "journal", "trunk", "exchange",
    "replica",
}  # fmt: skip
CORES_APART = {
    "services.model.core",
    "services.skeleton.breaker",
    "services.skeleton.gate",
    "services.skeleton.seams",
    "services.skeleton.rows",
    "services.skeleton.room_request",
    "services.skeleton.messages",
    "services.events.places",
    "services.features.fetch",
    "services.features.consents",
    "services.gateway.region",
}  # torch; a contract of
# its own; what wraps I/O
PROTOS = sorted((ROOT / "services/proto/recsys/v1").glob("*.proto"))


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_fault_is_documented_tested_and_used(name):
    layer, module = CATALOGUE[name].__module__.split(".")[1:]
    assert f"\n### `{name}`\n" in (ROOT / "docs/faults.md").read_text()
    assert (ROOT / "tests/unit/faults" / layer / f"test_{module}.py").exists()
    assert name in ARMED, "no scenario arms it"


def test_every_module_of_the_services_is_a_shell_or_held_to_do_no_io():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    held = next(c for c in contracts if c["name"] == "Cores do no I/O")["source_modules"]
    modules = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in (ROOT / "services").glob("*/*.py")
        if path.stem not in {*SHELLS, "__init__"}
    }

    assert modules - CORES_APART == set(held)


@pytest.mark.parametrize("path", [path for path, _ in COMMANDS])
def test_every_command_is_documented(path):
    assert f"\n### `sandbox {path}`\n" in (ROOT / "docs/cli.md").read_text()


@pytest.mark.parametrize(("path", "command"), COMMANDS, ids=[p for p, _ in COMMANDS])
def test_every_command_that_prints_data_has_json(path, command):
    silent = {"completion", "drill shell", "mcp"}  # a script, for people only, a protocol of its own
    if path not in silent:
        assert "--json" in {option for p in command.params for option in p.opts}


@pytest.mark.parametrize("table", TABLES.values(), ids=list(TABLES))
def test_every_lake_column_says_what_it_holds(table):
    assert table.row
    assert all(len(column.comment) > 3 for column in table.columns)
    assert len(set(table.names)) == len(table.names)


def test_the_lake_names_every_rule():
    rule_id = next(c for c in TABLES["rule_decisions"].columns if c.name == "rule_id")
    assert PARAMS.keys() == set(rule_id.comment.removeprefix("rule: ").split(", "))


@pytest.mark.parametrize("table", TABLES)
def test_every_lake_table_is_documented(table):
    assert f"`{table}`" in (ROOT / "docs/sql.md").read_text()


@pytest.mark.parametrize("path", OURS, ids=lambda p: str(p.relative_to(ROOT)))
def test_rows_of_the_lake_are_built_by_the_names_of_their_columns(path):
    """Also where no test gets to: a call that the schema does not fit, or a tuple by place, is found here."""
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Call):
            continue
        if isinstance(node.func, ast.Attribute) and ast.unparse(node.func.value) == "row_of":
            columns = {c.name: c.default for c in TABLES[node.func.attr].columns}
            named = {keyword.arg for keyword in node.keywords}
            required = {name for name, default in columns.items() if default is REQUIRED}
            assert required <= named <= columns.keys(), f"{node.func.attr}, line {node.lineno}"
        for table, values in itertools.pairwise(node.args):
            if not (isinstance(table, ast.Constant) and table.value in TABLES):
                continue
            built = {ast.unparse(n.func) for n in ast.walk(values) if isinstance(n, ast.Call)}
            built = {of for of in built if of.startswith("row_of.")}
            assert not isinstance(values, ast.Tuple), f"line {node.lineno}: use row_of.{table.value}"
            assert built <= {f"row_of.{table.value}"}, f"line {node.lineno}"


@pytest.mark.parametrize("proto", PROTOS, ids=lambda p: p.stem)
def test_every_protobuf_field_says_what_it_is(proto):
    fields = re.findall(r"^  (?:repeated )?\w+ \w+ = \d+;(.*)$", proto.read_text(), re.M)
    assert all(rest.strip().startswith("//") for rest in fields)


@pytest.mark.parametrize("code", KINDS)
def test_every_error_is_raised_somewhere(code):
    uses = sum(f'"{code}"' in path.read_text() for path in OURS if path.name != "errors.py")
    assert uses, "nothing raises it: take it out before it is released"


BANNED = {  # call -> where it is allowed, and what to use instead
    "time.sleep": ({"sandbox/base/clock.py"}, "wait for a condition"),
    "np.random.seed": (set(), "sandbox.base.streams"),
    "np.random.default_rng": (set(), "sandbox.base.streams.stream"),
    "random.random": (set(), "sandbox.base.streams"),
    "random.seed": (set(), "sandbox.base.streams"),
    "pickle.load": (set(), "safetensors, npz or JSON"),
    "pickle.loads": (set(), "safetensors, npz or JSON"),
    "torch.load": (set(), "safetensors"),
    # A manifest says when it was built; nothing is computed from that.
    "datetime.now": ({"sandbox/world/files.py", "sandbox/cli/world_import.py"}, "a clock that was handed in"),
}
# Programs that wait for other processes or for people, by polling a condition; only ever shorter. And one that works
# for a part of the time.
POLLS = {
    "services/skeleton/other_work.py",
    "sandbox/runtime/operate/operations.py",
    "sandbox/runtime/stack.py",
    "sandbox/bench/profile/pyspy.py",
    "sandbox/bench/stack.py",
    "sandbox/privacy/erase.py",
}


def calls(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            found.add(ast.unparse(node.func))
    return found


@pytest.mark.parametrize("path", OURS, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_banned_call(path):
    name = str(path.relative_to(ROOT))
    for call in calls(path) & BANNED.keys():
        allowed, instead = BANNED[call]
        assert name in allowed or (call == "time.sleep" and name in POLLS), f"{call}: use {instead}"


WAITS = {  # the helpers; calls that are asked again until a breaker lets one through
    "tests/services/waiting.py",
    "tests/services/test_circuit_breaker.py",
    "tests/unit/runtime/test_control.py",  # a stranger that drips
}


def test_tests_wait_by_the_helpers():
    for path in sorted((ROOT / "tests").rglob("*.py")):
        if str(path.relative_to(ROOT)) in WAITS:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.While | ast.For):
                made = {ast.unparse(n) for n in ast.walk(node) if isinstance(n, ast.Call)}
                made -= {"asyncio.sleep(0)"}  # a turn of the loop, which takes no time
                assert not any(c.startswith(("time.sleep(", "asyncio.sleep(")) for c in made), (
                    f"{path}, line {node.lineno}: use tests.services.waiting"
                )


SEVERAL_KEYS = r"\.m(get|set|setnx)\(|\"M(GET|SET|SETNX)\",|\.pipeline\(|\"(MULTI|DEL|UNLINK)\","
KEYS_OF_ONE_SLOT = {
    "services/skeleton/feature_store.py",  # the port
    "services/events/processor.py",  # an acknowledgement and how far it is: one hash tag
    "services/features/server.py",  # a span's op
    "sandbox/virtual/processes/handlers/features.py",  # the same
    "sandbox/bench/kernels.py",  # the floor that the services are measured against, one node by its nature
}


@pytest.mark.parametrize("path", OURS, ids=lambda p: str(p.relative_to(ROOT)))
def test_only_the_feature_store_names_several_keys_in_one_command(path):
    found = re.search(SEVERAL_KEYS, path.read_text())
    assert bool(found) == (str(path.relative_to(ROOT)) in KEYS_OF_ONE_SLOT), found


def test_nothing_tracked_names_this_machine():
    for path in [*OURS, *(ROOT / "docs").rglob("*.md"), ROOT / "README.md", ROOT / "Makefile"]:
        text = path.read_text()
        assert not re.search(r"(?<![\w.])/(work|root|home/\w+)/", text), path
