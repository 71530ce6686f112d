import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mgray.dicom.codecs import decode_htj2k
from mgray.dicom.example import recoded
from mgray.dicom.pixels import read_stored
from mgray.dicom.record import read_record
from mgray.errors import DataError
from mgray.recipes.bench.config import BenchConfig
from mgray.recipes.bench.full_size import SYNTAXES
from mgray.recipes.bench.ingest import (
    codec_seconds,
    compared,
    ingest_words,
    measure_ingest,
    phantom_words,
    recode,
    steady_rate,
)


@pytest.fixture
def files(phantom_archive: Path) -> list[Path]:
    return sorted((phantom_archive / "images").glob("*.dcm"))[:8]


def write_shards(table: Path, shards: dict[float, int]) -> None:
    """Shards of so many images that end at these seconds."""
    (table / "images").mkdir()
    for second, images in shards.items():
        path = table / "images" / f"part-{1000 - second}.parquet"  # names do not tell the order
        pq.write_table(pa.table({"x": range(images)}), path)
        os.utime(path, ns=(0, int(second * 1e9)))


def test_the_bare_loop_makes_the_pixels_that_ingest_makes(files: list[Path]) -> None:
    for path in files:
        wanted = read_stored(read_record(path).columns)
        np.testing.assert_array_equal(decode_htj2k(recode(path, "j2k")), wanted)


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_the_bare_loop_makes_the_bytes_that_ingest_stores(
    files: list[Path], tmp_path: Path, syntax: str
) -> None:
    path = tmp_path / "a.dcm"
    path.write_bytes(recoded(files[0].read_bytes(), syntax))
    assert recode(path, syntax) == read_record(path).columns["pixels"]


def test_the_bare_loop_runs_in_processes(files: list[Path]) -> None:
    assert codec_seconds(files, "j2k", processes=2) > 0


def test_steady_state_is_from_each_workers_first_shard_to_its_last(tmp_path: Path) -> None:
    write_shards(tmp_path, {10.0: 16, 11.0: 16, 12.0: 16, 14.0: 8})
    assert steady_rate(tmp_path, workers=1) == pytest.approx((16 + 16 + 8) / 4)
    assert steady_rate(tmp_path, workers=2) == pytest.approx((16 + 8) / (13 - 10.5))


def test_too_few_shards_have_no_steady_state(tmp_path: Path) -> None:
    write_shards(tmp_path, {1.0: 16, 2.0: 16})
    with pytest.raises(DataError, match="2 shards for 2 workers: give more exams"):
        steady_rate(tmp_path, workers=2)


def test_the_jobs_get_the_same_workers_and_seed(tmp_path: Path) -> None:
    config = BenchConfig(exams=40, workers=7, seed=5)
    assert {"exams=3", "seed=5", "workers=7"} <= set(phantom_words(config, tmp_path, 3))
    assert "workers=7" in ingest_words(config, tmp_path, tmp_path)


def test_goals_are_shares_of_the_bare_rate() -> None:
    whole, steady = compared("j2k", [(1.0, 9.2, 10.0)])
    assert (whole.is_met(), steady.is_met()) == (None, True)
    _, slow = compared("htj2k", [(1.0, 7.9, 10.0)])
    assert slow.is_met() is False


@pytest.mark.ray
@pytest.mark.slow
def test_the_whole_job_and_its_steady_state_are_compared(
    phantom_archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = "mgray.recipes.bench.ingest"
    monkeypatch.setattr(f"{bench}.SYNTAXES", ("j2k",))
    monkeypatch.setattr(f"{bench}.make_full_size", lambda config, log: None)
    monkeypatch.setattr(f"{bench}.full_size_archive", lambda config, syntax: phantom_archive)
    measured = measure_ingest(BenchConfig(full_exams=10), tmp_path, tmp_path / "log")
    whole, steady = measured.comparisons
    assert whole.bare == steady.bare
    assert 0 < whole.ours[0] < steady.ours[0]
    assert measured.notes[0].startswith("ingest: 80 images of")
