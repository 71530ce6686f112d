from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mgray.data.alignment import measure, read_alignment
from mgray.data.storage import RemoteFolder
from mgray.errors import DataError, SchemaError
from mgray.schema import PAIR
from tests.data.s3 import serve_s3


def square(x: int, y: int, side: int = 20) -> np.ndarray:
    mask = np.zeros((1, 64, 64), bool)
    mask[0, y : y + side, x : x + side] = True
    return mask


def test_equal_masks_have_dice_one_and_no_offset() -> None:
    dice, offset = measure(square(3, 5), square(3, 5))
    assert (dice.tolist(), offset.tolist()) == ([1.0], [0.0])


def test_half_of_the_overlap_is_a_dice_of_a_half() -> None:
    dice, _ = measure(square(0, 0), square(10, 0))
    assert dice.tolist() == [0.5]


def test_the_offset_is_a_share_of_the_side() -> None:
    _, offset = measure(square(0, 0), square(24, 32))
    assert offset[0] == pytest.approx(40 / 64)


def test_each_pair_is_measured_alone() -> None:
    ffdm = np.concatenate([square(0, 0), square(5, 5)])
    dice, offset = measure(ffdm, np.concatenate([square(0, 0), square(40, 5)]))
    assert (dice.tolist(), offset.tolist()) == ([1.0, 0.0], [0.0, 35 / 64])


def test_missing_pairs_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"^pairs\.parquet of [^\n]* run the same [^\n]*$"):
        read_alignment(tmp_path)


def test_pairs_of_another_version_are_refused(tmp_path: Path) -> None:
    pq.write_table(PAIR.empty_table().replace_schema_metadata({}), tmp_path / "pairs.parquet")
    with pytest.raises(SchemaError, match=r"pairs\.parquet has format version none"):
        read_alignment(tmp_path)


def test_pairs_are_read_as_they_were_written(tmp_path: Path) -> None:
    told = {"pair_key": "k", "ffdm_image_id": "f", "synthetic_2d_image_id": "s", "dice": 0.5}
    table = pa.Table.from_pylist([told], schema=PAIR)
    pq.write_table(table, tmp_path / "pairs.parquet", write_page_checksum=True)
    assert read_alignment(tmp_path).equals(table)


@pytest.mark.usefixtures("keys")
def test_pairs_elsewhere_are_read_alike(tmp_path: Path) -> None:
    pq.write_table(PAIR.empty_table(), tmp_path / "pairs.parquet", write_page_checksum=True)
    with serve_s3(tmp_path) as s3:
        assert read_alignment(Path(s3.uri(tmp_path.name))).equals(PAIR.empty_table())


def test_no_word_of_missing_pairs_holds_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: RemoteFolder, name: str) -> bytes:
        raise FileNotFoundError(name)

    monkeypatch.setattr(RemoteFolder, "read", fail)
    uri = "s3://key:secret@bucket/table?region=here&scheme=http"
    with pytest.raises(DataError, match=r"of the image table in 's3://bucket/table' is missing"):
        read_alignment(Path(uri))
