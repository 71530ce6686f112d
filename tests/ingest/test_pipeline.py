import json
import os
import signal
import threading
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from mgray.data.pairs import build_pairs
from mgray.data.table import ImageTable
from mgray.dicom.pixels import read_stored
from mgray.errors import ConfigError, DataError, MgrayError, NotFoundError, TooManyRejectedError

pytestmark = pytest.mark.ray

BAD = {
    "a text renamed .dcm": "not_dicom",
    "an empty file": "empty",
    "a truncated file": "header_mismatch",
    "a CT": "wrong_modality",
    "no pixels.dcm": "no_pixels",
    "a J2K header of 65535 x 65535": "header_mismatch",
    "zz-copy.dcm": "duplicate",
}


def warned(manifest, code):
    return next((one for one in manifest.warnings if one.code == code), None)


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


@pytest.mark.parametrize(("name", "reason"), BAD.items())
def test_a_bad_file_is_quarantined_with_its_reason(ingested, name, reason):
    assert ingested.reasons[name] == reason


def test_nothing_else_is_quarantined(ingested):
    assert set(ingested.reasons) == set(BAD)


def test_everything_else_is_a_row(ingested):
    assert set(ingested.rows) == {
        f"images/{name}.dcm"
        for name in ("001-ffdm", "001-synthetic_2d", "002-ffdm", "002-synthetic_2d", "alone")
    }


def test_counts_add_up(ingested):
    manifest = ingested.manifest
    listed = len(list((ingested.archive.root / "images").iterdir()))
    assert manifest.files == manifest.rows + manifest.quarantined == listed
    assert sum(manifest.rows_by_kind.values()) == manifest.rows == len(ingested.rows)
    assert sum(manifest.rows_by_split.values()) == manifest.rows
    assert sum(manifest.quarantined_by_reason.values()) == manifest.quarantined
    assert sum(shard.rows for shard in manifest.shards) == manifest.rows


def test_ffdm_without_sm_is_kept_flagged_and_warned_of(ingested):
    row = ingested.rows["images/alone.dcm"]
    assert "missing_partner" in row["qc_flags"]
    assert warned(ingested.manifest, "missing_partner").ids == [row["image_id"]]


def test_paired_images_are_not_flagged(ingested):
    assert "missing_partner" not in ingested.rows["images/001-ffdm.dcm"]["qc_flags"]


def test_annotation_of_a_missing_image_is_warned_of_by_pseudonym(ingested, ids):
    warning = warned(ingested.manifest, "annotations_without_image")
    assert (warning.count, warning.ids) == (1, [ids.image("1.2.3.999.1")])


def test_box_over_the_edge_is_clipped_and_flagged(ingested):
    row = ingested.rows["images/002-ffdm.dcm"]
    (finding,) = row["annotations"]
    assert (finding["coords"], finding["clipped"]) == ([0, 20, 30, 40], True)
    assert "box_clipped" in row["qc_flags"]


def test_box_wholly_outside_is_dropped_flagged_and_warned_of(ingested):
    assert "box_outside_image" in ingested.rows["images/002-ffdm.dcm"]["qc_flags"]
    assert warned(ingested.manifest, "box_outside_image").count == 1


def test_truth_of_the_phantom_reaches_the_row(ingested):
    row = ingested.rows["images/001-ffdm.dcm"]
    (finding,) = row["annotations"]
    assert (row["cancer"], row["density"], row["pathology"]) == (0, "b", "malignant")
    assert (finding["coords"], finding["categories"]) == ([10, 20, 30, 40], ["mass"])


def test_table_opens_and_pairs(ingested):
    table = ImageTable.open(ingested.out)
    assert [len(table), len(build_pairs(table))] == [5, ingested.manifest.pairs] == [5, 2]


def test_pixels_are_those_of_the_file(ingested):
    from pydicom import dcmread

    row = ingested.rows["images/002-synthetic_2d.dcm"]
    told = dcmread(ingested.archive.root / row["source_path"]).pixel_array
    assert (read_stored(row) == told).all()


