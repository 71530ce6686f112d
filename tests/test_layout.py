"""The folder layout works, stays as the README draws it, and keeps the house's budgets."""

import ast
from pathlib import Path

import pytest

from tests.console import ROOT, imported, run_python

ROOTS = ("platform", "jobs", "serve", "tune")
SOURCES = sorted(path for root in ROOTS for path in (ROOT / root).rglob("*.py"))
JOBS = sorted(path for path in (ROOT / "jobs").glob("*.py") if path.stem != "__init__")
TRAINING = {"torch", "ray"}
CONFIGS = {*TRAINING, "numpy", "pandas", "pyarrow", "pydicom", "scipy", "matplotlib", "httpx"}
LIGHT = {
    "jobs.audit": CONFIGS,
    "jobs.bench": CONFIGS,
    "jobs.detect": CONFIGS - {"httpx"},
    "jobs.evaluate": CONFIGS,
    "jobs.experiment": TRAINING,
    "jobs.export": TRAINING,
    "jobs.ingest": CONFIGS - {"numpy", "pyarrow"},
    "jobs.listen": CONFIGS - {"httpx"},
    "jobs.phantom": CONFIGS,
    "jobs.train": TRAINING,
    "serve.app": {"torch"},
    "serve.decoder": {"torch"},
    "serve.detector": {"torch"},
    "tune.sweep": {*CONFIGS, "optuna"},
    "mgray.cluster": {"ray"},
    "mgray.dicom.child": {*CONFIGS, "cv2", "imagecodecs"} - {"numpy"},
    "mgray.dicom.record": TRAINING,
    "mgray.metrics.froc": TRAINING,
    "mgray.sources.csv_table": TRAINING,
}
"""Modules that must load fast, and what would make them slow."""
TEXTS = {"", ".css", ".html", ".j2", ".js", ".md", ".py", ".toml", ".txt", ".yaml"}
VAGUE = {"utils.py", "helpers.py", "common.py", "misc.py"}


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


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
    assert run_python("-c", "import platform, mgray; platform.system()").returncode == 0


@pytest.mark.parametrize(("module", "heavy"), LIGHT.items())
def test_import_stays_light(module, heavy):
    assert imported(module) & heavy == set()


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
    hosts = ("pypi" + ".org", "pythonhosted" + ".org", "registry.npm" + "js", "deb." + "debian.org")
    folders = [ROOT / folder for folder in (*ROOTS, "tests", "docs", ".ci")]
    files = [*ROOT.iterdir(), *(path for folder in folders for path in folder.rglob("*"))]
    texts = [path for path in files if path.is_file() and path.suffix in TEXTS]
    assert len(texts) > len(SOURCES)
    assert [name(path) for path in texts if any(h in path.read_text() for h in hosts)] == []
