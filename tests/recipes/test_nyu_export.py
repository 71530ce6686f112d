import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from mgray.data.table import ImageTable
from mgray.dicom.example import example_file
from mgray.dicom.record import read_record
from mgray.errors import ConfigError, DataError
from mgray.recipes.nyu_export import LIST, _labels, _whole_exams, export_exam_list, sixteen_bits
from mgray.sources.nyu_exam_list import VIEWS, NyuExamListSource


def test_exams_of_four_views_are_written_as_nyu_reads_them(
    phantom_table: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    exams = export_exam_list(phantom_table, out)
    listed = pickle.loads((out / LIST).read_bytes())
    assert exams == len(listed) == 10
    assert {exam["horizontal_flip"] for exam in listed} == {"NO"}
    rows = NyuExamListSource().catalog(out).rows
    assert len(rows) == 40
    assert {row.labels["view"] for row in rows} == {"CC", "MLO"}
    assert {row.labels["licence_tag"] for row in rows} == {"Apache-2.0"}
    assert {exam["cancer_label"]["unknown"] for exam in listed} == {0}
    with pytest.raises(ConfigError, match="is there already"):
        export_exam_list(phantom_table, out)


@pytest.mark.parametrize("source", ["birads_proxy", "assumed_normal", None])
def test_proxies_are_unknown_not_pathology(source: str | None) -> None:
    sure = {"cancer": 0, "pathology": "benign", "label_source": "pathology"}
    proxy = {"cancer": 1, "pathology": None, "label_source": source}
    exam = {"L-CC": [0], "L-MLO": [0], "R-CC": [1], "R-MLO": [1]}
    told = _labels([sure, proxy], exam)
    assert (told["unknown"], told["malignant"], told["left_benign"]) == (1, 0, 1)
    assert _labels([sure, {**proxy, "label_source": "registry"}], exam)["unknown"] == 0


def record(face: str = "right", side: str = "L", **attributes: object) -> dict[str, object]:
    y, x = np.mgrid[:96, :64]
    across = x if face == "right" else 63 - x
    pixels = np.where((y - 48) ** 2 + across**2 < 900, 4095 - x, 0).astype(np.uint16)
    data = example_file(pixels, ImageLaterality=side, **attributes)
    return read_record(data).columns


def test_range_of_the_stored_bits_is_stretched_over_sixteen() -> None:
    pixels = sixteen_bits(record())
    assert (pixels[48, 0], pixels[0, 63]) == (65535, 0)
    assert pixels[48, 10] == round((4095 - 10) / 4095 * 65535)


def test_breasts_face_inwards() -> None:
    assert sixteen_bits(record("left", "L"))[48, 0] > 0
    assert sixteen_bits(record("left", "R"))[48, 63] > 0


def test_monochrome1_is_turned_bright() -> None:
    plain, inverted = record(), record(PhotometricInterpretation="MONOCHROME1")
    inverted["pixels_face"] = "right"
    sums = sixteen_bits(plain).astype(int) + sixteen_bits(inverted)
    assert set(np.unique(sums)) <= {65534, 65535, 65536}


def test_slope_that_falls_turns_the_polarity() -> None:
    plain, falling = record(), {**record(), "rescale_slope": -1.0}
    sums = sixteen_bits(plain).astype(int) + sixteen_bits(falling)
    assert set(np.unique(sums)) <= {65534, 65535, 65536}
    both = {**record(PhotometricInterpretation="MONOCHROME1"), "rescale_slope": -1.0}
    both["pixels_face"] = "right"
    assert np.array_equal(sixteen_bits(both), sixteen_bits(plain))


def test_padding_is_black_in_either_polarity() -> None:
    for photometric in ("MONOCHROME2", "MONOCHROME1"):
        padded = record(PhotometricInterpretation=photometric, PixelPaddingValue=0)
        pixels = sixteen_bits({**padded, "pixels_face": "right"})
        assert (pixels[0, 63], pixels[48, 0] == 65535) == (0, photometric == "MONOCHROME2")


def test_smaller_size_is_refused() -> None:
    with pytest.raises(DataError, match="smaller images only"):
        sixteen_bits({**record(), "pixel_reduce": 1})


def test_values_beyond_the_stored_bits_keep_their_order() -> None:
    told = record(BitsStored=10, HighBit=9)
    assert "values_over_bits_stored" in told["qc_flags"]
    pixels = sixteen_bits(told)
    assert pixels[48, 10] == 4095 - 10
    assert pixels[48, 0] > pixels[48, 10]


def test_orientation_tells_the_face_where_pixels_do_not() -> None:
    """A left breast whose rows run to its back is stored against the convention."""
    for orientation, column in ((["P", "F"], 0), (["A", "F"], 63), (None, 63)):
        told = record("left", PatientOrientation=orientation)
        pixels = sixteen_bits({**told, "pixels_face": "unknown"})
        assert pixels[48, column] > 0
        assert pixels[48, 63 - column] == 0


def test_spot_views_are_no_standard_views() -> None:
    """Neither beside a standard view nor in its place."""
    rows = [
        {
            "exam_id": exam, "image_kind": "ffdm", "laterality": view[0], "view": view[2:],
            "qc_flags": ["spot_or_mag"] if spot else [],
        }
        for exam, spots in (("a", [False] * 4), ("b", [True, False, False, False]))
        for view, spot in [("L-CC", True), *zip(VIEWS, spots, strict=True)]
    ]  # fmt: skip
    assert _whole_exams(rows) == [{"L-CC": [1], "R-CC": [2], "L-MLO": [3], "R-MLO": [4]}]


def test_high_risk_is_a_biopsy_that_a_round_trip_keeps(
    phantom_table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither benign nor malignant would be read back as no biopsy, assumed normal."""
    images = ImageTable.open(phantom_table)
    index = images.index
    for name, value in (("pathology", "high_risk"), ("cancer", 0), ("label_source", "pathology")):
        at = index.schema.get_field_index(name)
        told = pa.array([value] * len(index), index.schema.field(at).type)
        index = index.set_column(at, index.schema.field(at), told)
    biopsied = replace(images, index=index)
    monkeypatch.setattr(ImageTable, "open", lambda _: biopsied)
    export_exam_list(phantom_table, tmp_path / "out")
    rows = NyuExamListSource().catalog(tmp_path / "out").rows
    names = ("pathology", "cancer", "label_source")
    assert {tuple(row.labels[name] for name in names) for row in rows} == {
        ("benign", 0, "pathology")
    }


def test_high_risk_breast_is_benign_and_known() -> None:
    sure = {"cancer": 0, "pathology": "high_risk", "label_source": "pathology"}
    exam = {"L-CC": [0], "L-MLO": [0], "R-CC": [1], "R-MLO": [1]}
    told = _labels([sure, {**sure, "pathology": "negative"}], exam)
    assert (told["left_benign"], told["right_benign"], told["benign"]) == (1, 0, 1)
    assert (told["malignant"], told["unknown"]) == (0, 0)
