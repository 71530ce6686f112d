import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mgray.data.table import INDEX_FILE, page_crc32
from mgray.errors import DataError
from mgray.files import sha256_of
from mgray.ingest import index
from mgray.ingest.index import OF_BYTES, PIECES, holds_index, write_index
from mgray.ingest.shards import open_shard
from mgray.schema import IMAGE, INDEX, check_version

SIZES = {"b": (3, 40_000), "a": (5,)}


def row(shard, size):
    blank = {pa.string(): "x", pa.int32(): 1, pa.large_binary(): bytes(range(5)) * (size // 5 + 1)}
    told = {one.name: None if one.nullable else blank.get(one.type, []) for one in IMAGE}
    pixels = blank[pa.large_binary()][:size]
    return {**told, "image_id": f"{shard}{size}", "pixels": pixels, "extra_json": "private"}


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
    assert pq.read_table(out / INDEX_FILE)["image_id"].to_pylist() == ["b3", "b40000", "a5"]


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
        assert pixels == row(place["shard"], len(pixels))["pixels"]
        assert page_crc32(pixels) == place["pixels_crc32"]


def test_index_does_not_depend_on_threads_and_may_be_made_again(out, monkeypatch):
    first = index_of(out, "a", "b")
    monkeypatch.setattr(index, "THREADS", 1)
    assert index_of(out, "a", "b") == first


def test_index_of_many_shards_is_written_in_parts(out, monkeypatch):
    monkeypatch.setattr(index, "AT_ONCE", 1)
    index_of(out, "a", "b")
    assert pq.read_metadata(out / INDEX_FILE).num_row_groups == 2
    assert pq.read_table(out / INDEX_FILE)["image_id"].to_pylist() == ["a5", "b3", "b40000"]


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
    assert pq.read_table(out / PIECES / "b")["image_id"].to_pylist() == ["b3", "b40000"]


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
