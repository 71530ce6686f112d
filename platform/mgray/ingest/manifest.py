"""``manifest.json``: what the table holds, in counts that add up; written last."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

import mgray
from mgray.config import Config
from mgray.data.alignment import MISALIGNED
from mgray.data.table import MANIFEST
from mgray.errors import DataError
from mgray.ingest.ledger import Entry, Ledger
from mgray.ingest.notices import MOST_OUTSIDE, notice
from mgray.ingest.pseudonym import Pseudonyms
from mgray.ingest.vote import FrameVotes, settled_notes, tell_votes
from mgray.schema import TABLE_VERSION
from mgray.sources.source import Notice

FILE: Final = MANIFEST
LIBRARIES: Final = ("imagecodecs", "pydicom", "pylibjpeg-openjpeg", "pylibjpeg-rle", "pyarrow")


class Shard(Config):
    """One file of the table."""

    file: str
    """Name in the folder images."""
    rows: int
    """Images in it."""
    bytes: int
    """Its size."""
    sha256: str
    """Of its bytes."""


class Index(Config):
    """The file of all rows without pixels."""

    sha256: str
    """Of its bytes."""


class Warned(Config):
    """Something a person should know."""

    code: str
    """Word for programs."""
    count: int
    """How often."""
    text: str
    """What it means and what was done."""
    ids: list[str]
    """Pseudonyms of the first few."""


class Alignment(Config):
    """How well FFDM and SM of the pairs lie on each other; each pair's figures: pairs.parquet."""

    measured: int = 0
    """Pairs with a breast in both images."""
    dice_median: float | None = None
    """Overlap of the breasts' masks, 0 to 1."""
    centroid_offset_median: float | None = None
    """Of the masks, share of the box's side."""
    misaligned: int = 0
    """Pairs with a Dice below ``alignment.MISALIGNED``."""


class Manifest(Config):
    """The table in numbers; holds no path, name or raw id of the archive."""

    table_version: str
    """Format of the table."""
    source: dict[str, str]
    """Name, licence and adapter version."""
    stamp: str
    """Fingerprint of all settings that shape a row."""
    versions: dict[str, str]
    """Of mgray and of the libraries that decoded."""
    files: int
    """Files of the catalog: rows + quarantined."""
    rows: int
    """Images in the table."""
    quarantined: int
    """Files refused."""
    patients: int
    """In the table."""
    exams: int
    """In the table."""
    pairs: int
    """Breast views with exactly one FFDM and one SM."""
    alignment: Alignment
    """Of these pairs."""
    findings: int
    """Annotations in the table, counted per image."""
    outside_breast: float | None
    """Share of them whose centre is outside the breast; none without annotations."""
    frames: list[FrameVotes]
    """Of annotations whose frame nobody published for certain."""
    rows_by_kind: dict[str, int]
    """Image kind to rows."""
    rows_by_split: dict[str, int]
    """Split to rows."""
    patients_by_split: dict[str, int]
    """Split to patients."""
    quarantined_by_reason: dict[str, int]
    """Reason to files."""
    warnings: list[Warned]
    """What a person should know."""
    content_sha256: str
    """Of all rows and refusals; equal tables have equal ones, however they were made."""
    shards: list[Shard]
    """All files of the table."""
    index: Index | None = None
    """index.parquet: all rows without pixels, for readers; none in a dry run."""


def build_manifest(
    ledgers: Sequence[Ledger],
    source: Mapping[str, str],
    notices: Iterable[Notice],
) -> Manifest:
    """Count a settled table.

    Args:
        ledgers: All of them.
        source: Name, licence and adapter version.
        notices: Those of the catalog; those of the entries are added.
    """
    entries = [entry for ledger in ledgers for entry in ledger.entries]
    rows = [entry for entry in entries if entry.reason is None]
    refused = [entry for entry in entries if entry.reason is not None]
    patients = {entry.patient_id: entry.split for entry in rows}
    findings = sum(entry.findings for entry in rows)
    outside = sum(entry.notes.get("box_outside_breast", 0) for entry in rows)
    suspect = [notice("frame_suspect", outside, [])] * (outside > MOST_OUTSIDE * findings)
    return Manifest(
        table_version=TABLE_VERSION,
        source=dict(source),
        stamp=ledgers[0].stamp if ledgers else "",
        versions={"mgray": mgray.__version__} | {name: version(name) for name in LIBRARIES},
        files=len(entries),
        rows=len(rows),
        quarantined=len(refused),
        patients=len(patients),
        exams=len({entry.exam_id for entry in rows}),
        pairs=sum(entry.pair_role == "ffdm" and entry.partner is None for entry in rows),
        alignment=Alignment(),
        findings=findings,
        outside_breast=outside / findings if findings else None,
        frames=tell_votes(rows),
        rows_by_kind=_count(entry.image_kind for entry in rows),
        rows_by_split=_count(entry.split for entry in rows),
        patients_by_split=_count(patients.values()),
        quarantined_by_reason=_count(entry.reason for entry in refused),
        warnings=_warnings(rows, refused, [*notices, *suspect]),
        content_sha256=_content(entries),
        shards=[_shard(ledger) for ledger in ledgers],
    )


