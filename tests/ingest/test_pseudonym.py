import stat

from mgray.ingest.pseudonym import KEY_FILE, KEY_VARIABLE, Pseudonyms, load_key


def test_equal_in_equal_out():
    assert Pseudonyms(b"k", "d").patient("anna") == Pseudonyms(b"k", "d").patient("anna")


def test_key_dataset_and_kind_all_matter():
    told = {Pseudonyms(key, name).patient("x")[2:] for key in (b"k", b"l") for name in "de"}
    assert len(told | {Pseudonyms(b"k", "d").exam("x")[2:]}) == 5


def test_image_id_carries_the_dataset():
    assert Pseudonyms(b"k", "phantom").image("1.2.3").startswith("phantom-")


def test_neither_key_nor_value_shows():
    ids = Pseudonyms(b"secret", "d")
    assert "secret" not in repr(ids)
    assert "anna" not in ids.patient("anna")


def test_path_that_is_no_unicode_has_a_pseudonym():
    assert Pseudonyms(b"k", "d").file("\udcff.dcm").startswith("file-")


def test_key_comes_from_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv(KEY_VARIABLE, "given")
    assert load_key(tmp_path) == b"given"
    assert list(tmp_path.iterdir()) == []


def test_key_is_made_once_and_only_the_owner_reads_it(tmp_path, monkeypatch):
    monkeypatch.delenv(KEY_VARIABLE)
    first = load_key(tmp_path)
    (made,) = tmp_path.iterdir()
    assert (load_key(tmp_path), len(first)) == (first, 64)
    assert stat.S_IMODE(made.stat().st_mode) == 0o600


def test_empty_key_of_a_full_disk_is_no_key(tmp_path, monkeypatch):
    monkeypatch.delenv(KEY_VARIABLE)
    (tmp_path / KEY_FILE).touch()
    assert len(load_key(tmp_path)) == 64
