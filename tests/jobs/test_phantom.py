from pathlib import Path

from tests.console import run_job

SMALL = ["exams=1", "height=256", "width=208", "pixel_mm=0.5", "workers=1"]


def test_one_command_writes_an_archive(tmp_path: Path) -> None:
    done = run_job("phantom", f"out={tmp_path}", *SMALL)
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "images").glob("*.dcm"))) == 8
    assert (tmp_path / "annotations.csv").is_file()
    assert (tmp_path / "exams.csv").is_file()
    assert done.stderr.strip().startswith("phantoms: 1 exams in")


def test_a_misspelt_key_is_one_clear_line(tmp_path: Path) -> None:
    done = run_job("phantom", f"out={tmp_path}", "exams=1", "visibility.bth=1")
    assert done.returncode == 2
    assert done.stderr.strip() == (
        "error: unknown key 'visibility.bth': did you mean 'visibility.both'?"
    )


def test_help_names_every_share() -> None:
    assert "visibility.sm_only=0.25" in run_job("phantom", "--help").stdout
