import pytest

from serve.answers import Window
from serve.facts import box_mm, cautions, image_facts, inverted, window

RECORD = {
    "rows": 300,
    "columns": 200,
    "imager_pixel_spacing_mm": [0.1, 0.2],
    "pixel_spacing_mm": None,
    "image_kind": "synthetic_2d",
    "laterality": "L",
    "view": "MLO",
    "view_modifiers": ["spot"],
    "voi_lut": None,
    "window_center": None,
    "window_width": None,
    "voi_lut_function": None,
    "photometric_interpretation": "MONOCHROME2",
    "presentation_lut_shape": None,
    "qc_flags": [],
}


def test_size_and_spacing_are_the_records():
    facts = image_facts(RECORD)
    assert (facts.rows, facts.columns, facts.pixel_spacing_mm) == (300, 200, (0.1, 0.2))


def test_calibrated_spacing_stands_in_for_the_detectors():
    changed = RECORD | {"imager_pixel_spacing_mm": None, "pixel_spacing_mm": [0.3, 0.3]}
    assert image_facts(changed).pixel_spacing_mm == (0.3, 0.3)


def test_unknown_spacing_is_null():
    assert image_facts(RECORD | {"imager_pixel_spacing_mm": None}).pixel_spacing_mm is None


def test_the_expected_kind_needs_no_caution():
    assert cautions(RECORD, "sm") == []


@pytest.mark.parametrize("kind", ["ffdm", "film", "unknown"])
def test_another_kind_is_a_caution(kind):
    (caution,) = cautions(RECORD | {"image_kind": kind}, "sm")
    assert caution.code == "image_kind"
    assert kind in caution.detail


def test_what_is_expected_depends_on_the_model():
    assert cautions(RECORD | {"image_kind": "ffdm"}, "ffdm") == []


def test_quality_flags_become_cautions():
    codes = [c.code for c in cautions(RECORD | {"qc_flags": ["implant", "near_empty"]}, "sm")]
    assert codes == ["implant", "near_empty"]


def test_view_and_side_are_the_records():
    facts = image_facts(RECORD)
    assert (facts.laterality, facts.view, facts.view_modifiers) == ("L", "MLO", ["spot"])


def test_a_box_in_millimetres_knows_both_spacings():
    assert box_mm((10, 20, 30, 40), (0.5, 0.1)) == (1, 10, 3, 20)


def test_a_box_has_no_millimetres_without_spacing():
    assert box_mm((10, 20, 30, 40), None) is None


def test_the_first_window_is_told():
    changed = RECORD | {"window_center": [512.0, 1.0], "window_width": [1024.0, 2.0]}
    assert window(changed) == Window(center=512, width=1024, function="LINEAR")


def test_a_table_goes_before_windows():
    changed = RECORD | {"voi_lut": [0.0, 8.0, 1.0], "window_center": [1.0], "window_width": [2.0]}
    assert window(changed) == Window(center=None, width=None, function="LUT")


def test_the_whole_range_is_no_window():
    assert window(RECORD) is None


def test_monochrome1_is_inverted():
    assert not inverted(RECORD)
    assert inverted(RECORD | {"photometric_interpretation": "MONOCHROME1"})
