import hashlib
import os
from pathlib import Path

import pytest

from mgray.dicom import source
from mgray.dicom.limits import Limits
from mgray.dicom.source import FileBytes, opened, sha256
from mgray.errors import Rejected

TEXT = bytes(range(256)) * 20


@pytest.fixture(params=["whole", "on demand"])
def path(request, tmp_path, monkeypatch):
    monkeypatch.setattr(source, "WHOLE_BYTES", 10 if request.param == "on demand" else 2**20)
    monkeypatch.setattr(source, "CHUNK", 1000)
    (tmp_path / "a").write_bytes(TEXT)
    return tmp_path / "a"


def test_slices_are_those_of_the_bytes(path):
    with opened(path, Limits()) as data:
        assert len(data) == len(TEXT)
        for part in (slice(0, 10), slice(100, 4000), slice(5000, 9000), slice(9000, 9001)):
            assert data[part] == TEXT[part]


def test_hash_is_that_of_the_bytes(path):
    with opened(path, Limits()) as data:
        assert sha256(data) == hashlib.sha256(TEXT).hexdigest() == sha256(TEXT)


def test_a_file_over_the_limit_is_not_read(path):
    with (
        pytest.raises(Rejected, match="5120 bytes > 5119"),
        opened(path, Limits(max_file_bytes=5119)),
    ):
        pass


@pytest.mark.parametrize("name", [".", "none"])
def test_what_cannot_be_read_is_unreadable(tmp_path, name):
    with pytest.raises(Rejected) as caught, opened(tmp_path / name, Limits()):
        pass
    assert caught.value.reason == "unreadable"
    assert str(tmp_path) not in str(caught.value)


def test_a_file_that_shrinks_gives_short_slices(tmp_path):
    (tmp_path / "a").write_bytes(TEXT)
    descriptor = os.open(tmp_path / "a", os.O_RDONLY)
    data = FileBytes(descriptor)
    os.truncate(tmp_path / "a", 100)
    assert data[90:200] == TEXT[90:100]
    os.close(descriptor)
    with pytest.raises(Rejected, match="could not be opened or read"):
        data[:5]


def test_the_file_is_closed(path):
    before = len(list(Path("/proc/self/fd").iterdir()))
    with opened(path, Limits()):
        pass
    assert len(list(Path("/proc/self/fd").iterdir())) == before
