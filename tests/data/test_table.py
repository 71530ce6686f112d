import errno
import hashlib
import json
import os
import pickle
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mgray.data.table import ImageTable
from mgray.dicom.pixels import keep_resolution, read_stored
from mgray.errors import DataError, NotFoundError, SchemaError
from mgray.schema import HEADS, INDEX, PLACE, VERSION_KEY


def numbered(make_row: Any, count: int) -> list[dict[str, Any]]:
    """Rows whose pixels all equal their number, shuffled over shards by the writer."""
    return [make_row(np.full((32, 32), n), image_id=f"i{n}") for n in range(count)]


@pytest.fixture
def folder(make_row: Any, write_table: Any) -> Path:
    return Path(write_table(numbered(make_row, 11), shards=3))


def flip_bit(shard: Path, column: str, seed: int) -> None:
    """Flip one of the last 16 bits of a column in the first row group."""
    group = pq.read_metadata(shard).row_group(0)
    chunks = [group.column(n) for n in range(group.num_columns)]
    (chunk,) = [chunk for chunk in chunks if chunk.path_in_schema == column]
    end = (chunk.dictionary_page_offset or chunk.data_page_offset) + chunk.total_compressed_size
    at, bit = divmod(random.Random(seed).randrange(16), 8)
    content = bytearray(shard.read_bytes())
    content[end - 1 - at] ^= 1 << bit
    shard.write_bytes(content)


def test_rows_are_numbered_across_shards_in_name_order(folder: Path) -> None:
    ids = ImageTable.open(folder).index.column("image_id").to_pylist()
    assert ids == [f"i{n}" for n in (0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8)]


def test_records_come_in_the_order_asked_for_with_their_own_pixels(folder: Path) -> None:
    table = ImageTable.open(folder)
    rows = [10, 0, 5, 5, 3]
    ids = table.index.column("image_id").to_pylist()
    for row, record in zip(rows, table.records(rows), strict=True):
        assert record["image_id"] == ids[row]
        assert read_stored(record)[0, 0] == int(ids[row][1:])


def test_facts_are_what_the_index_says_of_a_row_however_it_lies_in_memory(folder: Path) -> None:
    table = ImageTable.open(folder)
    pieces = pa.concat_tables([table.index.slice(0, 4), table.index.slice(4)])
    for one in (table, replace(table, index=pieces)):
        assert [one.facts(row) for row in range(len(one))] == table.index.to_pylist()
    assert table.facts(3, ["rows", "image_id"]) == {"rows": 32, "image_id": "i9"}
    with pytest.raises(IndexError, match="row 11"):
        table.facts(11)


def test_columns_that_are_not_asked_for_are_not_read(folder: Path) -> None:
    table = ImageTable.open(folder)
    whole, some = table.records([4])[0], table.records([4], ["rows", "image_id"])[0]
    assert some == {name: whole[name] for name in ("rows", "image_id", "pixels")}


