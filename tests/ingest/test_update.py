"""The table follows the archive; run here, without Ray."""

import errno
import os
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from mgray.config import build
from mgray.data.table import ImageTable
from mgray.errors import ConfigError, DataError
from mgray.ingest.attempts import MOST_DEATHS, SUFFIX, Attempts
from mgray.ingest.config import IngestConfig


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


def test_added_files_add_shards_and_old_rows_stay(archive, ingest_here, tmp_path):
    archive.pair(1)
    ingest_here(archive, tmp_path / "table")
    old = contents(tmp_path / "table" / "images")
    archive.pair(2)
    manifest = ingest_here(archive, tmp_path / "table")
    assert old.items() <= contents(tmp_path / "table" / "images").items()
    assert (manifest.rows, len(manifest.shards)) == (4, 2)


def test_adding_piecemeal_ends_as_ingesting_at_once(archive, ingest_here, tmp_path):
    archive.image("m.dcm", 1)
    ingest_here(archive, tmp_path / "table")
    archive.put("a-copy.dcm", (archive.root / "images" / "m.dcm").read_bytes())  # sorts before
    archive.image("n.dcm", 1, "synthetic_2d")  # the partner
    grown = ingest_here(archive, tmp_path / "table")
    assert grown.content_sha256 == ingest_here(archive, tmp_path / "fresh").content_sha256
    assert (grown.rows, grown.quarantined_by_reason, grown.pairs) == (2, {"duplicate": 1}, 1)


def test_a_duplicate_comes_back_when_the_first_file_goes(archive, ingest_here, tmp_path):
    archive.image("m.dcm", 1)
    archive.put("a-copy.dcm", (archive.root / "images" / "m.dcm").read_bytes())
    ingest_here(archive, tmp_path / "table", images_per_shard=1)
    (archive.root / "images" / "a-copy.dcm").unlink()
    manifest = ingest_here(archive, tmp_path / "table", images_per_shard=1)
    assert (manifest.rows, manifest.quarantined) == (1, 0)


def test_changed_labels_change_rows(archive, ingest_here, tmp_path):
    uid = archive.image("m.dcm", 1)
    before = ingest_here(archive, tmp_path / "table")
    archive.box(uid, 10, 20, 30, 40)
    after = ingest_here(archive, tmp_path / "table")
    assert (before.findings, after.findings) == (0, 1)


def test_one_patient_in_two_splits_is_an_error_that_names_a_pseudonym(
    archive, ingest_here, tmp_path
):
    archive.image("a.dcm", 1)
    archive.image("b.dcm", 1, "synthetic_2d")
    (archive.root / "catalog.csv").write_text("path,split\nimages/a.dcm,train\nimages/b.dcm,test\n")
    with pytest.raises(DataError, match=r"patient p-[0-9a-f]+ is in the splits") as error:
        ingest_here(archive, tmp_path / "table", source="csv")
    assert "patient-1" not in str(error.value)


def test_rerun_decodes_nothing_and_changes_nothing(archive, ingest_here, decoded, tmp_path):
    archive.pair(1)
    archive.put("bad.dcm", b"text")
    first = ingest_here(archive, tmp_path / "table")
    before, once = contents(tmp_path / "table"), decoded()
    assert ingest_here(archive, tmp_path / "table") == first
    assert (contents(tmp_path / "table"), decoded(), once) == (before, 3, 3)


def test_added_file_is_the_only_one_decoded(archive, ingest_here, decoded, tmp_path):
    archive.pair(1)
    ingest_here(archive, tmp_path / "table")
    archive.image("new.dcm", 2)
    ingest_here(archive, tmp_path / "table")
    assert decoded() == 3


def test_content_does_not_depend_on_the_size_of_shards(archive, ingest_here, tmp_path):
    archive.pair(1)
    archive.image("alone.dcm", 2)
    small, large = (
        ingest_here(archive, tmp_path / str(size), images_per_shard=size) for size in (1, 5)
    )
    assert (small.content_sha256, len(small.shards)) == (large.content_sha256, 3)


def test_touched_file_is_not_decoded_again(archive, ingest_here, decoded, tmp_path):
    archive.image("a.dcm", 1)
    ingest_here(archive, tmp_path / "table")
    (archive.root / "images" / "a.dcm").touch()
    ingest_here(archive, tmp_path / "table")
    assert decoded() == 1


