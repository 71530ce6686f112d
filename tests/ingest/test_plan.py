"""What a dry run says is what an ingest does, as far as headers tell."""

import gc
from pathlib import Path

import pytest
from pydicom import Dataset

from mgray.dicom.child import DecodeChild
from mgray.dicom.example import example_file
from mgray.errors import TooManyRejectedError
from mgray.ingest.pseudonym import KEY_FILE, KEY_VARIABLE
from mgray.ingest.settle import settle

PARTS = ("files", "rows", "quarantined", "pairs", "rows_by_kind", "patients", "rows_by_split")


def everything(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*")}


@pytest.fixture
def mixed(archive):
    """Two pairs, a copy, a spot view, a text, an empty file and a capture."""
    archive.pair(1)
    archive.pair(2)
    archive.put("zz-copy.dcm", (archive.root / "images" / "001-ffdm.dcm").read_bytes())
    archive.image("spot.dcm", 2, ViewPosition="CC", PaddleDescription="SPOT", SOPInstanceUID="1.9")
    archive.put("a.txt", b"dear diary" * 50)
    archive.put("b.dcm", b"")
    archive.image("shot.dcm", 4, ImageType=["DERIVED", "SECONDARY"])
    return archive


def test_dry_run_foretells_the_ingest(mixed, ingest_here, tmp_path):
    told = ingest_here(mixed, tmp_path / "table", dry_run=True)
    done = ingest_here(mixed, tmp_path / "table")
    assert {name: getattr(told, name) for name in PARTS} == {
        name: getattr(done, name) for name in PARTS
    }
    assert told.quarantined_by_reason == done.quarantined_by_reason
    assert told.quarantined_by_reason["duplicate"] == 1


def test_dry_run_decodes_and_writes_nothing(mixed, ingest_here, decoded, tmp_path, monkeypatch):
    monkeypatch.delenv(KEY_VARIABLE)
    before = everything(tmp_path)
    ingest_here(mixed, tmp_path / "table", dry_run=True)
    assert (everything(tmp_path), decoded()) == (before, 0)


ENTRIES = 4093
"""Of a lookup table, so many that no other list is as long."""


def lookup_table() -> Dataset:
    table = Dataset()
    table.add_new("LUTDescriptor", "US", [ENTRIES, 0, 12])
    table.add_new("LUTData", "US", list(range(ENTRIES)))
    return table


def tables_held() -> int:
    return sum(type(one) is list and len(one) == ENTRIES + 2 for one in gc.get_objects())


def test_dry_run_holds_no_lookup_table_of_the_files_it_counts(
    archive, ingest_here, tmp_path, monkeypatch
):
    held = []

    def settle_and_look(*words):
        held.append(tables_held())
        return settle(*words)

    monkeypatch.setattr("mgray.ingest.plan.settle", settle_and_look)
    for number in range(3):
        archive.image(f"{number}.dcm", number, VOILUTSequence=[lookup_table()])
    assert ingest_here(archive, tmp_path / "table", dry_run=True).rows == 3
    assert held == [0]


def test_dry_run_reports_tables_and_names_nobody(mixed, ingest_here, tmp_path, caplog):
    caplog.set_level("INFO")
    ingest_here(mixed, tmp_path / "table", dry_run=True)
    words = caplog.text
    for told in ("Explicit VR Little Endian", "L CC", "synthetic_2d", "not_dicom", "2 pairs"):
        assert told in words
    for secret in ("patient-1", "diary", "001-ffdm", "1.2.3.1", "1.2.4.1"):
        assert secret not in words


def test_damaged_pixels_are_not_looked_at(archive, ingest_here, breast_file, tmp_path):
    archive.put("j2k.dcm", breast_file[:-400] + bytes(40) + breast_file[-360:])
    archive.tables()
    assert ingest_here(archive, tmp_path / "table", dry_run=True).rows == 1


@pytest.fixture
def breast_file():
    import numpy as np

    return example_file(np.arange(4096, dtype=np.uint16).reshape(64, 64) % 4000, "j2k")


def test_header_of_a_child_has_no_pixels(breast_file):
    with DecodeChild() as child:
        columns = child.read_header(breast_file).columns
        assert "pixels" not in columns
        assert columns["rows"] == 64
        assert child.read(breast_file).columns["pixels"]


def test_too_many_refused_is_told_by_a_dry_run_too(mixed, ingest_here, tmp_path):
    with pytest.raises(TooManyRejectedError, match="4 of 9 files"):
        ingest_here(mixed, tmp_path / "table", dry_run=True, max_rejected=0)


def test_key_of_a_table_is_used_not_made(archive, ingest_here, tmp_path, monkeypatch):
    monkeypatch.delenv(KEY_VARIABLE)
    archive.pair(1)
    out = tmp_path / "table"
    done = ingest_here(archive, out)
    assert (out / KEY_FILE).is_file()
    assert ingest_here(archive, out, dry_run=True).stamp == done.stamp
