import json
from pathlib import Path

import pytest

from mgray.errors import DataError, NotFoundError
from mgray.reports.served import read_served

ANSWER = {"images": [{"detections": [{"label": "malignant", "score": 0.9}]}], "thresholds": {}}


def test_what_an_endpoint_answered_is_read_whole(tmp_path: Path) -> None:
    served = [{"what": "x", "seconds": 1.0, "answer": {**ANSWER, "more": 1}}]
    (tmp_path / "served.json").write_text(json.dumps(served))
    assert read_served(tmp_path / "served.json") == served


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="served: no file"):
        read_served(tmp_path / "none.json")


@pytest.mark.parametrize(
    "served",
    [
        ANSWER,
        [ANSWER],
        7,
        [{"what": "x", "seconds": 1.0, "answer": {"images": [], "thresholds": {}}}],
        [{"what": "x", "seconds": 1.0, "answer": {"error": "no", "thresholds": {}}}],
        [{"what": "x", "answer": ANSWER}],
    ],
)
def test_another_shape_is_one_line(tmp_path: Path, served: object) -> None:
    (tmp_path / "served.json").write_text(json.dumps(served))
    with pytest.raises(DataError, match=r"expected a list of \{what, seconds, answer\}, each"):
        read_served(tmp_path / "served.json")
