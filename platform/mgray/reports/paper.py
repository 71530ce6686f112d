"""Numbers printed in the fusion paper, shown beside ours.

References:
    arXiv 2408.08560, Table 2 and section 6. The interval of the upper bound on TEST is printed
    as .562-.585, probably a misprint.
"""

from typing import Final, NamedTuple


class Printed(NamedTuple):
    """A value with its 95 % interval."""

    value: float
    low: float
    high: float


COLUMNS: Final = ("val_plus", "val", "test_plus", "test")
TABLE_2: Final[dict[str, dict[str, Printed]]] = {
    model: dict(zip(COLUMNS, map(Printed._make, cells), strict=True))
    for model, cells in {
        "sm": [(0.617, 0.58, 0.65), (0.59, 0.55, 0.63), (0.523, 0.50, 0.54), (0.515, 0.497, 0.533)],
        "ffdm": [
            (0.587, 0.544, 0.63),
            (0.57, 0.54, 0.61),
            (0.54, 0.52, 0.557),
            (0.493, 0.476, 0.51),
        ],
        "upper_bound": [
            (0.662, 0.63, 0.703),
            (0.624, 0.61, 0.65),
            (0.59, 0.576, 0.606),
            (0.565, 0.562, 0.585),
        ],
        "fused": [
            (0.656, 0.617, 0.69),
            (0.615, 0.58, 0.66),
            (0.565, 0.550, 0.584),
            (0.538, 0.52, 0.56),
        ],
    }.items()
}
OUTCOMES: Final = {
    "sm_missed": 78,
    "ffdm_missed": 86,
    "both_missed": 52,
    "fused_missed": 66,
    "all_missed": 44,
    "recovered": 18,
    "recovered_found_by_ffdm": 10,
    "recovered_missed_by_both": 8,
    "lost_found_by_sm_only": 3,
    "lost_found_by_ffdm_only": 16,
    "lost_found_by_both": 3,
}


def paper_gap(column: str) -> float:
    """Share of the gap closed by the fused model in one column of Table 2."""
    sm, fused, upper = (TABLE_2[name][column].value for name in ("sm", "fused", "upper_bound"))
    return (fused - sm) / (upper - sm)
