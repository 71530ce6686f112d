"""The folder layout works, stays as the README draws it, and keeps the house's budgets."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOTS = ("platform", "jobs", "serve", "tune")
SOURCES = sorted(path for root in ROOTS for path in (ROOT / root).rglob("*.py"))
JOBS = sorted(path for path in (ROOT / "jobs").glob("*.py") if path.stem != "__init__")
VAGUE = {"utils.py", "helpers.py", "common.py", "misc.py"}


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def run(code: str) -> str:
    """Run Python from the repository root, as ``ray job submit`` does."""
    env = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'platform'}"}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def lengths(path: Path) -> list[tuple[str, int]]:
    """Name and length of every function, docstring not counted."""
    functions = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0]
            doc = first.end_lineno - first.lineno + 1 if ast.get_docstring(node) else 0
            functions.append((node.name, node.end_lineno - node.lineno + 1 - doc))
    return functions


def test_platform_is_a_source_root_not_a_package():
    assert not (ROOT / "platform" / "__init__.py").exists(), (
        "platform/__init__.py would replace Python's own platform module: "
        "Ray workers then die at import and jobs hang without a message. Delete it."
    )


def test_python_still_finds_its_own_platform_module():
    assert run("import platform, mgray; print(platform.system())")


@pytest.mark.parametrize(
    "module", ["mgray.dicom.record", "mgray.sources.csv_table", "mgray.metrics.froc"]
)
def test_import_stays_light(module):
    loaded = set(run(f"import sys, {module}; print(*sys.modules)").split())
    assert not loaded & {"torch", "ray"}


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_file_is_short(path):
    assert len(path.read_text().splitlines()) <= 400


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_functions_are_short(path):
    assert [entry for entry in lengths(path) if entry[1] > 50] == []


@pytest.mark.parametrize("path", JOBS, ids=name)
def test_a_job_only_parses_calls_and_exits(path):
    assert len(path.read_text().splitlines()) <= 40


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_name_says_what_is_inside(path):
    assert path.name not in VAGUE


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_nothing_is_unpickled(path):
    """Pickle's error types may be named; nothing of it may be called."""
    called = {
        ast.unparse(node.func)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
    }
    assert not {
        call for call in called if call.split(".")[0] in {"pickle", "cloudpickle", "dill", "shelve"}
    }


def test_tests_are_no_packages():
    assert list((ROOT / "tests").rglob("__init__.py")) == []


def test_no_registry_and_no_machine_is_named():
    tracked = run(
        "import subprocess; print(subprocess.check_output(['git', 'ls-files'], text=True))"
    )
    hosts = ("pypi" + ".org", "pythonhosted" + ".org", "registry.npm" + "js", "deb." + "debian.org")
    texts = [
        ROOT / line
        for line in tracked.splitlines()
        if (ROOT / line).suffix not in {".png", ".jpg", ".npz"}
    ]
    named = [
        name(path) for path in texts if path.is_file() and any(h in path.read_text() for h in hosts)
    ]
    assert named == []
