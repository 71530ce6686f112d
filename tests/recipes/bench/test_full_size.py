from pathlib import Path

import numpy as np
import pytest

from mgray.dicom.pixels import read_stored
from mgray.dicom.record import read_record
from mgray.recipes.bench.config import BenchConfig
from mgray.recipes.bench.full_size import full_size_archive, full_size_words, recode_archive


def names(archive: Path) -> list[str]:
    return sorted(path.name for path in archive.rglob("*.*") if path.is_file())


@pytest.fixture
def small(phantom_archive: Path, tmp_path: Path) -> Path:
    """Two images of the archive, with its tables."""
    (tmp_path / "j2k" / "images").mkdir(parents=True)
    for path in sorted((phantom_archive / "images").glob("*.dcm"))[:2]:
        (tmp_path / "j2k" / "images" / path.name).write_bytes(path.read_bytes())
    for name in ("exams.csv", "annotations.csv"):
        (tmp_path / "j2k" / name).write_bytes((phantom_archive / name).read_bytes())
    return tmp_path / "j2k"


def test_a_twin_has_the_same_images_in_another_syntax(small: Path, tmp_path: Path) -> None:
    twin = tmp_path / "htj2k"
    recode_archive(small, twin, "htj2k", workers=1)
    assert names(twin) == names(small)
    for path in (small / "images").iterdir():
        old, new = read_record(path), read_record(twin / "images" / path.name)
        assert new.identity == old.identity
        assert new.columns["transfer_syntax_uid"] == "1.2.840.10008.1.2.4.201"
        np.testing.assert_array_equal(read_stored(new.columns), read_stored(old.columns))


def test_only_what_is_missing_is_made(small: Path, tmp_path: Path) -> None:
    twin = tmp_path / "twin"
    (twin / "images").mkdir(parents=True)
    kept, made = sorted(path.name for path in (small / "images").iterdir())
    (twin / "images" / kept).write_bytes(b"kept")
    recode_archive(small, twin, "jpeg_lossless", workers=1)
    assert (twin / "images" / kept).read_bytes() == b"kept"
    assert (twin / "images" / made).stat().st_size > 1000


def test_other_settings_have_another_folder(tmp_path: Path) -> None:
    default = BenchConfig(out=tmp_path)
    folders = {
        full_size_archive(default.model_copy(update=change), "j2k")
        for change in ({}, {"seed": 2}, {"full_rows": 624}, {"full_exams": 3})
    }
    assert len(folders) == 4


def test_the_default_is_a_detector_of_seventy_micrometres(tmp_path: Path) -> None:
    words = full_size_words(BenchConfig(out=tmp_path))
    assert {"height=3328", "width=2560", "pixel_mm=0.07", "synthetic_scale=1"} <= set(words)
    assert 8 * BenchConfig().full_exams >= 200
