import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgray.dicom.breast import pack_mask
from mgray.sources.boxes import centre_inside, clip, flip_annotation, flip_box, flip_points

SIZE = {"rows": 100, "columns": 60}
edge = st.floats(-50, 150)
box = st.lists(edge, min_size=4, max_size=4)


@given(box, st.booleans(), st.booleans())
def test_flipping_twice_changes_nothing(coords, across, down):
    twice = flip_box(flip_box(coords, (across, down), SIZE), (across, down), SIZE)
    assert twice == pytest.approx(coords)


@given(
    st.lists(st.integers(-50, 150).map(float), min_size=4, max_size=4), st.booleans(), st.booleans()
)
def test_clipped_box_is_the_same_one_mirrored(coords, across, down):
    flips = (across, down)
    flipped = clip(flip_box(coords, flips, SIZE), 60, 100)
    clipped = clip(coords, 60, 100)
    assert flipped == (None if clipped is None else flip_box(clipped, flips, SIZE))


def test_half_open_edges_mirror_in_the_width():
    assert flip_box([10.0, 20.0, 15.0, 30.0], (True, False), SIZE) == [45, 20, 50, 30]
    assert flip_points([10.0, 20.0], (False, True), SIZE) == [10, 80]


def test_outline_moves_with_its_box():
    drawn = {"coords": [0.0, 0.0, 9.0, 9.0], "outline": [1.0, 2.0, 3.0, 4.0], "birads": 4}
    moved = flip_annotation(drawn, (False, True), SIZE)
    assert (moved["outline"], moved["coords"], moved["birads"]) == (
        [1, 98, 3, 96],
        [0, 91, 9, 100],
        4,
    )


@pytest.mark.parametrize(
    ("coords", "kept"),
    [
        ([1, 2, 3, 4], [1, 2, 3, 4]),
        ([-5, 2, 3, 400], [0, 2, 3, 100]),
        ([50, 2, 60, 4], None),
        ([3, 2, 1, 4], None),
        ([-9, -9, -1, -1], None),
    ],
)
def test_box_is_clipped_to_the_image_or_dropped(coords, kept):
    assert clip([float(edge) for edge in coords], 50, 100) == kept


def test_box_is_inside_the_breast_not_only_its_bounds():
    y, x = np.mgrid[:100, :40]
    half_disc = np.hypot(y - 50, 1.25 * x) < 50
    columns = {**SIZE, "breast_box": [0, 0, 40, 100], "breast_mask": pack_mask(half_disc)}
    assert centre_inside([10.0, 45.0, 30.0, 55.0], columns)
    assert not centre_inside([34.0, 2.0, 38.0, 6.0], columns)  # a corner of the bounds
    assert not centre_inside([50.0, 45.0, 58.0, 55.0], columns)
    assert centre_inside([34.0, 2.0, 38.0, 6.0], columns | {"breast_mask": None})


def test_box_is_nowhere_outside_where_no_breast_is_known():
    assert centre_inside([1.0, 2.0, 3.0, 4.0], SIZE)
