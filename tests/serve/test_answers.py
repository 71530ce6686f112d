import pytest

from serve.answers import cautions, image_facts

RECORD = {
    "rows": 300,
    "columns": 200,
    "imager_pixel_spacing_mm": [0.1, 0.2],
    "pixel_spacing_mm": None,
    "image_kind": "synthetic_2d",
    "qc_flags": [],
}


def test_size_and_spacing_are_the_records():
    facts = image_facts(RECORD)
    assert (facts.rows, facts.columns, facts.pixel_spacing_mm) == (300, 200, (0.1, 0.2))


def test_calibrated_spacing_stands_in_for_the_detectors():
    changed = RECORD | {"imager_pixel_spacing_mm": None, "pixel_spacing_mm": [0.3, 0.3]}
    assert image_facts(changed).pixel_spacing_mm == (0.3, 0.3)


@pytest.mark.parametrize("spacing", [None, [], [0.1], [0.1, 0.0], [0.1, float("inf")]])
def test_unusable_spacing_is_null(spacing):
    assert image_facts(RECORD | {"imager_pixel_spacing_mm": spacing}).pixel_spacing_mm is None


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
