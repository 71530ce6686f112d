import pytest

from mgray.ingest.files import sha256_of, whole, write_text


def test_file_appears_whole_at_the_end(tmp_path):
    path = tmp_path / "deep" / "file"
    with whole(path) as draft:
        draft.write_text("content")
        assert not path.exists()
    assert path.read_text() == "content"


def test_failure_leaves_the_old_file_and_no_draft(tmp_path):
    path = tmp_path / "file"
    write_text(path, "old")
    with pytest.raises(RuntimeError):
        fail_halfway(path)
    assert [(one.name, one.read_text()) for one in tmp_path.iterdir()] == [("file", "old")]


def fail_halfway(path):
    with whole(path) as draft:
        draft.write_text("half")
        raise RuntimeError


def test_hash_is_sha256(tmp_path):
    write_text(tmp_path / "file", "abc")
    assert sha256_of(tmp_path / "file").startswith("ba7816bf8f01cfea414140de5dae2223b00361a3")
