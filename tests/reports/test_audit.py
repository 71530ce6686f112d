import numpy as np
import pytest

from mgray.data.pairs import build_pairs
from mgray.data.table import ImageTable
from mgray.reports.audit import audit_pairs, small_copy


def test_the_same_breast_at_two_sizes_is_aligned(world: object) -> None:
    table = ImageTable.open(world.config.data)
    audit = audit_pairs(table, build_pairs(table)[:3])
    assert audit.failed == 0
    assert audit.dice.min() > 0.9
    assert audit.offset.max() < 0.05


def test_no_pairs_give_an_empty_audit(world: object) -> None:
    assert len(audit_pairs(ImageTable.open(world.config.data), []).dice) == 0


@pytest.mark.parametrize(("side", "rows"), [(96, 96), (48, 48), (40, 48), (20, 24)])
def test_a_small_copy_is_the_smallest_size_that_is_large_enough(
    world: object, side: int, rows: int
) -> None:
    record = ImageTable.open(world.config.data).records([0])[0]
    image = small_copy(record, side)
    assert (record["rows"], image.shape[0]) == (96, rows)
    assert 0 <= float(np.min(image)) <= float(np.max(image)) <= 1
