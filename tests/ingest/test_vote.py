import pytest

from mgray.ingest.ledger import Entry
from mgray.ingest.vote import (
    FrameVotes,
    count_votes,
    settled_frame,
    settled_notes,
    tell_votes,
    vote_for,
)
from mgray.sources.ballot import Ballot

EMBED = "embed_face_right"


def entry(held, rule=True, frame=EMBED, **changes):
    notes = {"box_clipped": 2, **dict.fromkeys(Ballot(frame, rule, held).flags(), 1)}
    told = {"ballot": Ballot(frame, rule, held), "notes": notes, **changes}
    return Entry("f", 1, 1, "s", "l", **told)


@pytest.mark.parametrize(
    ("held", "followed"),
    [
        ([False] * 10, False),
        ([False] * 9, None),
        ([False] * 9 + [None] * 9, None),
        ([True] * 9 + [False], True),
        ([True] * 89 + [False] * 11, None),
        ([True] * 51 + [False] * 49, None),
        ([False, True], None),
        ([None, None], None),
        ([], None),
    ],
)
def test_undecided_image_follows_many_that_decided_alike(held, followed):
    undecided = entry(None)
    votes = count_votes([undecided, *map(entry, held)])
    assert vote_for(undecided, votes) is followed


def test_image_that_decided_follows_nobody():
    votes = count_votes([entry(False)] * 20)
    assert vote_for(entry(True), votes) is None


def test_images_that_the_rule_treats_otherwise_have_no_say():
    """Boxes of straight archives are straight on both sides; left breasts cannot outvote that."""
    votes = count_votes([entry(None), *[entry(False)] * 10, *[entry(True, rule=False)] * 90])
    assert vote_for(entry(None), votes) is False


def test_image_without_ballot_is_left_alone():
    plain = Entry("f", 1, 1, "s", "l", notes={"box_clipped": 1})
    assert vote_for(plain, count_votes([plain])) is None
    assert settled_notes(plain) == {"box_clipped": 1}
    assert settled_frame({"qc_flags": [], "annotations": []}, plain) == {}


def test_votes_are_told():
    entries = [entry(None), *[entry(False)] * 9, entry(True), entry(None, rule=False)]
    told = {"frame": EMBED, "straight": 0, "flipped": 0, "undecided": 1}
    assert tell_votes(entries) == [
        FrameVotes(**told, by_rule="straight", followed="straight", told_by="rule"),
        FrameVotes(
            **told | {"straight": 9, "flipped": 1},
            by_rule="flipped", followed="straight", told_by="archive",
        ),
    ]  # fmt: skip


def test_notes_say_what_the_archive_settled():
    assert settled_notes(entry(None)) == {
        "box_clipped": 2, "frame_undecided": 1, "frame_hypothesis_mirrored": 1,
    }  # fmt: skip
    assert settled_notes(entry(None, vote=False)) == {
        "box_clipped": 2, "frame_by_vote": 1, "frame_against_rule": 1,
    }  # fmt: skip


def row(ballot):
    box = {"coords": [44.0, 40.0, 54.0, 50.0], "outline": [44.0, 40.0], "source_frame": EMBED}
    other = {"coords": [1.0, 2.0, 3.0, 4.0], "outline": None, "source_frame": None}
    flags = sorted({"monochrome1"} | ballot.flags())
    return {"rows": 96, "columns": 64, "annotations": [box, other], "qc_flags": flags}


def test_row_is_flipped_where_the_archive_refutes_the_rule_and_back_where_it_falls_silent():
    undecided = entry(None)
    before = row(undecided.ballot)
    made = before | settled_frame(before, entry(None, vote=False))
    assert [one["coords"] for one in made["annotations"]] == [[10, 40, 20, 50], [1, 2, 3, 4]]
    assert made["annotations"][0]["outline"] == [20, 40]
    assert made["qc_flags"] == ["frame_against_rule", "frame_by_vote", "monochrome1"]
    assert made | settled_frame(made, entry(None, vote=False)) == made
    assert made | settled_frame(made, undecided) == before


def test_row_that_the_archive_confirms_only_says_so():
    before = row(entry(None).ballot)
    made = settled_frame(before, entry(None, vote=True))
    assert made["annotations"] == before["annotations"]
    assert made["qc_flags"] == ["frame_by_vote", "frame_hypothesis_mirrored", "monochrome1"]
