import hashlib
import os
from dataclasses import replace

import pytest

from mgray.ingest.ledger import (
    MISSING,
    Chunk,
    Entry,
    FileState,
    Ledger,
    hash_labels,
    load_ledger,
    load_ledgers,
    mask_states,
    save_ledger,
    shard_path,
    split_into_chunks,
    state_of,
    still_true,
    sweep,
)
from mgray.sources.ballot import Ballot

KEY = "0" * 20
SHARD = b"1234"
DIGEST = hashlib.sha256(SHARD).hexdigest()
BALLOT = Ballot("embed_face_right", True, None)
ENTRIES = (
    Entry("a", 1, 1, "s", "l", notes={"x": 1}),
    Entry("b", 1, 1, "s", "l", ballot=BALLOT, vote=False),
)
LEDGER = Ledger(KEY, "stamp", "limits", 4, DIGEST, ENTRIES)


@pytest.fixture
def out(tmp_path):
    shard_path(tmp_path, KEY).parent.mkdir()
    shard_path(tmp_path, KEY).write_bytes(SHARD)
    save_ledger(tmp_path, LEDGER)
    return tmp_path


def test_ledger_is_read_as_written(out):
    assert load_ledgers(out, "stamp") == [LEDGER]


def test_ledger_of_other_settings_does_not_hold(out):
    assert load_ledger(out, KEY, "other") is None


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"entries": [{}]}', "{"])
def test_damaged_ledger_does_not_hold(out, text):
    (out / "ledger" / f"{KEY}.json").write_text(text)
    assert load_ledger(out, KEY, "stamp") is None


def test_ledger_without_its_shard_does_not_hold(out):
    shard_path(out, KEY).unlink()
    assert load_ledger(out, KEY, "stamp") is None


def test_ledger_with_another_digit_does_not_hold(out):
    path = out / "ledger" / f"{KEY}.json"
    path.write_text(path.read_text().replace('"size": 1', '"size": 2'))
    assert load_ledger(out, KEY, "stamp") is None


def test_shard_with_a_flipped_bit_does_not_hold(out):
    shard_path(out, KEY).write_bytes(b"1235")
    assert load_ledger(out, KEY, "stamp") is None


def test_shard_that_was_only_touched_holds_and_is_hashed_once(out, monkeypatch):
    shard_path(out, KEY).touch()
    assert load_ledger(out, KEY, "stamp") == LEDGER
    monkeypatch.setattr("mgray.ingest.ledger.sha256_of", None)
    assert load_ledger(out, KEY, "stamp") == LEDGER


def test_sweep_keeps_what_counts_and_foreign_files(out):
    kept = {path for path in out.rglob("*") if path.is_file()}
    foreign = out / "images" / "part-of-something.parquet"
    for path in (foreign, shard_path(out, "1" * 20), out / "images" / ".part.tmp"):
        path.write_bytes(b"")
    sweep(out, [LEDGER])
    assert {path for path in out.rglob("*") if path.is_file()} == kept | {foreign}


def test_chunks_and_names_depend_on_the_files_only():
    files = [FileState(name, 1, 1) for name in "abcde"]
    cut = list(split_into_chunks(files, 2, str))
    moved = list(split_into_chunks([replace(file, mtime_ns=9) for file in files], 2, str))
    assert [len(chunk.files) for chunk in cut] == [2, 2, 1]
    assert [chunk.key for chunk in cut] == [chunk.key for chunk in moved]
    assert list(split_into_chunks(files[2:], 2, str)) == cut[1:]


def test_chunk_is_named_by_its_files():
    (chunk,) = split_into_chunks([FileState("a", 1, 1)], 2, str.upper)
    assert chunk == Chunk("1 A", (FileState("a", 1, 1),))


@pytest.mark.parametrize("path", ["../a", "/etc/passwd", "folder", "gone", "nul\0", "pipe"])
def test_anything_but_a_file_below_the_archive_is_missing(tmp_path, path):
    (tmp_path / "a").write_text("x")
    archive = tmp_path / "archive"
    (archive / "folder").mkdir(parents=True)
    os.mkfifo(archive / "pipe")
    assert state_of(archive, path, {}).size == MISSING


def test_new_labels_by_path_or_by_object_make_a_shard_stale(tmp_path, ids):
    told = hash_labels({"view": "CC", "cancer": 1}, ids)
    ledger = replace(LEDGER, entries=(Entry("a", 1, 1, "s", told, image_id="i"),))
    file = {"a": FileState("a", 1, 1, {"view": "CC"})}
    silent = {"a": replace(file["a"], labels={})}
    assert still_true(ledger, file.get, {"i": {"cancer": 1}}, tmp_path, ids)
    assert not still_true(ledger, file.get, {"i": {"cancer": 0}}, tmp_path, ids)
    assert not still_true(ledger, silent.get, {"i": {"cancer": 1}}, tmp_path, ids)


def test_hash_of_labels_needs_the_key(ids):
    labels = {"patient_id": "12345"}
    assert hash_labels(labels, ids) != hash_labels(labels, replace(ids, key=b"other"))


def test_a_mask_that_is_mended_makes_a_shard_stale(tmp_path, ids):
    labels = {"annotations": [{"mask_files": ["mask.png"]}, {"coords": [0, 0, 1, 1]}]}
    (tmp_path / "mask.png").write_bytes(b"half")
    told = hash_labels({**labels, **mask_states(tmp_path, labels)}, ids)
    ledger = replace(LEDGER, entries=(Entry("a", 1, 1, "s", told),))
    file = {"a": FileState("a", 1, 1, labels)}
    assert still_true(ledger, file.get, {}, tmp_path, ids)
    (tmp_path / "mask.png").write_bytes(b"halfwhole")
    assert not still_true(ledger, file.get, {}, tmp_path, ids)
    assert mask_states(tmp_path, {"annotations": None, "view": "CC"}) == {}
