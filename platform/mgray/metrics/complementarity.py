"""What one model finds and another misses: gap closed, four buckets, 2^3 table, visibility."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final

import numpy as np
from jaxtyping import Bool, Float, Int

from mgray.metrics.bootstrap import percentile_interval

BUCKETS: Final = (
    "missed_in_ffdm_only",
    "missed_in_sm_only",
    "false_in_ffdm_only",
    "false_in_sm_only",
)
UNDEFINED_LIMIT: Final = (
    0.025  # above it the interval of upper_bound - sm reaches zero: no finite interval
)
ROUNDING: Final = 1e-12  # areas that differ by less are equal


@dataclass(frozen=True)
class GapClosed:
    """The share of the way from SM to the upper bound that the fused model goes.

    Attributes:
        value: ``(fused - sm) / (upper_bound - sm)``; None unless the upper bound is above SM.
        ci95: Paired interval over the replicates that have a value; None where too many have none.
        undefined_share: Share of replicates in which the upper bound is not above SM.
    """

    value: float | None
    ci95: tuple[float, float] | None
    undefined_share: float | None


def gap_closed(
    point: Mapping[str, float], replicates: Mapping[str, Float[np.ndarray, " replicate"]]
) -> GapClosed:
    """Compare the three models ``sm``, ``fused`` and ``upper_bound``.

    The ratio has no meaning where the upper bound is not above SM, and no finite interval where
    that happens in more than 2.5 % of the replicates (its denominator cannot be told from zero).

    Args:
        point: FAUC of each model.
        replicates: The same on the same resamples.
    """
    gap = point["upper_bound"] - point["sm"]
    value = (point["fused"] - point["sm"]) / gap if gap > ROUNDING else None
    drawn = replicates["upper_bound"] - replicates["sm"]
    if not len(drawn):
        return GapClosed(value, None, None)
    defined = drawn > ROUNDING
    share = float(1 - defined.mean())
    if share > UNDEFINED_LIMIT or value is None:
        return GapClosed(value, None, share)
    ratios = (replicates["fused"] - replicates["sm"])[defined] / drawn[defined]
    return GapClosed(value, percentile_interval(ratios), share)


def outcome_table(
    sm: Bool[np.ndarray, " image"],
    ffdm: Bool[np.ndarray, " image"],
    fused: Bool[np.ndarray, " image"],
) -> dict[str, int]:
    """Count positive images by who finds them.

    Args:
        sm: Whether the SM model finds each positive image; the others alike.
        ffdm: FFDM model.
        fused: Fused model.

    Returns:
        Eight counts, e.g. ``{"sm_miss ffdm_hit fused_hit": 10}``.
    """
    code = sm.astype(int) * 4 + ffdm.astype(int) * 2 + fused.astype(int)
    counts = np.bincount(code, minlength=8)
    return {outcome_key(*bits): int(count) for bits, count in zip(_BITS, counts, strict=True)}


def outcome_key(sm: bool, ffdm: bool, fused: bool) -> str:
    """The name of one cell of the 2^3 table."""
    words = ("miss", "hit")
    return f"sm_{words[sm]} ffdm_{words[ffdm]} fused_{words[fused]}"


def outcome_sums(table: Mapping[str, int]) -> dict[str, int]:
    """The sentences of the paper's section 6, from the 2^3 table.

    References:
        arXiv 2408.08560, section 6.
    """

    def count(sm: str, ffdm: str, fused: str) -> int:
        wanted = f"sm_{sm} ffdm_{ffdm} fused_{fused}".split()
        cells = ((key.split(), number) for key, number in table.items())
        return sum(
            number
            for words, number in cells
            if all(
                want.endswith("_any") or want == word
                for want, word in zip(wanted, words, strict=True)
            )
        )

    return {
        "sm_missed": count("miss", "any", "any"),
        "ffdm_missed": count("any", "miss", "any"),
        "both_missed": count("miss", "miss", "any"),
        "fused_missed": count("any", "any", "miss"),
        "all_missed": count("miss", "miss", "miss"),
        "recovered": count("miss", "any", "hit"),
        "recovered_found_by_ffdm": count("miss", "hit", "hit"),
        "recovered_missed_by_both": count("miss", "miss", "hit"),
        "lost_found_by_sm_only": count("hit", "miss", "miss"),
        "lost_found_by_ffdm_only": count("miss", "hit", "miss"),
        "lost_found_by_both": count("hit", "hit", "miss"),
    }


def buckets(
    hit: Mapping[str, Bool[np.ndarray, " image"]],
    false: Mapping[str, Int[np.ndarray, " image"]],
    positive: Bool[np.ndarray, " image"],
) -> dict[str, Int[np.ndarray, " _"]]:
    """Image numbers of the four buckets; a pair may be in a missed and in a false one.

    Args:
        hit: For ``sm`` and ``ffdm``, images in which a lesion is found at the operating threshold.
        false: For both, false positives of each image at the operating threshold.
        positive: Images with a lesion.
    """
    masks = (
        positive & ~hit["ffdm"] & hit["sm"],
        positive & hit["ffdm"] & ~hit["sm"],
        (false["ffdm"] > 0) & (false["sm"] == 0),
        (false["ffdm"] == 0) & (false["sm"] > 0),
    )
    return {name: np.flatnonzero(mask) for name, mask in zip(BUCKETS, masks, strict=True)}


def sensitivity_by(
    groups: Sequence[str], found: Bool[np.ndarray, " lesion"]
) -> dict[str, dict[str, int | float]]:
    """Lesions, lesions found and sensitivity of each group, e.g. by where a lesion shows."""
    names = np.asarray(groups, dtype=str)
    rows: dict[str, dict[str, int | float]] = {}
    for name in sorted(set(groups)):
        chosen = found[names == name]
        rows[name] = {
            "lesions": len(chosen),
            "found": int(chosen.sum()),
            "sensitivity": float(chosen.mean()),
        }
    return rows


_BITS: Final = tuple(product((False, True), repeat=3))
