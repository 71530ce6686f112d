import pytest

from mgray.errors import DataError
from mgray.ingest.ledger import Entry, Ledger
from mgray.ingest.manifest import (
    FILE,
    build_manifest,
    check_counts,
    label_notices,
    quarantine_records,
    read_manifest,
)
from mgray.sources.source import Notice

SOURCE = {"name": "d"}
ROW = Entry(
    "a", 1, 1, "s", "l", image_id="i", patient_id="p", exam_id="e", split="val",
    image_kind="ffdm", pair_key="k", pair_role="ffdm", findings=2, row_hash="r",
    partner="missing_partner", notes={"box_clipped": 3},
)  # fmt: skip
REFUSED = Entry("b", 1, 1, "s", "l", reason="empty")


def ledgers(*entries):
    return [Ledger("0", "stamp", "limits", 1, "s", entries)]


def test_counts_are_those_of_the_entries():
    told = build_manifest(ledgers(ROW, REFUSED), SOURCE, [])
    assert (told.files, told.rows, told.quarantined, told.findings, told.pairs) == (2, 1, 1, 2, 0)
    assert told.quarantined_by_reason == {"empty": 1}
    assert told.patients_by_split == {"val": 1}


def test_warnings_are_counted_with_pseudonyms():
    told = build_manifest(ledgers(ROW), SOURCE, [Notice("x", 1, "text"), Notice("y", 0, "no")])
    assert {one.code: (one.count, one.ids) for one in told.warnings} == {
        "x": (1, []), "box_clipped": (3, ["i"]), "missing_partner": (1, ["i"]),
    }  # fmt: skip


def test_content_hash_ignores_shards_and_sees_rows():
    one = build_manifest(ledgers(ROW, REFUSED), SOURCE, [])
    two = build_manifest(ledgers(REFUSED) + ledgers(ROW), SOURCE, [])
    assert one.content_sha256 == two.content_sha256
    assert one.content_sha256 != build_manifest(ledgers(ROW), SOURCE, []).content_sha256


@pytest.mark.parametrize("paths", [["a"], ["a", "b", "c"], ["a", "c"]])
def test_lost_or_doubled_file_fails_the_job(paths):
    made = ledgers(ROW, REFUSED)
    with pytest.raises(DataError, match="1 rows and 1 refusals"):
        check_counts(build_manifest(made, SOURCE, []), paths, made)


def test_labels_of_absent_images_are_named_by_pseudonym(ids):
    held = Entry("a", 1, 1, "s", "l", image_id=ids.image("1"))
    by_uid = {"1": {"annotations": [{}]}, "2": {"annotations": [{}, {}]}, "3": {}}
    labels, findings = label_notices(by_uid, [held], ids)
    assert (labels.count, findings.count) == (2, 2)
    assert findings.ids == (ids.image("2"),)


def test_quarantine_is_sorted_and_names_files_by_pseudonym():
    other = Entry("aa", 1, 1, None, "l", reason="unreadable", detail="why")
    records = quarantine_records(ledgers(REFUSED, ROW, other))
    assert [one["file_id"] for one in records] == ["aa", "b"]
    assert (records[0]["reason"], records[0]["detail"]) == ("unreadable", "why")


def test_manifest_is_read_as_written(tmp_path):
    made = build_manifest(ledgers(ROW), SOURCE, [])
    (tmp_path / FILE).write_text(made.model_dump_json())
    assert read_manifest(tmp_path) == made


@pytest.mark.parametrize("text", ["", "{}", '{"table_version": "0"}'])
def test_manifest_of_another_version_is_none(tmp_path, text):
    (tmp_path / FILE).write_text(text)
    assert read_manifest(tmp_path) is None