def test_changed_file_is_ingested_again(archive, ingest_here, tmp_path):
    archive.image("a.dcm", 1)
    ingest_here(archive, tmp_path / "table")
    archive.put("a.dcm", b"text")
    assert ingest_here(archive, tmp_path / "table").quarantined == 1


def test_removed_file_leaves_the_table(archive, ingest_here, tmp_path):
    archive.pair(1)
    ingest_here(archive, tmp_path / "table")
    (archive.root / "images" / "001-ffdm.dcm").unlink()
    assert ingest_here(archive, tmp_path / "table").rows_by_kind == {"synthetic_2d": 1}


def test_lost_or_cut_shard_is_made_again(archive, ingest_here, tmp_path):
    archive.pair(1)
    archive.pair(2)
    first = ingest_here(archive, tmp_path / "table")
    one, other = sorted((tmp_path / "table" / "images").iterdir())
    one.unlink()
    other.write_bytes(other.read_bytes()[:-1])
    assert ingest_here(archive, tmp_path / "table") == first
    assert one.is_file()


def test_unfinished_run_leaves_no_manifest_and_continues(archive, ingest_here, decoded, tmp_path):
    archive.pair(1)
    first = ingest_here(archive, tmp_path / "table")
    for name in ("manifest.json", f"ledger/{first.shards[0].file[5:-8]}.json"):
        (tmp_path / "table" / name).unlink()
    assert ingest_here(archive, tmp_path / "table") == first
    assert decoded() == 4


def test_deaths_of_an_earlier_run_do_not_count(archive, ingest_here, tmp_path):
    archive.image("a.dcm", 1)
    out = tmp_path / "table"
    (shard,) = ingest_here(archive, out).shards
    key = Path(shard.file).stem.removeprefix("part-")
    (out / "ledger" / f"{key}.json").unlink()
    for _ in range(MOST_DEATHS):
        Attempts(out / "ledger" / f"{key}{SUFFIX}").begin(0)  # and the machine is lost
    assert ingest_here(archive, out).rows == 1


def test_refused_file_is_tried_again_when_the_tables_learn_its_view(archive, ingest_here, tmp_path):
    archive.image("a.dcm", 1, ViewPosition="")
    lines, archive.exams = archive.exams, []
    archive.tables()
    before = ingest_here(archive, tmp_path / "table")
    archive.exams = lines
    archive.tables()
    after = ingest_here(archive, tmp_path / "table")
    assert before.quarantined_by_reason == {"missing_identity": 1}
    assert (after.rows, after.quarantined) == (1, 0)


def test_another_split_seed_gives_another_table(archive, ingest_here, tmp_path):
    archive.pair(1)
    stamps = {ingest_here(archive, tmp_path / "table", split_seed=seed).stamp for seed in (0, 1)}
    assert len(stamps) == 2


def test_other_limits_try_refused_files_again_and_only_those(
    archive, ingest_here, decoded, tmp_path
):
    archive.pair(1)
    archive.image("x.dcm", 2)
    ingest_here(archive, tmp_path / "table", limits={"max_pixels": 10})
    manifest = ingest_here(archive, tmp_path / "table")
    again = ingest_here(archive, tmp_path / "table", limits={"max_pixels": 10**6})
    assert (manifest.rows, again.rows, decoded()) == (3, 3, 6)


def test_archive_that_changes_meanwhile_is_an_error(archive, ingest_here, tmp_path, monkeypatch):
    archive.image("a.dcm", 1)
    monkeypatch.setattr("mgray.ingest.update.still_true", lambda *_: False)
    with pytest.raises(DataError, match="changes while it is ingested"):
        ingest_here(archive, tmp_path / "table")


def test_bit_that_rots_unseen_is_found_by_the_reader_and_its_shard_made_again(
    archive, ingest_here, tmp_path
):
    archive.pair(1)
    out = tmp_path / "table"
    first = ingest_here(archive, out)
    (shard,) = (out / "images").iterdir()
    flip_a_pixel(shard)
    with pytest.raises(DataError, match=f"{shard.name} is damaged.*delete this one file"):
        ImageTable.open(out).records([0, 1])
    shard.unlink()
    assert ingest_here(archive, out) == first
    assert len(ImageTable.open(out).records([0, 1])) == 2


def test_missing_index_is_made_again_and_nothing_is_decoded(
    archive, ingest_here, decoded, tmp_path
):
    archive.pair(1)
    out = tmp_path / "table"
    first = ingest_here(archive, out)
    (out / "index.parquet").unlink()
    assert ingest_here(archive, out) == first
    assert len(ImageTable.open(out)) == decoded() == 2


