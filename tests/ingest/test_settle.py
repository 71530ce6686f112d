import itertools
from dataclasses import replace

import pytest

from mgray.errors import DataError
from mgray.ingest.ledger import Entry, Ledger
from mgray.ingest.settle import check_patients, settle
from mgray.sources.ballot import Ballot

RANK = {name: at for at, name in enumerate("abcdefghijklm")}


def entry(path, image_id, **changes):
    told = {"patient_id": "p-1", "split": "train", "pair_key": "k", "pair_role": "ffdm"}
    return Entry(path, 1, 1, "s", "l", image_id=image_id, **{**told, **changes})


def ledgers(*entries):
    """One ledger for each entry."""
    return [Ledger(one.file_id, "stamp", "limits", 1, "s", (one,)) for one in entries]


def judged(*entries):
    return {
        one.file_id: (one.reason, one.partner)
        for ledger in settle(ledgers(*entries), RANK).settled
        for one in ledger.entries
    }


FFDM, SM = entry("a", "1"), entry("b", "2", pair_role="synthetic_2d")


def test_pair_is_not_flagged():
    assert judged(FFDM, SM) == {"a": (None, None), "b": (None, None)}


@pytest.mark.parametrize("alone", [FFDM, SM])
def test_image_without_partner_is_flagged(alone):
    assert judged(alone) == {alone.file_id: (None, "missing_partner")}


def test_two_ffdm_of_one_view_are_ambiguous_with_their_sm():
    flags = {flag for _, flag in judged(FFDM, SM, entry("c", "3")).values()}
    assert flags == {"ambiguous_pair"}


def test_image_that_cannot_pair_is_not_flagged():
    assert judged(entry("a", "1", pair_role="none")) == {"a": (None, None)}


def test_first_path_wins_whatever_the_order():
    copies = [entry("a", "1"), entry("b", "1"), entry("c", "1")]
    for order in itertools.permutations(copies):
        assert {path for path, (reason, _) in judged(*order).items() if not reason} == {"a"}


def test_the_order_is_that_of_paths_not_of_pseudonyms():
    (one,), (other,) = (
        ledger.entries
        for ledger in settle(ledgers(entry("a", "1"), entry("b", "1")), {"b": 0, "a": 1}).settled
    )
    assert (one.reason, other.reason) == ("duplicate", None)


def test_duplicate_is_no_second_partner():
    assert judged(FFDM, SM, entry("c", "1"))["b"] == (None, None)


def test_refused_file_is_no_partner_and_stays_refused():
    refused = Entry("b", 1, 1, "s", "l", reason="empty")
    assert judged(FFDM, refused) == {"a": (None, "missing_partner"), "b": ("empty", None)}


def ballot(path, held):
    return entry(path, path, pair_role="none", ballot=Ballot("embed_face_right", True, held))


def votes(*entries):
    return {
        one.file_id: one.vote
        for ledger in settle(ledgers(*entries), RANK).settled
        for one in ledger.entries
    }


def test_undecided_frame_follows_the_archive_whatever_the_order():
    files = [ballot("a", None), *(ballot(one, False) for one in "bcdefghij"), ballot("k", True)]
    for order in (files, files[::-1], files[5:] + files[:5]):
        assert votes(*order) == dict.fromkeys("abcdefghijk") | {"a": False}


def test_duplicate_has_no_vote():
    files = [ballot("a", None), *(ballot(one, False) for one in "bcdefghijk")]
    assert votes(*files)["a"] is False
    copied = replace(files[-1], image_id="j")
    assert votes(*files[:-1], copied) == dict.fromkeys("abcdefghijk")


def test_changed_majority_changes_settled_rows_and_only_these():
    many = [ballot(one, True) for one in "bcdefghijk"]
    before = settle(ledgers(ballot("a", None), *many), RANK).settled
    told = {one.file_id: one.vote for ledger in before for one in ledger.entries}
    assert told == dict.fromkeys("abcdefghijk") | {"a": True}
    grown = [*before, *ledgers(ballot("l", False), ballot("m", False))]
    assert [ledger.key for ledger in settle(grown, RANK).changed] == ["a"]


def test_settled_table_needs_nothing():
    files = [FFDM, entry("c", "1"), ballot("b", None), ballot("d", False)]
    verdict = settle(settle(ledgers(*files), RANK).settled, RANK)
    assert (verdict.changed, verdict.lost) == ([], [])


def test_only_shards_that_change_are_named():
    verdict = settle(ledgers(FFDM, SM, entry("c", "3", pair_key="other")), RANK)
    assert [ledger.key for ledger in verdict.changed] == ["c"]


def test_duplicate_that_now_counts_is_lost_until_decoded_again():
    dropped = entry("b", "1", reason="duplicate")
    assert [ledger.key for ledger in settle(ledgers(dropped), RANK).lost] == ["b"]


def test_patient_in_two_splits_is_named_by_pseudonym():
    with pytest.raises(DataError, match="patient p-1 is in the splits train and test"):
        check_patients(ledgers(FFDM, entry("b", "2", split="test")))


def test_refused_files_have_no_split():
    check_patients(ledgers(FFDM, Entry("b", 1, 1, "s", "l", reason="empty", patient_id="p-1")))
