from pathlib import Path

from tests.console import run_job


def test_help_names_the_keys() -> None:
    done = run_job("bench", "--help")
    assert done.returncode == 0
    for key in ("which=", "exams=24", "repeats=3", "out=runs/bench"):
        assert key in done.stdout


def test_an_unknown_key_is_one_clear_line(tmp_path: Path) -> None:
    done = run_job("bench", "exam=3")
    assert done.returncode == 2
    assert done.stderr.strip() == "error: unknown key 'exam': did you mean 'exams'?"


def test_a_bench_of_nothing_prints_where_it_ran(tmp_path: Path) -> None:
    done = run_job("bench", f"out={tmp_path}", "which=[]")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("commit ")
    assert (tmp_path / "bench.json").is_file()
