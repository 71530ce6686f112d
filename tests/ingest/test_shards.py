import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mgray.dicom.codecs import encode_htj2k
from mgray.ingest.ledger import Entry
from mgray.ingest.shards import open_shard, rewrite_shard, write_quarantine
from mgray.schema import IMAGE, QUARANTINE, check_version
from mgray.sources.ballot import Ballot

NOISE = np.random.default_rng(0).integers(0, 4096, (128, 128)).astype(np.uint16)
PIXELS = encode_htj2k(NOISE)


def row(path, **changes):
    blank = {pa.string(): "x", pa.int32(): 1, pa.large_binary(): PIXELS}
    told = {one.name: None if one.nullable else blank.get(one.type, []) for one in IMAGE}
    return {**told, "file_id": path, "qc_flags": ["monochrome1"], **changes}


@pytest.fixture
def shard(tmp_path):
    path = tmp_path / "images" / "part-0.parquet"
    with open_shard(path) as write:
        for name in "ab":
            write(row(name))
    return path


def test_shard_has_the_tables_schema_and_version(shard):
    assert pq.read_schema(shard).equals(IMAGE)
    check_version(pq.read_schema(shard), "image table")


def test_each_image_is_a_row_group(shard):
    assert pq.read_metadata(shard).num_row_groups == 2


def test_nothing_is_compressed(shard):
    group = pq.read_metadata(shard).row_group(0)
    columns = (group.column(at) for at in range(group.num_columns))
    assert {column.compression for column in columns} == {"UNCOMPRESSED"}


@pytest.mark.parametrize("share", [0.1, 0.3, 0.6])
def test_flipped_bit_is_an_error_not_another_pixel(shard, share):
    damaged = bytearray(shard.read_bytes())
    at = damaged.index(PIXELS) + int(share * len(PIXELS))
    damaged[at] ^= 1
    shard.write_bytes(damaged)
    with pytest.raises(OSError, match="CRC"):
        pq.ParquetFile(shard, page_checksum_verification=True).read()


def test_shard_may_be_empty(tmp_path):
    with open_shard(tmp_path / "part-0.parquet"):
        pass
    assert pq.read_table(tmp_path / "part-0.parquet").num_rows == 0


def test_failing_task_leaves_no_shard(tmp_path):
    with pytest.raises(RuntimeError), open_shard(tmp_path / "part-0.parquet"):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def entries(**changes):
    return [Entry("a", 1, 1, "s", "l", **changes), Entry("b", 1, 1, "s", "l")]


def test_rewriting_drops_rows_that_became_quarantine(shard):
    rewrite_shard(shard, entries(reason="duplicate"))
    table = pq.read_table(shard)
    assert table["file_id"].to_pylist() == ["b"]
    assert table["pixels"].to_pylist() == [PIXELS]


def test_rewriting_sets_and_takes_away_the_partner_flag(shard):
    rewrite_shard(shard, entries(partner="missing_partner"))
    flagged = pq.read_table(shard)["qc_flags"].to_pylist()
    rewrite_shard(shard, entries())
    plain = pq.read_table(shard)["qc_flags"].to_pylist()
    assert flagged == [["missing_partner", "monochrome1"], ["monochrome1"]]
    assert plain == [["monochrome1"], ["monochrome1"]]


def test_rewriting_brings_boxes_into_the_frame_of_the_archive(tmp_path):
    path, ballot = tmp_path / "part-0.parquet", Ballot("embed_face_right", True, None)
    box = {"coords": [44.0, 40.0, 54.0, 50.0], "source_frame": ballot.frame}
    told = {"annotations": [box], "qc_flags": sorted(ballot.flags()), "rows": 96, "columns": 64}
    with open_shard(path) as writer:
        writer(row("a", **told))
    before = pq.read_table(path)
    rewrite_shard(path, entries(ballot=ballot, vote=False)[:1])
    (found,) = pq.read_table(path).to_pylist()
    assert found["annotations"][0]["coords"] == [10, 40, 20, 50]
    assert found["qc_flags"] == ["frame_against_rule", "frame_by_vote"]
    assert found["pixels"] == PIXELS
    rewrite_shard(path, entries(ballot=ballot)[:1])
    assert pq.read_table(path) == before


def test_rewriting_twice_does_no_harm(shard):
    rewrite_shard(shard, entries(reason="duplicate"))
    once = shard.read_bytes()
    rewrite_shard(shard, entries(reason="duplicate"))
    assert shard.read_bytes() == once


def test_quarantine_has_its_schema_even_without_rows(tmp_path):
    write_quarantine(tmp_path / "q.parquet", [])
    assert pq.read_schema(tmp_path / "q.parquet").equals(QUARANTINE)
