"""Which training pairs a stage sees, for experiments: few with boxes, or wrongly matched ones."""

from collections.abc import Sequence
from dataclasses import replace

from mgray.data.pairs import Pair
from mgray.data.sampler import generator
from mgray.data.splits import position_of

_MISMATCH = 7  # stream of random numbers; others belong to sampler.py and augment.py


def with_boxes(pairs: Sequence[Pair], share: float, seed: int) -> list[Pair]:
    """Leave out the pairs with a finding of all but a share of the patients.

    What is left is what a detector could learn if nobody had drawn the others' findings: their
    healthy pairs stay. A larger share keeps all that a smaller one keeps.

    Args:
        pairs: Of one split.
        share: Of the patients with a finding; those whose findings are drawn. At least one is.
        seed: Another seed chooses other patients.
    """
    found = {pair.patient_id for pair in pairs if _has_finding(pair)}
    drawn = sorted(found, key=lambda patient: position_of(f"boxes of {patient}", seed))
    known = frozenset(drawn[: max(1, round(share * len(drawn)))])
    return [pair for pair in pairs if not _has_finding(pair) or pair.patient_id in known]


def mismatched(pairs: Sequence[Pair], seed: int) -> list[Pair]:
    """Give each SM the FFDM of another pair, each FFDM to one SM; order and labels stay the SM's.

    A single pair stays as it is.
    """
    order = generator(seed, 0, stream=_MISMATCH).permutation(len(pairs)).tolist()
    partner = dict(zip(order, order[1:] + order[:1], strict=True))
    return [
        replace(pair, rows={**pair.rows, "ffdm": pairs[partner[number]].rows["ffdm"]})
        for number, pair in enumerate(pairs)
    ]


def _has_finding(pair: Pair) -> bool:
    return pair.malignant or pair.benign