def test_no_raw_id_and_no_path_is_in_manifest_or_public_columns(ingested):
    public = [{**row, "pixels": None, "source_path": None} for row in ingested.rows.values()]
    told = (ingested.out / "manifest.json").read_text() + json.dumps(public, default=str)
    for secret in ("patient-1", "exam-1", "1.2.3.1", "1.2.4.1", "001-ffdm", "lesion-1", "diary"):
        assert secret not in told


def test_rerun_changes_nothing_and_needs_no_ray(ingested, ingest_into, monkeypatch):
    before = contents(ingested.out)
    monkeypatch.setattr("ray.data.from_items", None)
    assert ingest_into(ingested.archive, ingested.out) == ingested.manifest
    assert contents(ingested.out) == before


def test_interrupted_run_leaves_no_draft(ingested):
    assert [path for path in ingested.out.rglob("*") if path.name.endswith((".tmp", ".at"))] == []


def test_content_does_not_depend_on_workers_or_shards(ingested, ingest_into, tmp_path):
    alone = ingest_into(ingested.archive, tmp_path / "one", workers=1)
    other = ingest_into(ingested.archive, tmp_path / "big", images_per_shard=5)
    assert alone.shards == ingested.manifest.shards
    assert alone.content_sha256 == other.content_sha256 == ingested.manifest.content_sha256


def test_added_files_add_shards_and_old_rows_stay(archive, ingest_into, tmp_path):
    archive.pair(1)
    ingest_into(archive, tmp_path / "table")
    old = contents(tmp_path / "table" / "images")
    archive.pair(2)
    manifest = ingest_into(archive, tmp_path / "table")
    assert old.items() <= contents(tmp_path / "table" / "images").items()
    assert (manifest.rows, len(manifest.shards)) == (4, 2)


def test_adding_piecemeal_ends_as_ingesting_at_once(archive, ingest_into, tmp_path):
    archive.image("m.dcm", 1)
    ingest_into(archive, tmp_path / "table")
    archive.put("a-copy.dcm", (archive.root / "images" / "m.dcm").read_bytes())  # sorts before
    archive.image("n.dcm", 1, "synthetic_2d")  # the partner
    grown = ingest_into(archive, tmp_path / "table")
    assert grown.content_sha256 == ingest_into(archive, tmp_path / "fresh").content_sha256
    assert (grown.rows, grown.quarantined_by_reason, grown.pairs) == (2, {"duplicate": 1}, 1)


def test_a_duplicate_comes_back_when_the_first_file_goes(archive, ingest_into, tmp_path):
    archive.image("m.dcm", 1)
    archive.put("a-copy.dcm", (archive.root / "images" / "m.dcm").read_bytes())
    ingest_into(archive, tmp_path / "table", images_per_shard=1)
    (archive.root / "images" / "a-copy.dcm").unlink()
    manifest = ingest_into(archive, tmp_path / "table", images_per_shard=1)
    assert (manifest.rows, manifest.quarantined) == (1, 0)


def test_changed_labels_change_rows(archive, ingest_into, tmp_path):
    uid = archive.image("m.dcm", 1)
    before = ingest_into(archive, tmp_path / "table")
    archive.box(uid, 10, 20, 30, 40)
    after = ingest_into(archive, tmp_path / "table")
    assert (before.findings, after.findings) == (0, 1)


def test_too_many_refused_is_an_error_after_all_is_written(archive, ingest_into, tmp_path):
    archive.image("m.dcm", 1)
    archive.put("bad.dcm", b"text")
    with pytest.raises(TooManyRejectedError, match="1 of 2 files were refused") as error:
        ingest_into(archive, tmp_path / "table", max_rejected=0)
    assert error.value.exit_code == 3
    assert len(ImageTable.open(tmp_path / "table")) == 1


