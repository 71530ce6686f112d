import json
import os
import signal
import threading
import time
from pathlib import Path

import pytest

from mgray.data.pairs import build_pairs
from mgray.data.table import ImageTable
from mgray.dicom.pixels import read_stored
from mgray.errors import DataError
from mgray.ingest import pipeline
from mgray.ingest.ledger import Chunk
from mgray.ingest.pipeline import RayRunner

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

    path = "images/002-synthetic_2d.dcm"
    row = ingested.rows[path]
    told = dcmread(ingested.archive.root / path).pixel_array
    assert (read_stored(row) == told).all()


def test_no_raw_id_and_no_path_is_in_manifest_ledger_or_row(ingested):
    rows = [{**row, "pixels": None} for row in ingested.rows.values()]
    told = "".join(path.read_text() for path in ingested.out.rglob("*.json"))
    told += json.dumps(rows, default=str)
    for secret in ("patient-1", "exam-1", "1.2.3.1", "1.2.4.1", "001-ffdm", "lesion-1", "diary"):
        assert secret not in told


def test_interrupted_run_leaves_no_draft(ingested):
    assert [path for path in ingested.out.rglob("*") if path.name.endswith((".tmp", ".at"))] == []


def test_content_and_shards_do_not_depend_on_workers(ingested, ingest_on_ray, tmp_path):
    alone = ingest_on_ray(ingested.archive, tmp_path / "one", workers=1)
    assert alone == ingested.manifest


def test_rerun_changes_nothing_and_needs_no_ray(ingested, ingest_on_ray, monkeypatch):
    before = contents(ingested.out)
    monkeypatch.setattr("ray.data.from_items", None)
    assert ingest_on_ray(ingested.archive, ingested.out) == ingested.manifest
    assert contents(ingested.out) == before


def test_what_went_wrong_in_a_worker_is_one_line_and_the_next_run_goes_on(
    archive, ingest_on_ray, ingest_here, tmp_path
):
    archive.pair(1)
    out = tmp_path / "table"
    out.mkdir()
    (out / "images").write_text("in the way")
    why = r"^a worker failed: a file of .* cannot be read or written: File exists; run the same"
    with pytest.raises(DataError, match=why):
        ingest_on_ray(archive, out)
    (out / "images").unlink()
    manifest = ingest_on_ray(archive, out)
    assert manifest.content_sha256 == ingest_here(archive, tmp_path / "calm").content_sha256


def test_killed_worker_loses_nothing(archive, ingest_on_ray, ingest_here, tmp_path):
    for number in range(10):
        archive.pair(number)
    killed: list[int] = []
    stop = threading.Event()
    hunter = threading.Thread(target=kill_one_worker, args=(tmp_path / "table", killed, stop))
    hunter.start()
    manifest = ingest_on_ray(archive, tmp_path / "table")
    stop.set()
    hunter.join()
    assert killed
    assert (manifest.rows, manifest.quarantined, manifest.pairs) == (20, 0, 10)
    assert manifest.content_sha256 == ingest_here(archive, tmp_path / "calm").content_sha256


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


def test_chunks_are_asked_for_as_they_are_ingested(monkeypatch):
    asked = []
    monkeypatch.setattr(pipeline, "AT_ONCE", 2)
    monkeypatch.setattr(RayRunner, "_start", lambda self: None)
    monkeypatch.setattr(RayRunner, "_run_some", lambda self, task, texts: iter(texts))
    chunks = (asked.append(key) or Chunk(key, ()) for key in "abc")
    done = RayRunner.__new__(RayRunner).ingest(chunks)
    assert json.loads(next(done)["item"])["key"] == "a"
    assert asked == ["a", "b"]
    assert [json.loads(one["item"])["key"] for one in done] == ["b", "c"]
