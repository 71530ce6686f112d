import pytest
import torch

from mgray.models.anchors import ANCHORS_PER_CELL, build_anchors


def test_there_are_nine_anchors_in_each_cell() -> None:
    cells = sum((256 >> level) * (128 >> level) for level in range(3, 8))
    assert build_anchors(256, 128).shape == (cells * 9, 4)


def test_the_first_anchor_is_the_smallest_square_of_the_first_cell() -> None:
    assert build_anchors(128, 128)[0].tolist() == [4 - 16, 4 - 16, 4 + 16, 4 + 16]


def test_the_last_anchor_is_the_tallest_of_the_last_cell() -> None:
    x0, y0, x1, y1 = build_anchors(256, 128)[-1].tolist()
    side = 4 * 128 * 2 ** (2 / 3)
    assert (x1 - x0, y1 - y0) == pytest.approx((0.7 * side, 1.4 * side))
    assert ((x0 + x1) / 2, (y0 + y1) / 2) == pytest.approx((64, 192))


def test_cells_run_along_rows() -> None:
    boxes = build_anchors(128, 256)
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    torch.testing.assert_close(centres[ANCHORS_PER_CELL], torch.tensor([12.0, 4.0]))
    torch.testing.assert_close(centres[ANCHORS_PER_CELL * 32], torch.tensor([4.0, 12.0]))


def test_octaves_grow_by_the_cube_root_of_two() -> None:
    sides = build_anchors(128, 128)[:ANCHORS_PER_CELL:3]
    ratio = (sides[1:, 2] - sides[1:, 0]) / (sides[:-1, 2] - sides[:-1, 0])
    torch.testing.assert_close(ratio, torch.full((2,), 2 ** (1 / 3)))


def test_the_scale_scales_every_anchor() -> None:
    small, large = build_anchors(128, 128, 3.0), build_anchors(128, 128, 6.0)
    torch.testing.assert_close(2 * (small[:, 2:] - small[:, :2]), large[:, 2:] - large[:, :2])


def test_a_mammogram_has_88320_cells_on_the_finest_level() -> None:
    fine = build_anchors(2944, 1920, max_level=3)
    assert len(fine) == 88_320 * 9


def test_more_levels_add_coarser_anchors_at_the_end() -> None:
    seven, eight = build_anchors(256, 256), build_anchors(256, 256, max_level=8)
    assert torch.equal(eight[: len(seven)], seven)
    assert len(eight) == len(seven) + 9


def test_nothing_of_an_anchor_depends_on_the_image_beyond_its_count() -> None:
    assert torch.equal(build_anchors(128, 128)[:9], build_anchors(256, 384)[:9])
