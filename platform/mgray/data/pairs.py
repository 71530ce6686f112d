"""FFDM and synthetic 2D of one breast and view, joined by ``pair_key``: metadata only."""

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from mgray.collector import paused_collector
from mgray.data.table import ImageTable
from mgray.errors import DataError

log = logging.getLogger(__name__)

KIND_OF_ROLE: Final = {"synthetic_2d": "sm", "ffdm": "ffdm"}
_COLUMNS: Final = [
    "pair_key",
    "pair_role",
    "patient_id",
    "split",
    "density",
    "cancer",
    "annotations",
]


@dataclass(frozen=True, slots=True)
class Pair:
    """One breast in one view, seen twice."""

    pair_key: str
    patient_id: str
    split: str
    rows: dict[str, int]
    """Row numbers in the image table, under ``sm`` and ``ffdm``."""
    malignant: bool
    """A malignant annotation or ``cancer == 1`` in either image."""
    density: str | None
    """BI-RADS density a, b, c or d."""
    benign: bool = False
    """A benign or high-risk annotation in either image."""
    drawn: frozenset[str] = frozenset()
    """Kinds of the images with a malignant box."""


@paused_collector()
def build_pairs(table: ImageTable) -> list[Pair]:
    """Pair the images of a table.

    A key with no FFDM, no SM, or more than one of either is left out; how many images that cost
    is logged at DEBUG.

    Returns:
        Sorted by ``pair_key``.

    Raises:
        DataError: The two images of a pair name different patients or splits.
    """
    columns = {name: _shared(table.index[name]) for name in _COLUMNS[:-1]}
    columns["annotations"] = _annotations(table.index["annotations"])
    by_key: dict[str, dict[str, int]] = defaultdict(dict)
    doubled: set[str] = set()
    for number, (key, role) in enumerate(
        zip(columns["pair_key"], columns["pair_role"], strict=True)
    ):
        kind = KIND_OF_ROLE.get(role or "")
        if kind and key and by_key[key].setdefault(kind, number) != number:
            doubled.add(key)
    complete = sorted(key for key in by_key if len(by_key[key]) == 2 and key not in doubled)
    left_out = len(table.index) - 2 * len(complete)
    log.debug("%d pairs, %d images without exactly one partner left out", len(complete), left_out)
    told = [columns[name] for name in _COLUMNS]

    def row(number: int) -> dict[str, Any]:
        return dict(zip(_COLUMNS, [column[number] for column in told], strict=True))

    return [
        _pair(key, by_key[key], row(by_key[key]["sm"]), row(by_key[key]["ffdm"]))
        for key in complete
    ]


def is_malignant(row: Mapping[str, Any]) -> bool:
    """Tell whether an image's breast holds a known cancer, by annotation or by label."""
    return row["cancer"] == 1 or any(a["pathology"] == "malignant" for a in row["annotations"])


def _has_box(row: Mapping[str, Any]) -> bool:
    found = row["annotations"]
    return any(a["pathology"] == "malignant" and a["shape"] == "box" for a in found)


def _shared(column: pa.ChunkedArray) -> list[Any]:
    """The values of a column; equal ones are one object, since they take more room than rows do."""
    found: list[Any] = []
    for chunk in column.chunks:
        words = chunk.dictionary_encode()
        values = [*words.dictionary.to_pylist(), None]
        found += [values[at] for at in pc.fill_null(words.indices, -1).to_pylist()]
    return found


def _annotations(column: pa.ChunkedArray) -> list[Sequence[Mapping[str, Any]]]:
    """The annotations of every row; most have none, and making Python of nothing costs most."""
    found: list[Sequence[Mapping[str, Any]]] = [()] * len(column)
    held = pc.indices_nonzero(pc.fill_null(pc.list_value_length(column), 0))
    for number, annotations in zip(held.to_pylist(), column.take(held).to_pylist(), strict=True):
        found[number] = annotations
    return found


def _pair(
    key: str, numbers: dict[str, int], sm: Mapping[str, Any], ffdm: Mapping[str, Any]
) -> Pair:
    for column in ("patient_id", "split"):
        if sm[column] != ffdm[column]:
            raise DataError(
                f"pair {key}: its two images differ in {column}: ingest the archive again"
            )
    return Pair(
        pair_key=key,
        patient_id=sm["patient_id"],
        split=sm["split"],
        rows=numbers,
        malignant=is_malignant(sm) or is_malignant(ffdm),
        density=ffdm["density"] or sm["density"],
        benign=any(
            a["pathology"] in ("benign", "high_risk")
            for row in (sm, ffdm)
            for a in row["annotations"]
        ),
        drawn=frozenset(kind for kind, row in (("sm", sm), ("ffdm", ffdm)) if _has_box(row)),
    )
