from collections.abc import Callable
from typing import Any

import pyarrow as pa

from mgray.data.config import PreprocessConfig
from mgray.data.telling import telling_rows
from mgray.data.transforms import GEOMETRY_COLUMNS
from mgray.schema import IMAGE

NET = PreprocessConfig(net_height=100, net_width=100)


def index(make_row: Callable[..., Any], *changes: dict[str, Any]) -> pa.Table:
    rows = [make_row(**change) for change in changes]
    schema = pa.schema([IMAGE.field(name) for name in GEOMETRY_COLUMNS])
    return pa.Table.from_pylist(rows, schema=schema)


def test_a_row_of_each_kind_is_looked_at(make_row: Callable[..., Any]) -> None:
    kinds = ["ffdm", "ffdm", "synthetic_2d", "ffdm"]
    found = telling_rows(index(make_row, *({"image_kind": kind} for kind in kinds)), range(4), NET)
    assert found["image_kind"].to_pylist() == ["ffdm", "synthetic_2d"]


def test_of_smaller_images_the_smallest_breasts_are(
    make_row: Callable[..., Any],
) -> None:
    boxes = [None, (0, 0, 50, 50), (0, 5, 40, 10), (0, 0, 8, 60), (0, 9, 30, 29), (0, 0, 60, 60)]
    changes = ({"breast_box": box and list(box), "pixel_reduce": 1} for box in boxes)
    found = telling_rows(index(make_row, *changes), range(6), NET)
    assert found["breast_box"].to_pylist() == [None, *(list(box) for box in boxes[2:5] if box)]


def test_rows_that_no_pair_holds_are_not_looked_at(make_row: Callable[..., Any]) -> None:
    kinds = ["ffdm", "ffdm_raw", "synthetic_2d"]
    table = index(make_row, *({"image_kind": kind} for kind in kinds))
    found = telling_rows(table, [2, 0, 0], NET)
    assert found["image_kind"].to_pylist() == ["ffdm", "synthetic_2d"]


def test_no_row_tells_nothing(make_row: Callable[..., Any]) -> None:
    assert telling_rows(index(make_row, {}), [], NET).num_rows == 0
