import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SMALL = ["exams=1", "height=256", "width=208", "pixel_mm=0.5", "workers=1"]


def job(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "jobs.phantom", *words],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": "platform"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_one_command_writes_an_archive(tmp_path: Path) -> None:
    done = job(f"out={tmp_path}", *SMALL)
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "images").glob("*.dcm"))) == 8
    assert (tmp_path / "annotations.csv").is_file()
    assert (tmp_path / "exams.csv").is_file()
    assert done.stderr.strip().startswith("phantoms: 1 exams in")


def test_a_misspelt_key_is_one_clear_line(tmp_path: Path) -> None:
    done = job(f"out={tmp_path}", "exams=1", "visibility.bth=1")
    assert done.returncode == 2
    assert done.stderr.strip() == (
        "error: unknown key 'visibility.bth': did you mean 'visibility.both'?"
    )


def test_help_names_every_share_and_imports_nothing_heavy() -> None:
    heavy = ("numpy", "cv2", "scipy", "pydicom")
    code = f"import sys, jobs.phantom; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env={**os.environ, "PYTHONPATH": "platform"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == "[]"
    assert "visibility.sm_only=0.25" in job("--help").stdout
