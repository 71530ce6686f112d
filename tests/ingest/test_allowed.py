import pyarrow as pa
import pytest

from mgray.ingest.allowed import RULES, allowed
from mgray.schema import IMAGE

COMPUTED = {
    "image_id", "patient_id", "exam_id", "file_id", "source_sha256", "pixel_blake3", "pair_key",
    "dataset", "adapter_version", "split", "image_kind", "kind_evidence", "laterality",
    "laterality_source", "view", "view_modifiers", "pair_role", "transfer_syntax_uid",
    "pixel_codec", "pixels_face", "breast_mask", "cropper", "qc_flags",
}  # fmt: skip
"""Texts that our code makes, or finds in a closed list: pseudonyms, hashes, words of the schema."""
LABELS = {
    "licence_tag", "split_official", "pathology", "label_source", "label_level", "density",
    "extra_json",
}  # fmt: skip
"""Texts of the user's own table."""


def test_every_text_of_the_table_is_computed_or_a_label_or_has_a_rule():
    texts = {one.name for one in IMAGE if one.type in (pa.string(), pa.list_(pa.string()))}
    assert texts - COMPUTED - LABELS == RULES.keys() - {"pixel_intensity_relationship_sign"}


@pytest.mark.parametrize("name", sorted(RULES))
def test_what_a_person_typed_stays_behind(name):
    many = name in ("image_type", "patient_orientation")
    kept = allowed({name: ["Jane Doe", "1980"] if many else "Jane Doe 1980"})[name]
    assert kept in (None, ["OTHER", "OTHER"])


@pytest.mark.parametrize(
    ("name", "found", "kept"),
    [
        ("manufacturer", "HOLOGIC, Inc.", "HOLOGIC"),
        ("manufacturer", "GE MEDICAL SYSTEMS", "GE"),
        ("manufacturer", "Fujifilm Corporation", "FUJIFILM"),
        ("manufacturer", "General Hospital", None),
        ("manufacturer", "Gerda Jones", None),
        ("manufacturer_model_name", "Lorad Selenia of Jane", "SELENIA"),
        ("manufacturer_model_name", "Selenia Dimensions", "SELENIA DIMENSIONS"),
        ("image_type", ["DERIVED", "PRIMARY", "Jane"], ["DERIVED", "PRIMARY", "OTHER"]),
        ("patient_orientation", ["A", "FR"], ["A", "FR"]),
        ("sop_class_uid", "1.2.840.10008.5.1.4.1.1.1.2", "1.2.840.10008.5.1.4.1.1.1.2"),
        ("sop_class_uid", "1.2.840.10008.5.1.4.1.1.1.19800101", None),
        ("modality", None, None),
        ("pixel_intensity_relationship_sign", -1, -1),
        ("pixel_intensity_relationship_sign", 19800101, None),
    ],
)
def test_known_words_are_kept(name, found, kept):
    assert allowed({name: found}) == {name: kept}


def test_other_columns_pass():
    assert allowed({"rows": 3, "window_center": [1.0]}) == {"rows": 3, "window_center": [1.0]}
