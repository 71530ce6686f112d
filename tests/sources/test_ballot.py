import numpy as np
import pytest

from mgray.dicom.breast import pack_mask
from mgray.sources.ballot import Ballot, ballot_of, cast

SIZE = {"rows": 100, "columns": 60}
RIGHT_BREAST = {**SIZE, "breast_box": [30, 0, 60, 100], "laterality": "R", "view": "CC"}
LEFT_BREAST = {**SIZE, "breast_box": [0, 0, 30, 100], "laterality": "L", "view": "CC"}
EMBED = "embed_face_right"


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
    ballot = cast(EMBED, [[1.0, 1.0, 2.0, 2.0]], {**SIZE, **columns})
    assert ballot == Ballot(EMBED, mirrored, None)
    assert ballot.flips() == (mirrored, False)
    assert ballot.flags() == {"frame_undecided", *(["frame_hypothesis_mirrored"] * mirrored)}


def test_embed_believes_the_pixels():
    right, left = (
        cast(EMBED, [[40.0, 1.0, 50.0, 9.0]], columns) for columns in (RIGHT_BREAST, LEFT_BREAST)
    )
    assert (right.held, left.held) == (False, True)
    assert right.flags() == {"frame_against_rule"}
    assert left.flags() == {"frame_against_rule", "frame_hypothesis_mirrored"}


def test_all_boxes_of_an_image_decide_together():
    boxes = [[1.0, 1.0, 9.0, 9.0], [2.0, 1.0, 9.0, 9.0], [40.0, 1.0, 50.0, 9.0]]
    assert cast(EMBED, boxes, RIGHT_BREAST).held is True


def test_mask_decides_where_the_bounds_of_the_breast_do_not():
    """The breast is as wide as the image: both hypotheses are in its bounds, one in its mask."""
    y, x = np.mgrid[:100, :60]
    half_disc = np.hypot(y - 50, 50 / 60 * x) < 50
    columns = {**SIZE, "breast_box": [0, 0, 60, 100], "laterality": "L", "view": "CC"}
    box = [[2.0, 4.0, 6.0, 8.0]]
    assert cast(EMBED, box, columns).held is None
    seen = {**columns, "breast_mask": pack_mask(half_disc)}
    assert cast(EMBED, [[1.0, 20.0, 9.0, 28.0]], seen).held is False
    assert cast(EMBED, [[51.0, 20.0, 59.0, 28.0]], seen).held is True


def test_omi_db_counts_from_the_top_unless_the_pixels_say_otherwise():
    low = {**SIZE, "breast_box": [0, 60, 30, 100]}
    assert cast("omi_db", [[1.0, 70.0, 9.0, 80.0]], low) == Ballot("omi_db", False, False)
    flipped = cast("omi_db", [[1.0, 20.0, 9.0, 30.0]], low)
    assert (flipped.held, flipped.flips()) == (True, (False, True))
    assert "frame_against_rule" in flipped.flags()


def test_part_of_a_box_beyond_the_image_does_not_count():
    beyond = [[-40.0, 40.0, 20.0, 50.0]]  # its whole centre is outside, that of what is seen is not
    assert cast(EMBED, beyond, LEFT_BREAST).held is False


@pytest.mark.parametrize("rule", [False, True])
@pytest.mark.parametrize("held", [False, True, None])
@pytest.mark.parametrize("vote", [False, True, None])
def test_pixels_come_first_then_the_archive_then_the_rule(rule, held, vote):
    ballot = Ballot(EMBED, rule, held)
    expected = held if held is not None else vote if vote is not None else rule
    assert ballot.flipped(vote) == expected
    assert ("frame_by_vote" in ballot.flags(vote)) == (held is None and vote is not None)
    assert ("frame_undecided" in ballot.flags(vote)) == (held is None and vote is None)
    assert ("frame_against_rule" in ballot.flags(vote)) == (expected != rule)


@pytest.mark.parametrize("rule", [False, True])
@pytest.mark.parametrize("held", [False, True, None])
def test_ballot_is_read_back_from_its_row(rule, held):
    ballot = Ballot(EMBED, rule, held)
    row = {"annotations": [{"source_frame": EMBED}], "qc_flags": sorted(ballot.flags())}
    assert ballot_of(row) == ballot


@pytest.mark.parametrize("annotations", [[], [{"source_frame": None}], [{"source_frame": "dicom"}]])
def test_image_without_boxes_in_an_open_frame_has_no_ballot(annotations):
    assert ballot_of({"annotations": annotations, "qc_flags": ["frame_undecided"]}) is None
