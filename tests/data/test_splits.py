import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mgray.data.splits import assign_split
from mgray.errors import ConfigError
from mgray.schema import SPLITS

PATIENTS = [f"patient-{i}" for i in range(20_000)]


def test_shares_hold_in_expectation() -> None:
    found = [assign_split(p, seed=0) for p in PATIENTS]
    counts = [found.count(split) / len(PATIENTS) for split in SPLITS]
    assert counts == pytest.approx([0.6, 0.1, 0.3], abs=0.01)  # 3 standard errors


def test_split_is_the_same_for_ever() -> None:
    """A changed hash would move patients of existing tables from train to test."""
    found = "".join(assign_split(f"p{i}", seed=0)[:2] for i in range(9))
    assert found == "tetrtrtrtetrteteva"


def test_another_seed_gives_an_independent_division() -> None:
    both = [assign_split(p, 0) == "test" and assign_split(p, 1) == "test" for p in PATIENTS]
    assert sum(both) / len(PATIENTS) == pytest.approx(0.09, abs=0.01)


@settings(deadline=None)
@given(st.text(), st.integers())
def test_every_patient_gets_a_split(patient: str, seed: int) -> None:
    assert assign_split(patient, seed) in SPLITS


@settings(deadline=None)
@given(st.text())
def test_a_split_of_share_zero_stays_empty(patient: str) -> None:
    assert assign_split(patient, 0, (0.0, 1.0, 0.0)) == "val"


@pytest.mark.parametrize("shares", [(0.6, 0.4), (0.6, 0.1, 0.1), (1.2, -0.1, -0.1)])
def test_shares_that_do_not_add_up_are_refused(shares: tuple[float, ...]) -> None:
    with pytest.raises(ConfigError, match="add up to 1"):
        assign_split("p", 0, shares)