def test_killed_worker_loses_nothing(archive, ingest_into, tmp_path):
    for number in range(12):
        archive.pair(number)
    killed: list[int] = []
    stop = threading.Event()
    hunter = threading.Thread(target=kill_one_worker, args=(tmp_path / "table", killed, stop))
    hunter.start()
    manifest = ingest_into(archive, tmp_path / "table")
    stop.set()
    hunter.join()
    assert killed
    assert (manifest.rows, manifest.quarantined, manifest.pairs) == (24, 0, 12)
    assert manifest.content_sha256 == ingest_into(archive, tmp_path / "calm").content_sha256


def kill_one_worker(out: Path, killed: list[int], stop: threading.Event) -> None:
    """Kill the Ray worker that writes, as soon as one shard is finished."""
    while not stop.is_set():
        if list((out / "ledger").glob("*.json")) and (pids := ingest_workers()):
            os.kill(pids[0], signal.SIGKILL)
            killed.append(pids[0])
            return
        time.sleep(0.01)


def ingest_workers() -> list[int]:
    """Process ids of this machine's Ray actors that ingest for this test's cluster."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            title = (path.parent / "cmdline").read_bytes()
            parents = ancestors(int(path.parent.name))
        except (OSError, ValueError):
            continue
        if b"ray::MapWorker(MapBatches(IngestTask))" in title and os.getpid() in parents:
            found.append(int(path.parent.name))
    return found


def ancestors(pid: int) -> list[int]:
    chain = []
    while pid > 1:
        pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        chain.append(pid)
    return chain


def test_one_patient_in_two_splits_is_an_error_that_names_a_pseudonym(
    archive, ingest_into, tmp_path
):
    archive.image("a.dcm", 1)
    archive.image("b.dcm", 1, "synthetic_2d")
    (archive.root / "catalog.csv").write_text(
        "path,split\nimages/a.dcm,train\nimages/b.dcm,test\n"
    )
    with pytest.raises(DataError, match=r"patient p-[0-9a-f]+ is in the splits") as error:
        ingest_into(archive, tmp_path / "table", source="csv")
    assert "patient-1" not in str(error.value)


def test_csv_archive_with_only_paths_lives_from_headers(archive, ingest_into, tmp_path):
    archive.image("a.dcm", 1)
    (archive.root / "catalog.csv").write_text("path\nimages/a.dcm\nimages/gone.dcm\n../x.dcm\n")
    manifest = ingest_into(archive, tmp_path / "table", source="csv")
    assert manifest.quarantined_by_reason == {"unreadable": 2}
    assert manifest.rows_by_kind == {"ffdm": 1}


def test_missing_archive_is_one_line(archive, ingest_into, tmp_path):
    archive.root = tmp_path / "nowhere"
    with pytest.raises(NotFoundError, match="nowhere"):
        ingest_into(archive, tmp_path / "table")


def test_empty_archive_is_one_line(archive, ingest_into, tmp_path):
    archive.tables()
    with pytest.raises(NotFoundError, match="lists no file"):
        ingest_into(archive, tmp_path / "table")


def test_out_that_is_a_file_is_one_line(archive, ingest_into, tmp_path):
    archive.image("a.dcm", 1)
    (tmp_path / "table").write_text("")
    with pytest.raises(MgrayError, match="cannot be written: File exists"):
        ingest_into(archive, tmp_path / "table")


def test_misspelt_column_is_found_before_anything_is_decoded(archive, ingest_into, tmp_path):
    (archive.root / "catalog.csv").write_text("path,latarality\nimages/a.dcm,L\n")
    with pytest.raises(ConfigError, match="did you mean 'laterality'"):
        ingest_into(archive, tmp_path / "table", source="csv")


def test_shards_verify_their_pages(ingested):
    shard = next(path for path in (ingested.out / "images").glob("part-*") if rows_in(path))
    damaged = bytearray(shard.read_bytes())
    damaged[len(damaged) // 4] ^= 1
    copy = ingested.out.parent / "damaged.parquet"
    copy.write_bytes(damaged)
    with pytest.raises(OSError, match=r"CRC|crc|checksum"):
        pq.ParquetFile(copy, page_checksum_verification=True).read()


def rows_in(path: Path) -> int:
    return int(pq.read_metadata(path).num_rows)
