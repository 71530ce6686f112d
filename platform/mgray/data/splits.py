"""Patients into train, val and test, by hash: adding a patient never moves another one."""

import hashlib
from collections.abc import Sequence
from functools import lru_cache

from mgray.errors import ConfigError
from mgray.schema import SPLITS

PAPER_SHARES = (0.6, 0.1, 0.3)  # PAPERS.md 1.1: patient-level 60/10/30


def assign_split(patient_id: str, seed: int, shares: Sequence[float] = PAPER_SHARES) -> str:
    """Tell the split of one patient.

    The answer depends on nothing but the arguments, so the same patient is in the same split in
    every table, whatever other patients there are. Shares hold in expectation, not exactly.

    Args:
        patient_id: Raw identifier, before pseudonyms; equal for all exams of one person.
        seed: Another seed gives another, independent division.
        shares: Fractions of train, val and test; they add up to 1.

    Returns:
        ``train``, ``val`` or ``test``.

    Raises:
        ConfigError: Shares that are not three non-negative numbers adding up to 1.
    """
    if len(shares) != len(SPLITS) or min(shares) < 0 or abs(sum(shares) - 1) > 1e-9:
        raise ConfigError(
            f"shares {list(shares)}: expected fractions of {', '.join(SPLITS)} that add up to 1"
        )
    position = position_of(patient_id, seed)
    edge = 0.0
    for split, share in zip(SPLITS, shares, strict=True):
        edge += share
        if position < edge:
            return split
    return next(s for s, share in zip(reversed(SPLITS), reversed(shares), strict=True) if share > 0)


@lru_cache(maxsize=2**14)
def position_of(text: str, seed: int) -> float:
    """Draw a number from 0 to 1; remembered, since images of one patient come together."""
    digest = hashlib.sha256(f"{seed}\0{text}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:6], "big") / 2**48
