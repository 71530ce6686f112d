import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def python(*words: str) -> subprocess.CompletedProcess[str]:
    path = f"{ROOT}{os.pathsep}{ROOT / 'platform'}"
    command, env = [sys.executable, *words], os.environ | {"PYTHONPATH": path}
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)


def test_help_names_the_keys() -> None:
    done = python("-m", "jobs.bench", "--help")
    assert done.returncode == 0
    for key in ("which=", "exams=24", "repeats=3", "out=runs/bench"):
        assert key in done.stdout


def test_help_imports_nothing_heavy() -> None:
    heavy = ("numpy", "torch", "ray", "httpx", "pyarrow")
    code = f"import sys, jobs.bench; print([name for name in {heavy} if name in sys.modules])"
    assert python("-c", code).stdout.strip() == "[]"


def test_an_unknown_key_is_one_clear_line(tmp_path: Path) -> None:
    done = python("-m", "jobs.bench", "exam=3")
    assert done.returncode == 2
    assert done.stderr.strip() == "error: unknown key 'exam': did you mean 'exams'?"


def test_a_bench_of_nothing_prints_where_it_ran(tmp_path: Path) -> None:
    done = python("-m", "jobs.bench", f"out={tmp_path}", "which=[]")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("commit ")
    assert (tmp_path / "bench.json").is_file()