def flip_a_pixel(shard: Path) -> None:
    """Flip a bit as a disk does, which changes no time."""
    told, data = shard.stat(), bytearray(shard.read_bytes())
    pixels = pq.read_table(shard, columns=["pixels"])["pixels"][0].as_py()
    data[data.index(pixels) + len(pixels) // 2] ^= 1
    shard.write_bytes(data)
    os.utime(shard, ns=(told.st_atime_ns, told.st_mtime_ns))


def test_an_archive_that_lost_most_of_its_files_is_no_reason_to_drop_their_rows(
    archive, ingest_here, tmp_path
):
    for patient in (1, 2):
        archive.pair(patient)
    ingest_here(archive, tmp_path / "table", images_per_shard=1)
    before = contents(tmp_path / "table" / "images")
    files = sorted((archive.root / "images").rglob("*.dcm"))
    for path in files[:3]:
        path.unlink()
    with pytest.raises(DataError, match=r"3 of the 4 files .* is it mounted"):
        ingest_here(archive, tmp_path / "table", images_per_shard=1)
    assert contents(tmp_path / "table" / "images") == before
    manifest = ingest_here(archive, tmp_path / "table", images_per_shard=1, may_shrink=True)
    assert (manifest.files, manifest.rows) == (1, 1)


def test_half_of_the_files_may_go(archive, ingest_here, tmp_path):
    archive.pair(1)
    ingest_here(archive, tmp_path / "table")
    next((archive.root / "images").rglob("*.dcm")).unlink()
    assert ingest_here(archive, tmp_path / "table").rows == 1


def test_another_key_of_pseudonyms_drops_nothing(archive, ingest_here, tmp_path, monkeypatch):
    archive.pair(1)
    monkeypatch.setenv("MGRAY_PSEUDONYM_KEY", "a key of ours")
    ingest_here(archive, tmp_path / "table")
    before = contents(tmp_path / "table" / "images")
    monkeypatch.delenv("MGRAY_PSEUDONYM_KEY")
    with pytest.raises(DataError, match="MGRAY_PSEUDONYM_KEY the same"):
        ingest_here(archive, tmp_path / "table")
    assert contents(tmp_path / "table" / "images") == before


def test_other_settings_ingest_all_again_without_asking(archive, ingest_here, decoded, tmp_path):
    archive.pair(1)
    ingest_here(archive, tmp_path / "table")
    before = decoded()
    assert ingest_here(archive, tmp_path / "table", split_seed=7).rows == 2
    assert decoded() == before + 2


def test_rows_stay_while_nobody_can_tell_whether_their_files_are_there(
    archive, ingest_here, decoded, tmp_path, monkeypatch
):
    archive.pair(1)
    first = ingest_here(archive, tmp_path / "table")
    before = decoded()

    def stat(path, *, follow_symlinks=True, real=Path.stat):
        if path.suffix == ".dcm":
            raise PermissionError(errno.EACCES, "no")
        return real(path, follow_symlinks=follow_symlinks)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "stat", stat)
        again = ingest_here(archive, tmp_path / "table")
    assert (again, decoded()) == (first, before)


def test_a_refusal_is_tried_again_when_that_is_asked_for(archive, ingest_here, decoded, tmp_path):
    archive.pair(1)
    archive.put("bad.dcm", b"text")
    first = ingest_here(archive, tmp_path / "table", images_per_shard=1)
    before = decoded()
    ingest_here(archive, tmp_path / "table", images_per_shard=1, retry=("timeout",))
    assert decoded() == before
    again = ingest_here(archive, tmp_path / "table", images_per_shard=1, retry=("not_dicom",))
    assert (again, decoded()) == (first, before + 1)


def test_a_reason_that_does_not_exist_is_told_with_those_that_do():
    told = {"source": "phantom", "archive": "a", "out": "b", "retry": ["tmeout"]}
    with pytest.raises(ConfigError, match="tmeout is no reason: expected of unreadable, empty"):
        build(IngestConfig, told)


def test_another_reading_of_files_reads_them_anew(
    archive, ingest_here, decoded, tmp_path, monkeypatch
):
    archive.pair(1)
    ingest_here(archive, tmp_path / "table")
    before = decoded()
    monkeypatch.setattr("mgray.ingest.run.READER_VERSION", "another")
    assert ingest_here(archive, tmp_path / "table").rows == 2
    assert decoded() == before + 2
