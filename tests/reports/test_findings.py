from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mgray.errors import ConfigError, DataError
from mgray.reports.findings import COLOURS, FindingsConfig, captions, choose, draw_table


def config(**told: object) -> FindingsConfig:
    return FindingsConfig.model_validate({"source": "phantom", **told})


def rows(*findings: int, dataset: str = "phantom") -> list[dict[str, object]]:
    return [{"dataset": dataset, "annotations": [{}] * count} for count in findings]


def test_images_with_findings_come_first() -> None:
    assert choose(rows(0, 1, 0, 2), config(count=2)) == [1, 3]
    assert choose(rows(0, 1, 0, 2), config(count=3)) == [0, 1, 3]


def test_many_are_chosen_evenly() -> None:
    assert choose(rows(*[1] * 100), config(count=4)) == [0, 25, 50, 75]


def test_other_datasets_are_left_out() -> None:
    assert choose(rows(1, dataset="embed"), config()) == []


def test_caption_says_labels_and_slice() -> None:
    record = {
        "laterality": "L", "view": "CC", "image_kind": "dbt", "birads": None, "pathology": "benign",
        "cancer": 0, "annotations": [{"frame_index": 3}, {"frame_index": None}],
        "licence_tag": None,
    }  # fmt: skip
    assert captions(record) == ("L CC dbt slice 3 unknown", "path benign cancer 0")


def test_picture_shows_findings_in_their_colour(phantom_table: Path, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "picture.png"
    assert draw_table(config(table=phantom_table, out=out, count=6, side=120)) == 6
    with Image.open(out) as picture:
        pixels, told = np.asarray(picture).reshape(-1, 3), picture.info["Copyright"]
    seen = set(map(tuple, np.unique(pixels, axis=0).tolist()))
    assert {COLOURS["malignant"], COLOURS["benign"]} & seen
    assert told == "Apache-2.0"


def test_table_of_another_dataset_is_one_line(phantom_table: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no image of embed"):
        draw_table(config(source="embed", table=phantom_table, out=tmp_path / "a.png"))


def test_picture_needs_a_name(phantom_table: Path) -> None:
    with pytest.raises(ConfigError, match=r"table=DIR and out=PICTURE\.png go together"):
        draw_table(config(table=phantom_table))
