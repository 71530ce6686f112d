from pathlib import Path

import numpy as np
import pytest

from mgray.dicom.example import example_file
from mgray.errors import DataError
from mgray.recipes.bench.codecs import MOST_TIMES, in_turns, largest_file, measure_codecs
from mgray.recipes.bench.config import BenchConfig


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir(parents=True)
    noise = np.random.default_rng(0).integers(500, 1024, (256, 192))
    (folder / "a.dcm").write_bytes(example_file(noise[:128], "j2k"))
    (folder / "b.dcm").write_bytes(example_file(noise, "j2k"))
    return tmp_path


def test_both_ways_take_turns_after_a_call_that_is_not_counted() -> None:
    calls: list[str] = []
    found = in_turns("x", lambda: calls.append("ours"), lambda: calls.append("bare"), repeats=2)
    assert calls == ["ours", "bare", *(["ours"] * 3 + ["bare"] * 3) * 2]
    assert (found.unit, len(found.ours), len(found.bare)) == ("CPU ms", 2, 2)
    assert min(*found.ours, *found.bare) >= 0


def test_the_largest_file_is_decoded(work: Path) -> None:
    assert largest_file(work).name == "b.dcm"


def test_an_archive_without_images_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no images to decode"):
        largest_file(tmp_path)


def test_syntaxes_sizes_and_the_child_are_compared(work: Path) -> None:
    measured = measure_codecs(BenchConfig(repeats=1), work)
    found = measured.comparisons
    assert [note.split()[0] for note in measured.notes] == ["1/2:", "1/4:"]
    names = {one.what for one in found}
    assert {"j2k / pydicom", "htj2k / pydicom", "rle / pydicom without plugin"} <= names
    assert names == MOST_TIMES.keys()
    assert all(min(*one.ours, *one.bare) > 0 for one in found)
