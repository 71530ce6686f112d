from dataclasses import replace

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
from mgray.sources.ballot import Ballot
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


def test_boxes_outside_the_breast_are_a_share_and_above_one_percent_a_warning():
    told = []
    for findings in (0, 2, 99, 100):
        notes = {"box_outside_breast": 1} if findings else {}
        entry = replace(ROW, findings=findings, notes=notes, partner=None)
        told.append(build_manifest(ledgers(entry), SOURCE, []))
    assert [one.outside_breast for one in told] == [None, 0.5, 1 / 99, 0.01]
    codes = [{warned.code: warned.count for warned in one.warnings} for one in told]
    assert [found.get("frame_suspect") for found in codes] == [None, 1, 1, None]


def test_votes_on_frames_are_told_and_change_content_and_warnings():
    rule = replace(ROW, ballot=Ballot("omi_db", False, None), notes={"frame_undecided": 1})
    voted = replace(rule, vote=True)
    one, other = (build_manifest(ledgers(entry), SOURCE, []) for entry in (rule, voted))
    assert [told.undecided for told in one.frames] == [1]
    assert one.content_sha256 != other.content_sha256
    codes = {warned.code for warned in other.warnings}
    assert "frame_by_vote" in codes
    assert "frame_undecided" not in codes


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
