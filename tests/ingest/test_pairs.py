import numpy as np
import pytest

from mgray.data.alignment import read_alignment
from mgray.dicom.breast import pack_mask
from mgray.dicom.example import example_file
from mgray.ingest.ledger import Entry
from mgray.ingest.manifest import read_manifest
from mgray.ingest.pairs import measure_pairs, read_pairs, write_pairs
from mgray.schema import PAIR


def half(side="left"):
    """A half disc at one side, as text."""
    y, x = np.mgrid[:200, :150]
    mask = np.hypot(y - 100, x) < 90
    return pack_mask(mask if side == "left" else mask[:, ::-1])


def entry(key, role, mask=None, **changes):
    told = {"pair_key": key, "pair_role": role, "image_id": f"{key}/{role}", "breast_mask": mask}
    return Entry(f"{key}/{role}", 1, 1, "", "", **{**told, **changes})


def test_each_image_is_laid_on_its_partner_as_training_mirrors_it():
    both = [
        entry("b", "synthetic_2d", half("right"), mirrored=True),
        entry("b", "ffdm", half()),
        entry("a", "ffdm", half()),
        entry("a", "synthetic_2d", half("right")),
    ]
    a, b = measure_pairs(both).to_pylist()
    assert (b["pair_key"], b["ffdm_image_id"]) == ("b", "b/ffdm")
    assert (b["dice"], b["centroid_offset"]) == (1.0, 0.0)
    assert (a["synthetic_2d_image_id"], a["dice"] < 0.9) == ("a/synthetic_2d", True)


def test_a_pair_without_a_breast_is_told_but_not_measured():
    (row,) = measure_pairs([entry("a", "ffdm", half()), entry("a", "synthetic_2d")]).to_pylist()
    assert (row["dice"], row["centroid_offset"]) == (None, None)


@pytest.mark.parametrize(
    "changes", [{"partner": "ambiguous_pair"}, {"reason": "duplicate"}, {"pair_role": "none"}]
)
def test_what_is_no_pair_is_left_out(changes):
    both = [entry("a", role, half(), **changes) for role in ("ffdm", "synthetic_2d")]
    assert len(measure_pairs(both)) == 0


def test_the_order_of_ledgers_changes_nothing():
    both = [entry(k, role, half()) for k in "ab" for role in ("ffdm", "synthetic_2d")]
    assert measure_pairs(both).equals(measure_pairs(both[::-1]))


def test_pairs_are_read_back_only_whole_and_of_the_same_rows(tmp_path):
    pairs = measure_pairs([entry("a", role, half()) for role in ("ffdm", "synthetic_2d")])
    path = tmp_path / "pairs.parquet"
    assert read_pairs(path, "rows") is None
    write_pairs(path, pairs, "rows")
    assert read_pairs(path, "rows").equals(pairs)
    assert read_pairs(path, "rows").schema.equals(PAIR, check_metadata=True)
    assert read_pairs(path, "other rows") is None
    data = bytearray(path.read_bytes())
    data[6] ^= 1
    path.write_bytes(data)
    assert read_pairs(path, "rows") is None


def test_pairs_of_unchanged_rows_are_not_measured_again(
    archive, ingest_here, tmp_path, monkeypatch
):
    archive.pair(1)
    first = ingest_here(archive, tmp_path / "table")
    monkeypatch.setattr("mgray.ingest.pairs.measure", None)
    assert ingest_here(archive, tmp_path / "table") == first


def test_an_ingest_measures_its_pairs_and_says_so(archive, ingest_here, tmp_path, caplog):
    caplog.set_level("INFO")
    archive.pair(1)
    archive.pair(2)
    archive.image("alone.dcm", 3)
    told = ingest_here(archive, tmp_path / "table").alignment
    rows = read_alignment(tmp_path / "table").to_pylist()
    assert (told.measured, told.misaligned, len(rows)) == (2, 0, 2)
    assert told.dice_median == pytest.approx(np.median([row["dice"] for row in rows]))
    assert min(row["dice"] for row in rows) > 0.98
    assert "2 pairs laid on each other: median Dice" in caplog.text


def test_a_partner_that_comes_later_is_measured_and_a_lost_file_written_again(
    archive, ingest_here, tmp_path, decoded
):
    out = tmp_path / "table"
    archive.image("1.dcm", 1)
    assert ingest_here(archive, out).alignment.measured == 0
    archive.image("2.dcm", 1, kind="synthetic_2d")
    assert ingest_here(archive, out).alignment.measured == 1
    first, before = (out / "pairs.parquet").read_bytes(), decoded()
    (out / "pairs.parquet").unlink()
    assert ingest_here(archive, out) == read_manifest(out)
    assert ((out / "pairs.parquet").read_bytes(), decoded()) == (first, before)


def test_a_misaligned_pair_is_a_warning_by_its_key(archive, ingest_here, tmp_path):
    archive.image("1.dcm", 1)
    uid = archive.image("2.dcm", 1, kind="synthetic_2d")
    y, x = np.mgrid[:96, :64]
    ids = {"SOPInstanceUID": uid, "StudyInstanceUID": "1.2.4.1", "PatientID": "patient-1"}
    triangle = np.where(x * 96 < y * 64, 2000, 0).astype(np.uint16)
    archive.put("2.dcm", example_file(triangle, **ids))
    manifest = ingest_here(archive, tmp_path / "table")
    (row,) = read_alignment(tmp_path / "table").to_pylist()
    (warning,) = (one for one in manifest.warnings if one.code == "misaligned_pair")
    assert row["dice"] < 0.95
    assert (manifest.alignment.misaligned, warning.ids) == (1, [row["pair_key"]])
