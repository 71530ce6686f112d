import zlib

import imagecodecs
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mgray.data.table import INDEX_FILE, page_crc32
from mgray.dicom.codecs import encode_htj2k, htj2k_heads
from mgray.errors import DataError, Rejected
from mgray.files import sha256_of
from mgray.ingest import index
from mgray.ingest.index import OF_BYTES, PIECES, holds_index, write_index
from mgray.ingest.shards import open_shard
from mgray.schema import HEADS, IMAGE, INDEX, check_version

SIZES = {"b": (3, 200), "a": (5,)}


def row(shard, size):
    """A row whose image has so many rows and columns."""
    blank = {pa.string(): "x", pa.int32(): 1}
    told = {one.name: None if one.nullable else blank.get(one.type, []) for one in IMAGE}
    noise = np.random.default_rng(size).integers(0, 4096, (size, size)).astype(np.uint16)
    told |= {"pixels": encode_htj2k(noise), "extra_json": "private"}
    return {**told, "image_id": f"{shard}{size}"}


@pytest.fixture
def out(tmp_path):
    """A table of two shards with their pieces, not yet with an index."""
    for name, sizes in SIZES.items():
        with open_shard(tmp_path / "images" / name) as write:
            for size in sizes:
                write(row(name, size))
    return tmp_path


def index_of(out, *names):
    return write_index(out, {name: sha256_of(out / "images" / name) for name in names})


def test_index_holds_all_rows_in_the_order_of_the_shards_named(out):
    index_of(out, "b", "a")
    assert pq.read_table(out / INDEX_FILE)["image_id"].to_pylist() == ["b3", "b200", "a5"]


def test_index_has_its_schema_and_version_and_neither_pixels_nor_private_columns(out):
    index_of(out, "a")
    schema = pq.read_schema(out / INDEX_FILE)
    assert schema.equals(INDEX)
    assert {"pixels", "extra_json"}.isdisjoint(schema.names)
    check_version(schema, "image table")


def test_pixels_lie_where_the_index_says_with_the_checksum_of_their_page(out):
    index_of(out, "a", "b")
    for place in pq.read_table(out / INDEX_FILE).to_pylist():
        content = (out / "images" / place["shard"]).read_bytes()
        pixels = content[place["pixels_at"] :][: place["pixels_bytes"]]
        assert pixels == row(place["shard"], int(place["image_id"][1:]))["pixels"]
        assert page_crc32(pixels) == place["pixels_crc32"]


def test_heads_are_those_of_the_codestream_with_their_checksums(out):
    index_of(out, "a", "b")
    for place in pq.read_table(out / INDEX_FILE).to_pylist():
        pixels = row(place["shard"], int(place["image_id"][1:]))["pixels"]
        assert place["head_bytes"] == htj2k_heads(pixels)
        assert place["head_crc32"] == [zlib.crc32(pixels[:end]) for end in place["head_bytes"]]


def test_a_piece_of_before_is_held_without_heads(out):
    index_of(out, "b")
    piece = out / PIECES / "b"
    pq.write_table(pq.read_table(piece).drop_columns(HEADS.names), piece)
    index_of(out, "a", "b")
    rows = pq.read_table(out / INDEX_FILE)
    assert [told is None for told in rows["head_bytes"].to_pylist()] == [False, True, True]
    assert rows.schema.equals(INDEX)


def test_a_codestream_of_before_has_an_empty_list_of_heads(out):
    plain = imagecodecs.htj2k_encode(np.zeros((40, 40), np.int16), reversible=True)
    with open_shard(out / "images" / "c") as write:
        write(row("c", 3) | {"pixels": plain})
    index_of(out, "c")
    assert pq.read_table(out / INDEX_FILE)["head_bytes"].to_pylist() == [[]]


def test_pixels_that_are_no_codestream_never_become_a_shard(out):
    with pytest.raises(Rejected, match="within a tile-part"), open_shard(out / "images" / "c") as w:
        w(row("c", 3) | {"pixels": b"none"})
    assert not (out / "images" / "c").exists()


def test_index_does_not_depend_on_threads_and_may_be_made_again(out, monkeypatch):
    first = index_of(out, "a", "b")
    monkeypatch.setattr(index, "THREADS", 1)
    assert index_of(out, "a", "b") == first


def test_index_of_many_shards_is_written_in_parts(out, monkeypatch):
    monkeypatch.setattr(index, "AT_ONCE", 1)
    index_of(out, "a", "b")
    assert pq.read_metadata(out / INDEX_FILE).num_row_groups == 2
    assert pq.read_table(out / INDEX_FILE)["image_id"].to_pylist() == ["a5", "b3", "b200"]


def test_index_of_nothing_is_empty(out):
    index_of(out)
    assert pq.read_table(out / INDEX_FILE).num_rows == 0


def test_index_is_held_only_as_it_was_written(out):
    told = index_of(out, "a")
    assert holds_index(out, told)
    assert not holds_index(out, None)
    (out / INDEX_FILE).write_bytes(b"")
    assert not holds_index(out, told)
    (out / INDEX_FILE).unlink()
    assert not holds_index(out, told)


def test_each_shard_brings_its_piece_so_that_no_shard_is_read(out):
    first = index_of(out, "a", "b")
    for shard in (out / "images").iterdir():
        shard.write_bytes(bytes(shard.stat().st_size))
    assert index_of(out, "a", "b") == first


def lose(piece):
    piece.unlink()


def cut(piece):
    piece.write_bytes(piece.read_bytes()[:-9])


def flip(piece):
    damaged = bytearray(piece.read_bytes())
    damaged[40] ^= 1
    piece.write_bytes(damaged)


def of_another_shard(piece):
    rows = pq.read_table(piece)
    pq.write_table(rows.replace_schema_metadata({**rows.schema.metadata, OF_BYTES: b"7"}), piece)


@pytest.mark.parametrize("spoil", [lose, cut, flip, of_another_shard])
def test_piece_that_cannot_be_believed_is_made_from_its_shard(out, spoil):
    first = index_of(out, "a", "b")
    spoil(out / PIECES / "b")
    assert index_of(out, "a", "b") == first
    assert pq.read_table(out / PIECES / "b")["image_id"].to_pylist() == ["b3", "b200"]


def test_damaged_shard_is_named_and_leaves_no_index(out):
    shard = out / "images" / "b"
    shard.write_bytes(shard.read_bytes()[:-100])
    with pytest.raises(DataError, match="shard b is damaged"):
        index_of(out, "a", "b")
    assert not (out / INDEX_FILE).exists()


def test_piece_is_never_made_from_a_shard_of_another_hash(out):
    (out / PIECES / "b").unlink()
    with pytest.raises(DataError, match="shard b is damaged"):
        write_index(out, {"b": "0" * 64})


@pytest.mark.parametrize(
    "options", [{"row_group_size": 2}, {"write_page_checksum": False}, {"use_dictionary": True}]
)
def test_shard_that_ingest_did_not_write_is_refused(out, options):
    shard = out / "images" / "b"
    plain = {"row_group_size": 1, "write_page_checksum": True, "use_dictionary": False}
    pq.write_table(pq.read_table(shard), shard, compression="none", **{**plain, **options})
    with pytest.raises(DataError, match="shard b is damaged"):
        index_of(out, "b")
