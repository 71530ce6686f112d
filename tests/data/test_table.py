import pickle
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mgray.data.table import ImageTable
from mgray.dicom.pixels import read_stored
from mgray.errors import DataError, NotFoundError, SchemaError
from mgray.schema import IMAGE, VERSION_KEY


def numbered(make_row: Any, count: int) -> list[dict[str, Any]]:
    """Rows whose pixels all equal their number, shuffled over shards by the writer."""
    return [make_row(np.full((32, 32), n), image_id=f"i{n}") for n in range(count)]


@pytest.fixture
def folder(make_row: Any, write_table: Any) -> Path:
    return Path(write_table(numbered(make_row, 11), shards=3))


def flip_bit(shard: Path, column: str, seed: int) -> None:
    """Flip one of the last 16 bits of a column in the first row group.

    Page headers come before: a bit there is not covered by the checksum, and mostly not used.
    """
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


def test_length_counts_all_shards(folder: Path) -> None:
    assert len(ImageTable.open(folder)) == 11


def test_private_columns_never_leave_the_table(folder: Path) -> None:
    table = ImageTable.open(folder)
    seen = {*table.index.column_names, *table.records([0])[0]}
    assert seen == set(IMAGE.names) - {"extra_json"}


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


def test_a_row_outside_the_table_is_an_error(folder: Path) -> None:
    with pytest.raises(IndexError):
        ImageTable.open(folder).records([11])


@pytest.mark.parametrize("seed", range(16))
def test_a_flipped_bit_in_the_pixels_is_an_error(folder: Path, seed: int) -> None:
    shard = folder / "images" / "part-00001.parquet"
    flip_bit(shard, "pixels", seed)
    table = ImageTable.open(folder)
    with pytest.raises(DataError, match=r"part-00001\.parquet is damaged"):
        table.records([4, 5])


def test_a_flipped_bit_in_a_label_is_an_error(folder: Path) -> None:
    shard = folder / "images" / "part-00000.parquet"
    flip_bit(shard, "split", seed=0)
    with pytest.raises(DataError, match="damaged"):
        ImageTable.open(folder)


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


def test_another_table_version_is_refused(make_row: Any, write_table: Any) -> None:
    old = IMAGE.with_metadata({VERSION_KEY: b"0"})
    with pytest.raises(SchemaError, match="format version 0, expected") as caught:
        ImageTable.open(write_table([make_row()], shards=1, schema=old))
    assert "\n" not in str(caught.value)


def test_a_missing_column_is_refused(make_row: Any, write_table: Any) -> None:
    thin = pa.schema(
        [field for field in IMAGE if field.name != "pixels_face"], metadata=IMAGE.metadata
    )
    row = make_row()
    del row["pixels_face"]
    with pytest.raises(SchemaError, match="lacks the column 'pixels_face'"):
        ImageTable.open(write_table([row], shards=1, schema=thin))
