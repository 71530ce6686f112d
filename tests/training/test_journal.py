import csv
import logging
import time
from pathlib import Path

import pytest

from mgray.training.journal import Journal, follow, read_rows


def steps(journal: Journal) -> list[int]:
    return [row["step"] for row in read_rows(journal.jsonl)]


def test_rows_come_back_as_written(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.write({"step": 0, "val_loss": 2.5})
    journal.write({"step": 1, "loss": 2.0})
    assert read_rows(journal.jsonl) == [{"step": 0, "val_loss": 2.5}, {"step": 1, "loss": 2.0}]


def test_a_torn_last_line_is_left_out(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.write({"step": 1, "loss": 2.0})
    with journal.jsonl.open("a") as file:
        file.write('{"step": 2, "lo')
    assert steps(journal) == [1]


@pytest.mark.parametrize(("step", "kept"), [(0, []), (1, [0, 1]), (2, [0, 1, 2])])
def test_a_resumed_stage_forgets_what_comes_again(
    tmp_path: Path, step: int, kept: list[int]
) -> None:
    journal = Journal(tmp_path)
    for number in range(3):
        journal.write({"step": number})
    journal.rewind(step)
    assert steps(journal) == kept


def test_csv_has_the_union_of_columns(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.write({"step": 0, "val_loss": 2.5})
    journal.write({"step": 1, "loss": 2.0})
    journal.write_csv()
    with journal.csv.open() as file:
        rows = list(csv.DictReader(file))
    assert rows == [
        {"step": "0", "val_loss": "2.5", "loss": ""},
        {"step": "1", "val_loss": "", "loss": "2.0"},
    ]


def test_progress_follows_the_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    journal = Journal(tmp_path)
    with follow(journal.jsonl, "stage sm", 2, every_s=0.01):
        journal.write({"step": 1, "loss": 2.0})
        time.sleep(0.05)
        journal.write({"step": 2, "loss": 1.0})
    assert "stage sm: 2 steps in" in caplog.text
