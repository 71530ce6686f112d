import io

import numpy as np
import pytest
from pydicom import dcmread, dcmwrite

from mgray.dicom.example import example_file
from mgray.dicom.limits import Limits
from mgray.dicom.pixels import read_stored
from mgray.ingest.config import IngestConfig
from mgray.ingest.ledger import Chunk, FileState, shard_path
from mgray.ingest.pseudonym import Pseudonyms
from mgray.ingest.row import RowMaker
from mgray.ingest.worker import ChunkWorker, Job

FRAMES = np.random.default_rng(0).integers(0, 4096, (4, 48, 64))


def volume_file(path):
    """A tomosynthesis volume as explicit little endian."""
    dataset = dcmread(io.BytesIO(example_file(FRAMES[0])))
    dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.13.1.3"
    dataset.NumberOfFrames, dataset.PixelData = 4, FRAMES.astype("<u2").tobytes()
    dcmwrite(path, dataset)
    return FileState(path.name, path.stat().st_size, path.stat().st_mtime_ns)


def ingested(tmp_path, volumes):
    """The entry of one volume and the rows of its shard."""
    import pyarrow.parquet as pq

    state = volume_file(tmp_path / "volume.dcm")
    rows = RowMaker(Pseudonyms(b"a key for tests" * 3, "d"), "none", "1", 0)
    job = Job(tmp_path, tmp_path / "table", "stamp", Limits(), rows, {}, volumes)
    job.out.mkdir()
    worker = ChunkWorker(job)
    ledger = worker.ingest(Chunk("key", (state,)))
    worker.read.__self__.close()  # the child it made
    return ledger.entries[0], pq.read_table(shard_path(job.out, "key")).to_pylist()


def test_a_volume_is_quarantined_by_default(tmp_path):
    assert IngestConfig.model_fields["volumes"].default == "refuse"
    entry, rows = ingested(tmp_path, "refuse")
    assert (entry.reason, rows) == ("unsupported_kind", [])


def test_a_volume_becomes_one_row_of_its_projection(tmp_path):
    entry, rows = ingested(tmp_path, "mip")
    assert entry.reason is None
    assert [row["image_kind"] for row in rows] == ["dbt"]
    assert "mip" in rows[0]["qc_flags"]
    assert (rows[0]["number_of_frames"], rows[0]["pair_role"]) == (4, "none")
    np.testing.assert_array_equal(read_stored(rows[0]), FRAMES.max(axis=0))


def test_only_known_words_for_volumes(tmp_path):
    with pytest.raises(ValueError, match="volumes"):
        IngestConfig(source="csv", archive=tmp_path, out=tmp_path, volumes="keep")
