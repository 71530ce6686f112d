import pytest

from mgray.sources.frames import place

SIZE = {"rows": 100, "columns": 60}


def one(frame, *coords, **more):
    return {"coords": [float(edge) for edge in coords], "source_frame": frame, **more}


def test_boxes_of_the_dicom_frame_stay():
    box = {"coords": [1.0, 2.0, 3.0, 4.0]}
    assert place([box], SIZE) == ([box], set())


def test_bottom_left_counts_rows_upwards():
    ((placed,), flags) = place([one("bottom_left", 10, 20, 15, 30)], SIZE)
    assert (placed["coords"], flags) == ([10, 70, 15, 80], set())


def test_boxes_of_an_open_frame_go_where_the_pixels_say():
    columns = {**SIZE, "breast_box": [30, 0, 60, 100], "laterality": "R", "view": "CC"}
    boxes = [one("embed_face_right", 40, 1, 50, 9), one("embed_face_right", 42, 1, 50, 9)]
    placed, flags = place(boxes, columns)
    assert [box["coords"][0] for box in placed] == [40, 42]
    assert flags == {"frame_against_rule"}


def test_image_without_boxes_is_told_to_be_turned():
    columns = {**SIZE, "laterality": "L", "pixels_face": "left"}
    assert place([], columns, "duke_upright") == ([], {"orient_rotated"})
    assert place([], columns | {"pixels_face": "unknown"}, "duke_upright") == ([], set())
    assert place([], columns) == ([], set())


@pytest.mark.parametrize(
    ("side", "face", "coords", "flags"),
    [
        ("L", "right", [1, 2, 3, 4], set()),
        ("L", "left", [57, 96, 59, 98], {"orient_rotated"}),
        ("R", "right", [57, 96, 59, 98], {"orient_rotated"}),
        ("R", "unknown", [1, 2, 3, 4], {"frame_undecided"}),
    ],
)
def test_duke_volume_is_turned_where_its_pixels_belie_its_name(side, face, coords, flags):
    columns = {**SIZE, "laterality": side, "pixels_face": face}
    ((placed,), found) = place([one("duke_upright", 1, 2, 3, 4)], columns)
    assert (placed["coords"], found) == (coords, flags)
