"""``pairs.parquet``: how well FFDM and SM of every pair lie on each other, told by the ledgers.

Masks are small and stand in the ledgers, so no image is read twice. The file knows the hash of the
rows that it was measured on; it is measured again only for others.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Bool

from mgray.data.alignment import measure
from mgray.dicom.breast import unpack_mask
from mgray.files import whole
from mgray.ingest.ledger import Entry
from mgray.ingest.row import PAIRED
from mgray.schema import PAIR

AT_ONCE: Final = 1024
"""Pairs whose masks are unpacked together."""
CONTENT: Final = b"mgray_content_sha256"
"""Manifest's hash of all rows, in the schema of the file."""
Masks = Bool[np.ndarray, "pair 64 64"]


def measure_pairs(entries: Iterable[Entry]) -> pa.Table:
    """Measure every pair of exactly one FFDM and one SM.

    Args:
        entries: Settled, of the whole table.

    Returns:
        A table of ``schema.PAIR``.
    """
    found: dict[str, dict[str, Entry]] = {role: {} for role in PAIRED}
    for entry in entries:
        if entry.reason is None and entry.partner is None and entry.pair_role in PAIRED:
            found[entry.pair_role][entry.pair_key or ""] = entry
    keys = sorted(found["ffdm"])
    ffdm, sm = ([found[role][key] for key in keys] for role in ("ffdm", "synthetic_2d"))
    dice, offset = _measured(ffdm, sm)
    columns = [keys, [one.image_id for one in ffdm], [one.image_id for one in sm], dice, offset]
    return pa.table(dict(zip(PAIR.names, columns, strict=True)), schema=PAIR)


def write_pairs(path: Path, pairs: pa.Table, content: str) -> None:
    """Write ``measure_pairs`` to a file, whole, with the hash of the rows that it is of."""
    told = pairs.replace_schema_metadata({**PAIR.metadata, CONTENT: content.encode()})
    with whole(path) as draft:
        pq.write_table(told, draft, compression="zstd", write_page_checksum=True)


def read_pairs(path: Path, content: str) -> pa.Table | None:
    """Read what ``write_pairs`` wrote; ``None`` if damaged, missing or of other rows."""
    try:
        pairs = pq.read_table(path, page_checksum_verification=True)
        known = (pairs.schema.metadata or {}).get(CONTENT) == content.encode()
        return pairs.cast(PAIR) if known else None
    except (pa.ArrowException, OSError, ValueError):
        return None


def _measured(
    ffdm: Sequence[Entry], sm: Sequence[Entry]
) -> tuple[list[float | None], list[float | None]]:
    """Dice and centroid offset of each pair; ``None`` where one shows no breast."""
    dice: list[float | None] = [None] * len(ffdm)
    offset: list[float | None] = [None] * len(ffdm)
    seen = [n for n, pair in enumerate(zip(ffdm, sm, strict=True)) if all(map(_mask, pair))]
    for at in range(0, len(seen), AT_ONCE):
        part = seen[at : at + AT_ONCE]
        masks = (np.stack([_upright(side[n]) for n in part]) for side in (ffdm, sm))
        for number, *values in zip(part, *measure(*masks), strict=True):
            dice[number], offset[number] = map(float, values)
    return dice, offset


def _mask(entry: Entry) -> str | None:
    return entry.breast_mask


def _upright(entry: Entry) -> Bool[np.ndarray, "64 64"]:
    mask = unpack_mask(entry.breast_mask or "")
    return mask[:, ::-1] if entry.mirrored else mask
