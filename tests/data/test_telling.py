from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from mgray.data.config import PreprocessConfig
from mgray.data.telling import telling_rows
from mgray.data.transforms import GEOMETRY_COLUMNS, check_record
from mgray.errors import DataError
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


@pytest.mark.parametrize("fit", ["stretch", "letterbox"])
@pytest.mark.parametrize("seed", range(20))
def test_what_is_told_is_refused_if_any_row_is(
    make_row: Callable[..., Any], seed: int, fit: str
) -> None:
    random = np.random.default_rng(seed)
    rows = []
    for _ in range(12):
        height, width = random.integers(220, 420, 2)
        low, high = np.sort(random.integers(0, [[width, height]], (2, 2)), axis=0)
        box = None if random.random() < 0.1 else [*map(float, (*low, *(high + 1)))]
        size = {"rows": int(height), "columns": int(width)}
        rows.append({**size, "breast_box": box, "pixel_reduce": int(random.integers(1, 3))})
    config = PreprocessConfig(net_height=64, net_width=48, fit=fit, margin=0.2)
    table = index(make_row, *rows)
    refused = [is_refused(row, config) for row in table.to_pylist()]
    told = telling_rows(table, range(12), config).to_pylist()
    assert any(is_refused(row, config) for row in told) == any(refused)


def is_refused(row: dict[str, Any], config: PreprocessConfig) -> bool:
    try:
        check_record(row, config)
    except DataError:
        return True
    return False


def test_a_rim_that_an_edge_cuts_shows_less(make_row: Callable[..., Any]) -> None:
    """The second breast is the smaller, the first one's rim makes its crop the larger."""
    boxes = [[300, 300, 1100, 1300], [0, 0, 805, 1005]]
    sizes = [{"rows": 4000, "columns": 4000}, {"rows": 1005, "columns": 4000}]
    rows = [
        {**size, "breast_box": [*map(float, box)], "pixel_reduce": 1}
        for size, box in zip(sizes, boxes, strict=True)
    ]
    config = PreprocessConfig(net_height=512, net_width=384)
    found = telling_rows(index(make_row, *rows), range(2), config)
    assert [0.0, 0.0, 805.0, 1005.0] in found["breast_box"].to_pylist()
