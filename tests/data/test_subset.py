from collections import Counter

import pytest

from mgray.data.pairs import Pair
from mgray.data.subset import mismatched, with_boxes


def pair(number: int, malignant: bool = False, benign: bool = False) -> Pair:
    """Four pairs a patient."""
    rows = {"sm": number, "ffdm": 1000 + number}
    return Pair(f"k{number}", f"p{number // 4}", "train", rows, malignant, None, benign)


PAIRS = [pair(n, malignant=n % 4 == 0, benign=n % 4 == 1) for n in range(800)]


def boxed(share: float, seed: int = 0) -> list[Pair]:
    return [p for p in with_boxes(PAIRS, share, seed) if p.malignant or p.benign]


def test_all_boxes_are_all_pairs() -> None:
    assert with_boxes(PAIRS, 1.0, 0) == PAIRS


def test_healthy_pairs_stay() -> None:
    kept = with_boxes(PAIRS, 0.1, 0)
    assert [p for p in kept if not (p.malignant or p.benign)] == [
        p for p in PAIRS if not (p.malignant or p.benign)
    ]


def test_a_patient_has_all_boxes_or_none() -> None:
    counts = Counter(p.patient_id for p in boxed(0.3))
    assert set(counts.values()) == {2}


@pytest.mark.parametrize(("share", "patients"), [(0.001, 1), (0.02, 4), (0.3, 60), (0.5, 100)])
def test_how_many_patients_have_boxes_does_not_depend_on_the_seed(
    share: float, patients: int
) -> None:
    for seed in range(5):
        assert len({p.patient_id for p in boxed(share, seed)}) == patients


def test_a_share_is_one_of_the_patients_with_a_finding() -> None:
    mostly_healthy = [pair(n, malignant=n < 40) for n in range(800)]
    kept = {p.patient_id for p in with_boxes(mostly_healthy, 0.3, 0) if p.malignant}
    assert len(kept) == 3


def test_a_larger_share_keeps_what_a_smaller_one_keeps() -> None:
    few, more = ({p.pair_key for p in boxed(share)} for share in (0.1, 0.4))
    assert few < more


def test_which_boxes_are_known_depends_on_the_seed_alone() -> None:
    assert boxed(0.2, 1) == boxed(0.2, 1)
    assert boxed(0.2, 1) != boxed(0.2, 2)


def test_no_sm_keeps_its_ffdm_and_each_ffdm_is_used_once() -> None:
    found = mismatched(PAIRS, 3)
    assert all(new.rows["ffdm"] != old.rows["ffdm"] for new, old in zip(found, PAIRS, strict=True))
    assert sorted(p.rows["ffdm"] for p in found) == [p.rows["ffdm"] for p in PAIRS]
    assert [p.rows["sm"] for p in found] == [p.rows["sm"] for p in PAIRS]


def test_mismatched_pairs_depend_on_the_seed_alone() -> None:
    assert mismatched(PAIRS, 3) == mismatched(PAIRS, 3) != mismatched(PAIRS, 4)


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_pairs_to_mismatch_stay(count: int) -> None:
    assert mismatched(PAIRS[:count], 0) == PAIRS[:count]
