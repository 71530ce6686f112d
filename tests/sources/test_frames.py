import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgray.sources.frames import FRAMES, flip_box, flip_points, place

SIZE = {"rows": 100, "columns": 60}
RIGHT_BREAST = {**SIZE, "breast_box": [30, 0, 60, 100], "laterality": "R", "view": "CC"}
LEFT_BREAST = {**SIZE, "breast_box": [0, 0, 30, 100], "laterality": "L", "view": "CC"}
edge = st.floats(-50, 150)


def one(frame, *coords, **more):
    return {"coords": [float(edge) for edge in coords], "source_frame": frame, **more}


@given(st.lists(edge, min_size=4, max_size=4), st.booleans(), st.booleans())
def test_flipping_twice_changes_nothing(box, across, down):
    twice = flip_box(flip_box(box, (across, down), SIZE), (across, down), SIZE)
    assert twice == pytest.approx(box)


def test_half_open_edges_mirror_in_the_width():
    assert flip_box([10.0, 20.0, 15.0, 30.0], (True, False), SIZE) == [45, 20, 50, 30]
    assert flip_points([10.0, 20.0], (False, True), SIZE) == [10, 80]


def test_boxes_of_the_dicom_frame_stay():
    box = {"coords": [1.0, 2.0, 3.0, 4.0]}
    assert place([box], SIZE) == ([box], set())


def test_bottom_left_counts_rows_upwards():
    ((placed,), flags) = place([one("bottom_left", 10, 20, 15, 30)], SIZE)
    assert (placed["coords"], flags) == ([10, 70, 15, 80], set())


def test_outline_moves_with_its_box():
    ((placed,), _) = place([one("bottom_left", 0, 0, 9, 9, outline=[1.0, 2.0, 3.0, 4.0])], SIZE)
    assert placed["outline"] == [1, 98, 3, 96]


@pytest.mark.parametrize(
    ("columns", "mirrored"),
    [
        ({"patient_orientation": ["P", "L"], "view": "CC", "laterality": "L"}, True),
        ({"patient_orientation": ["A", "R"], "view": "CC", "laterality": "R"}, False),
        ({"patient_orientation": None, "view": "MLO", "laterality": "R"}, True),
        ({"patient_orientation": None, "view": "XCCL", "laterality": "R"}, False),
    ],
)
def test_embed_rule_is_that_of_its_png_writer(columns, mirrored):
    flips, flags = FRAMES["embed_face_right"]([[1.0, 1.0, 2.0, 2.0]], {**SIZE, **columns})
    assert flips == (mirrored, False)
    assert flags == {"frame_undecided", *(["frame_hypothesis_mirrored"] if mirrored else [])}


def test_embed_believes_the_pixels():
    flips, flags = FRAMES["embed_face_right"]([[40.0, 1.0, 50.0, 9.0]], RIGHT_BREAST)
    assert (flips, flags) == ((False, False), {"frame_against_rule"})
    flips, flags = FRAMES["embed_face_right"]([[40.0, 1.0, 50.0, 9.0]], LEFT_BREAST)
    assert (flips, flags) == ((True, False), {"frame_against_rule", "frame_hypothesis_mirrored"})


def test_embed_decides_for_all_boxes_of_an_image_together():
    boxes = [[1.0, 1.0, 9.0, 9.0], [2.0, 1.0, 9.0, 9.0], [40.0, 1.0, 50.0, 9.0]]
    assert FRAMES["embed_face_right"](boxes, RIGHT_BREAST)[0] == (True, False)


@pytest.mark.parametrize(
    ("side", "face", "flips", "flags"),
    [
        ("L", "right", (False, False), set()),
        ("L", "left", (True, True), {"orient_rotated"}),
        ("R", "right", (True, True), {"orient_rotated"}),
        ("R", "unknown", (False, False), {"frame_undecided"}),
    ],
)
def test_duke_volume_is_turned_where_its_pixels_belie_its_name(side, face, flips, flags):
    found = FRAMES["duke_upright"]([], {**SIZE, "laterality": side, "pixels_face": face})
    assert found == (flips, flags)