def with_pairs(manifest: Manifest, pairs: pa.Table) -> Manifest:
    """Tell of the pairs' alignment too.

    Args:
        manifest: Without it.
        pairs: Of ``schema.PAIR``, of the manifest's rows.
    """
    keys = pairs.filter(pc.less(pairs["dice"], MISALIGNED))["pair_key"].to_pylist()
    warned = _warned([notice("misaligned_pair", len(keys), keys)])
    told = {"alignment": _alignment(pairs), "warnings": [*manifest.warnings, *warned]}
    return manifest.model_copy(update=told)


def label_notices(
    by_uid: Mapping[str, Mapping[str, Any]], entries: Iterable[Entry], ids: Pseudonyms
) -> list[Notice]:
    """Name the objects that the tables describe and the image table lacks, by pseudonym."""
    held = {entry.image_id for entry in entries if entry.reason is None}
    absent = {
        ids.image(uid): labels for uid, labels in by_uid.items() if ids.image(uid) not in held
    }
    annotated = {name: len(labels.get("annotations") or ()) for name, labels in absent.items()}
    named = sorted(name for name, count in annotated.items() if count)
    return [
        notice("labels_without_image", len(absent), sorted(absent)),
        notice("annotations_without_image", sum(annotated.values()), named),
    ]


def check_counts(manifest: Manifest, file_ids: Sequence[str], ledgers: Iterable[Ledger]) -> None:
    """Refuse to finish a table that lost or doubled a file.

    Raises:
        DataError: With the counts.
    """
    held = sorted(entry.file_id for ledger in ledgers for entry in ledger.entries)
    if held != sorted(file_ids) or manifest.rows + manifest.quarantined != len(file_ids):
        raise DataError(
            f"{len(file_ids)} files went in, {manifest.rows} rows and {manifest.quarantined} "
            "refusals came out: run the same command again; if it stays so, this is a bug"
        )


def quarantine_records(ledgers: Iterable[Ledger]) -> list[dict[str, Any]]:
    """List the refused files as rows of ``schema.QUARANTINE``, by pseudonym."""
    refused = [entry for ledger in ledgers for entry in ledger.entries if entry.reason is not None]
    return [
        {
            "file_id": entry.file_id,
            "source_sha256": entry.sha256,
            "reason": entry.reason,
            "detail": entry.detail,
        }
        for entry in sorted(refused, key=lambda entry: entry.file_id)
    ]


def read_manifest(out: Path) -> Manifest | None:
    """Read a table's manifest; ``None`` if there is none or it is of another version."""
    try:
        return Manifest.model_validate_json((out / FILE).read_text())
    except (OSError, ValueError):
        return None


def _alignment(pairs: pa.Table) -> Alignment:
    measured = pairs.drop_null()
    if not len(measured):
        return Alignment()
    dice, offset = (measured[name].to_numpy() for name in ("dice", "centroid_offset"))
    return Alignment(
        measured=len(measured),
        dice_median=float(np.median(dice)),
        centroid_offset_median=float(np.median(offset)),
        misaligned=int((dice < MISALIGNED).sum()),
    )


def _warnings(
    rows: Sequence[Entry], refused: Sequence[Entry], notices: Iterable[Notice]
) -> list[Warned]:
    found = [*notices, notice("rejected", len(refused), [])]
    counts: Counter[str] = Counter()
    images: dict[str, list[str]] = {}
    for entry in rows:
        codes = settled_notes(entry) | ({entry.partner: 1} if entry.partner else {})
        counts.update(codes)
        for code in codes:
            images.setdefault(code, []).append(entry.image_id or "")
    found += [notice(code, count, sorted(images[code])) for code, count in sorted(counts.items())]
    return _warned(found)


def _warned(notices: Iterable[Notice]) -> list[Warned]:
    return [
        Warned(code=one.code, count=one.count, text=one.text, ids=list(one.ids))
        for one in notices
        if one.count
    ]


def _content(entries: Iterable[Entry]) -> str:
    """Hash all rows and refusals, in an order that does not depend on shards."""
    lines = sorted(
        f"row {entry.row_hash} {entry.partner} {entry.vote}"
        if entry.reason is None
        else f"refused {entry.file_id} {entry.sha256} {entry.reason}"
        for entry in entries
    )
    return sha256("\n".join(lines).encode()).hexdigest()


def _shard(ledger: Ledger) -> Shard:
    rows = sum(entry.reason is None for entry in ledger.entries)
    name = f"part-{ledger.key}.parquet"
    return Shard(file=name, rows=rows, bytes=ledger.bytes, sha256=ledger.sha256)


def _count(values: Iterable[str | None]) -> dict[str, int]:
    return dict(sorted(Counter(value or "" for value in values).items()))
