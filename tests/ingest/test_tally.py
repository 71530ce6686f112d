from mgray.ingest.ledger import Entry, Ledger, outcomes
from mgray.ingest.manifest import build_manifest
from mgray.ingest.tally import Tally, summary

ROW = Entry("a", 1, 1, "s", "l", image_id="i", image_kind="ffdm", split="val", row_hash="r")
EMPTY = Entry("b", 1, 1, "s", "l", reason="empty")
LEDGER = Ledger("0", "stamp", "limits", 1, "s", (ROW, EMPTY, EMPTY))


def test_outcomes_count_rows_and_reasons():
    assert outcomes(LEDGER) == {"": 1, "empty": 2}


def test_note_tells_rate_and_what_was_refused_most_often_first():
    tally = Tally()
    tally._start -= 10
    assert tally.add({"": 95, "empty": 1, "not_dicom": 4}) == 100
    rate, told = tally.note().split(", ", 1)
    assert (round(float(rate.split()[0])), told) == (10, "refused 5: not_dicom 4, empty 1")


def test_bare_numbers_count_as_kept():
    tally = Tally()
    tally.add(3)
    assert tally.files == 3
    assert tally.note().endswith("refused 0")


def test_run_that_did_nothing_claims_no_rate():
    assert str(Tally()) == "this run: 0 files in 0.0 s"


def test_table_shows_every_kind_state_and_reason_and_adds_up():
    lines = summary(build_manifest([LEDGER], {}, []), "this run").splitlines()
    cells = [line.split() for line in lines]
    assert lines[0] == "this run"
    assert ["in", "the", "table", "ffdm", "1"] in cells
    assert ["refused", "empty", "the", "file", "has", "no", "bytes", "2"] in cells
    assert ["all", "3"] in cells
