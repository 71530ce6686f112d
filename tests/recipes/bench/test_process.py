from pathlib import Path

import pytest

from mgray.errors import MgrayError
from mgray.recipes.bench.process import peak_of, seconds_of


def test_a_job_is_timed_and_its_words_are_kept(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert 0 < seconds_of(["this"], log) < 60
    assert "Zen of Python" in log.read_text()


def test_words_of_several_jobs_follow_each_other(tmp_path: Path) -> None:
    log = tmp_path / "log"
    for _ in range(2):
        seconds_of(["this"], log)
    assert log.read_text().count("Zen of Python") == 2


def test_a_failed_job_is_told_with_its_last_words(tmp_path: Path) -> None:
    with pytest.raises(MgrayError, match=r"json\.nothing failed, exit code 1: .*No module named"):
        seconds_of(["json.nothing"], tmp_path / "log")


def test_a_job_has_a_peak(tmp_path: Path) -> None:
    code = "import time; data = b'x' * 2**26; time.sleep(1)"
    assert peak_of(["timeit", "-n1", "-r1", code], tmp_path / "log") > 2**26
