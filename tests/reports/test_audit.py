import numpy as np
import pytest

from mgray.data.pairs import build_pairs
from mgray.data.table import ImageTable
from mgray.reports.audit import audit_pairs, small_copy


def test_the_audit_is_what_the_ingest_measured_of_these_pairs(world: object) -> None:
    pairs = build_pairs(ImageTable.open(world.config.data))
    audit = audit_pairs(world.config.data, [p for p in pairs if p.pair_key in ("test2", "test3")])
    assert (audit.failed, sorted(audit.dice), sorted(audit.offset)) == (
        0,
        pytest.approx([0.97, 0.98]),
        pytest.approx([0.01, 0.015]),
    )


def test_a_pair_that_was_not_measured_counts_as_failed(world: object) -> None:
    pairs = build_pairs(ImageTable.open(world.config.data))
    assert audit_pairs(world.config.data, pairs).failed == 2


def test_no_pairs_give_an_empty_audit(world: object) -> None:
    audit = audit_pairs(world.config.data, [])
    assert (len(audit.dice), audit.failed) == (0, 0)


@pytest.mark.parametrize(("side", "rows"), [(96, 96), (48, 48), (40, 48), (20, 24)])
def test_a_small_copy_is_the_smallest_size_that_is_large_enough(
    world: object, side: int, rows: int
) -> None:
    record = ImageTable.open(world.config.data).records([0])[0]
    image = small_copy(record, side)
    assert (record["rows"], image.shape[0]) == (96, rows)
    assert 0 <= float(np.min(image)) <= float(np.max(image)) <= 1