def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Bytes of every read from now on."""
    sizes: list[int] = []
    pread = os.pread

    def count(descriptor: int, size: int, offset: int) -> bytes:
        sizes.append(size)
        return pread(descriptor, size, offset)

    monkeypatch.setattr(os, "pread", count)
    return sizes


@pytest.fixture
def noise(make_row: Any, write_table: Any) -> Path:
    """Images of noise, the second stored at half its size."""
    stored = np.random.default_rng(0).integers(0, 4096, (2, 256, 192))
    rows = [make_row(image, image_id=f"i{n}") for n, image in enumerate(stored)]
    rows[1] |= keep_resolution(rows[1], 128)
    return Path(write_table(rows, shards=1))


@pytest.mark.parametrize("reduce", range(6))
def test_a_smaller_size_is_the_same_from_fewer_bytes(
    noise: Path, reduce: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = ImageTable.open(noise)
    whole = table.records([0])[0]
    sizes = counted(monkeypatch)
    (record,) = table.records([0], reduce=lambda _: reduce)
    share = 4.0 ** -min(reduce, 3)
    assert (
        sizes == [len(record["pixels"])] == [pytest.approx(share * len(whole["pixels"]), rel=0.5)]
    )
    np.testing.assert_array_equal(read_stored(record, reduce), read_stored(whole, reduce))


def test_a_larger_size_than_was_read_is_a_mistake_of_the_caller(noise: Path) -> None:
    (record,) = ImageTable.open(noise).records([0], reduce=lambda _: 2)
    with pytest.raises(ValueError, match="reduce=1: expected 2 to 5"):
        read_stored(record, 1)


@pytest.mark.parametrize("reduce", [0, 1, 2, 3])
def test_levels_that_the_table_lacks_are_not_spared_again(noise: Path, reduce: int) -> None:
    table = ImageTable.open(noise)
    (whole,), (record,) = table.records([1]), table.records([1], reduce=lambda _: reduce)
    assert (record["pixels"] == whole["pixels"]) == (reduce < 2)
    least = max(reduce, 1)
    np.testing.assert_array_equal(read_stored(record, least), read_stored(whole, least))


@pytest.mark.parametrize("reduce", [1, 2, 3])
@pytest.mark.parametrize("place", [0, 0.5, -1])
def test_a_flipped_bit_in_the_part_that_is_read_is_an_error(
    noise: Path, reduce: int, place: float
) -> None:
    table = ImageTable.open(noise)
    size = table.places["head_bytes"][0].as_py()[reduce - 1]
    shard = noise / "images" / "part-00000.parquet"
    content = bytearray(shard.read_bytes())
    at = size - 1 if place < 0 else int(place * size)
    content[table.places["pixels_at"][0].as_py() + at] ^= 4
    shard.write_bytes(content)
    with pytest.raises(DataError, match=r"part-00000\.parquet is damaged"):
        table.records([0], reduce=lambda _: reduce)


def test_a_table_of_before_tells_no_parts_and_is_read_whole(
    noise: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index, manifest = noise / "index.parquet", noise / "manifest.json"
    pq.write_table(pq.read_table(index).drop_columns(HEADS.names), index)
    told = json.loads(manifest.read_text())
    told["index"]["sha256"] = hashlib.sha256(index.read_bytes()).hexdigest()
    manifest.write_text(json.dumps(told))
    table = ImageTable.open(noise)
    sizes = counted(monkeypatch)
    (record,) = table.records([0], reduce=lambda _: 3)
    assert sizes == [table.places["pixels_bytes"][0].as_py()]
    assert read_stored(record).shape == (256, 192)


def test_length_counts_all_shards(folder: Path) -> None:
    assert len(ImageTable.open(folder)) == 11


def test_private_columns_never_leave_the_table(folder: Path) -> None:
    table = ImageTable.open(folder)
    seen = {*table.index.column_names, *table.records([0])[0]}
    assert seen == {*INDEX.names, "pixels"} - {*PLACE.names, *HEADS.names}
    assert "extra_json" not in seen


def test_the_index_holds_no_pixels(folder: Path) -> None:
    assert "pixels" not in ImageTable.open(folder).index.column_names


def test_a_table_survives_pickling(folder: Path) -> None:
    table = pickle.loads(pickle.dumps(ImageTable.open(folder)))
    assert table.records([4])[0]["image_id"] == "i1"


def test_many_threads_read_the_same_as_one(folder: Path) -> None:
    table = ImageTable.open(folder)
    rows = [random.Random(0).randrange(11) for _ in range(200)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda row: table.records([row])[0], rows))
    assert found == table.records(rows)


@pytest.mark.parametrize("row", [-1, 11])
def test_a_row_outside_the_table_is_an_error(folder: Path, row: int) -> None:
    with pytest.raises(IndexError, match=f"row {row}: the image table has rows 0 to 10"):
        ImageTable.open(folder).records([row])


@pytest.mark.parametrize("seed", range(16))
def test_a_flipped_bit_in_the_pixels_is_an_error(folder: Path, seed: int) -> None:
    shard = folder / "images" / "part-00001.parquet"
    flip_bit(shard, "pixels", seed)
    table = ImageTable.open(folder)
    with pytest.raises(DataError, match=r"part-00001\.parquet is damaged"):
        table.records([4, 5])


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_a_flipped_bit_in_the_index_is_an_error(folder: Path, share: float) -> None:
    index = folder / "index.parquet"
    content = bytearray(index.read_bytes())
    content[int(share * len(content))] ^= 1
    index.write_bytes(content)
    with pytest.raises(DataError, match=r"no index\.parquet, or one .*jobs\.ingest again"):
        ImageTable.open(folder)


def test_a_table_without_index_is_an_error(folder: Path) -> None:
    (folder / "index.parquet").unlink()
    with pytest.raises(DataError, match=r"no index\.parquet"):
        ImageTable.open(folder)


@pytest.mark.parametrize("told", [None, "x", {}])
def test_a_manifest_that_knows_no_index_is_an_error(folder: Path, told: object) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["index"] = told
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(DataError, match=r"no index\.parquet, or one that its manifest"):
        ImageTable.open(folder)


def test_a_shard_lost_since_is_an_error(folder: Path) -> None:
    table = ImageTable.open(folder)
    (folder / "images" / "part-00001.parquet").unlink()
    with pytest.raises(DataError, match=r"part-00001\.parquet is damaged"):
        table.records([4])


def test_a_storage_that_fails_is_no_reason_to_delete_a_shard(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = ImageTable.open(folder)

    def fail(*_: object) -> bytes:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(os, "pread", fail)
    with pytest.raises(
        DataError, match=r"cannot be read \(Too many open files\): check the"
    ) as said:
        table.records([0])
    assert "delete" not in str(said.value)


def test_a_shard_cut_since_is_an_error(folder: Path) -> None:
    table = ImageTable.open(folder)
    shard = folder / "images" / "part-00002.parquet"
    os.truncate(shard, table.places["pixels_at"][10].as_py() + 10)
    with pytest.raises(DataError, match=r"part-00002\.parquet is damaged"):
        table.records([10])


def test_a_shard_cut_short_is_an_error(folder: Path) -> None:
    shard = folder / "images" / "part-00002.parquet"
    shard.write_bytes(shard.read_bytes()[:-1000])
    with pytest.raises(DataError, match="cut short"):
        ImageTable.open(folder)


def test_a_table_without_manifest_is_not_finished(folder: Path) -> None:
    (folder / "manifest.json").unlink()
    with pytest.raises(DataError, match=r"not finished.*run the same python -m jobs\.ingest again"):
        ImageTable.open(folder)


@pytest.mark.parametrize("text", ["", "[]", '{"shards": [{}]}', '{"shards": 3}'])
def test_a_manifest_of_nothing_finishes_nothing(folder: Path, text: str) -> None:
    (folder / "manifest.json").write_text(text)
    with pytest.raises(DataError, match="not finished"):
        ImageTable.open(folder)


def test_a_shard_that_is_missing_or_not_of_the_manifest_is_an_error(folder: Path) -> None:
    shard = folder / "images" / "part-00002.parquet"
    other = shard.rename(shard.with_name("part-00003.parquet"))
    with pytest.raises(DataError, match=r"part-00002\.parquet is missing.* again$"):
        ImageTable.open(folder)
    shard.write_bytes(other.read_bytes())
    with pytest.raises(DataError, match=r"part-00003\.parquet is .*not of it"):
        ImageTable.open(folder)


def test_a_missing_folder_names_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"no image table in .*jobs\.ingest") as caught:
        ImageTable.open(tmp_path / "nowhere")
    assert "\n" not in str(caught.value)


def rewrite_index(folder: Path, change: Callable[[pa.Table], pa.Table]) -> None:
    """Another index, which the manifest knows."""
    index = folder / "index.parquet"
    pq.write_table(change(pq.read_table(index)), index)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["index"]["sha256"] = hashlib.sha256(index.read_bytes()).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest))


def test_another_table_version_is_refused(folder: Path) -> None:
    rewrite_index(folder, lambda rows: rows.replace_schema_metadata({VERSION_KEY: b"0"}))
    with pytest.raises(SchemaError, match="format version 0, expected") as caught:
        ImageTable.open(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("column", ["pixels_face", "pixels_at"])
def test_a_missing_column_is_refused(folder: Path, column: str) -> None:
    rewrite_index(folder, lambda rows: rows.drop_columns([column]))
    with pytest.raises(SchemaError, match=f"lacks the column '{column}'"):
        ImageTable.open(folder)
