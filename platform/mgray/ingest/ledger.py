"""What became of every file, shard by shard: the memory that lets a re-run decode nothing.

``out/ledger/<key>.json`` is written after its shard and is what makes the shard count. A shard
without a ledger is swept away; a ledger whose shard, files, labels or settings changed is dropped
and its files are ingested again.
"""

import errno
import hashlib
import json
import os
import stat
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Final

from mgray.files import TEMPORARY, sha256_of, write_text
from mgray.ingest.pseudonym import Pseudonyms
from mgray.sources.ballot import Ballot

SHARD_PATTERN: Final = "part-" + "[0-9a-f]" * 20 + ".parquet"
MISSING: Final = -1
OUT_OF_REACH: Final = -2
NOT_THERE: Final = {errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP}
"""What the system says where no file can be; anything else tells of the storage."""


@dataclass(frozen=True)
class FileState:
    """One file as it lies in the archive.

    Args:
        path: Below the archive's root.
        size: Bytes; ``MISSING`` if there is no such file, ``OUT_OF_REACH`` if nobody can tell.
        mtime_ns: Time of the last change.
        labels: By path, from the source.
    """

    path: str
    size: int
    mtime_ns: int
    labels: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Entry:
    """What became of one file: a row if ``reason`` is ``None``, else a quarantine record.

    Args:
        file_id: Pseudonym of the path; the folder of a table holds no path.
        label_hash: Of all labels that went into the row.
        row_hash: Of the row without its pixels; ``pixel_blake3`` stands for them.
        partner: The flag that depends on other rows: ``missing_partner``, ``ambiguous_pair``.
        breast_mask: Of the row, if it can be paired.
        mirrored: Whether training mirrors the image.
        ballot: What its pixels say of the open frame of its boxes, if they are in one.
        vote: What the archive says of that frame, where its pixels do not: depends on other rows.
        notes: Notice code to how often it was met in this file.
    """

    file_id: str
    size: int
    mtime_ns: int
    sha256: str | None
    label_hash: str
    reason: str | None = None
    detail: str = ""
    image_id: str | None = None
    patient_id: str | None = None
    exam_id: str | None = None
    split: str | None = None
    image_kind: str | None = None
    pair_key: str | None = None
    pair_role: str | None = None
    findings: int = 0
    row_hash: str | None = None
    partner: str | None = None
    breast_mask: str | None = None
    mirrored: bool = False
    ballot: Ballot | None = None
    vote: bool | None = None
    notes: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Ledger:
    """One shard and its files.

    Args:
        key: Names the shard ``part-<key>.parquet``.
        stamp: Fingerprint of all settings that shape a row.
        limits: Fingerprint of the limits; others may refuse other files.
        bytes: Size of the shard.
        sha256: Of the shard.
        entries: In the order of paths.
        mtime_ns: Of the shard, when it was written; touched since, it is hashed before it counts.
    """

    key: str
    stamp: str
    limits: str
    bytes: int
    sha256: str
    entries: tuple[Entry, ...]
    mtime_ns: int = 0


@dataclass(frozen=True)
class Chunk:
    """Files that one task turns into one shard."""

    key: str
    files: tuple[FileState, ...]


def shard_path(out: Path, key: str) -> Path:
    """Where a shard lies."""
    return out / "images" / f"part-{key}.parquet"


def save_ledger(out: Path, ledger: Ledger) -> None:
    """Write a ledger whole; from then on its shard counts."""
    text = json.dumps(asdict(ledger), sort_keys=True)
    write_text(_ledger_path(out, ledger.key), f"{text}\n{_digest(text)}")


def load_ledger(out: Path, key: str, stamp: str) -> Ledger | None:
    """Read one ledger; ``None`` if it or its shard is missing, damaged or of other settings."""
    try:
        text, _, digest = _ledger_path(out, key).read_text().rpartition("\n")
        ledger = ledger_from_json(text)
    except (OSError, ValueError, TypeError, KeyError):
        return None
    if (digest, ledger.stamp) != (_digest(text), stamp):
        return None
    return ledger if _is_whole(shard_path(out, key), ledger) else None


def ledger_from_json(text: str) -> Ledger:
    """Read what ``json.dumps(asdict(ledger))`` wrote."""
    data = json.loads(text)
    return Ledger(**{**data, "entries": tuple(map(_entry, data["entries"]))})


def outcomes(ledger: Ledger) -> dict[str, int]:
    """Count a shard's files by refusal's reason; the empty text stands for rows."""
    return dict(Counter(entry.reason or "" for entry in ledger.entries))


def chunk_from_json(text: str) -> Chunk:
    """Read what ``json.dumps(asdict(chunk))`` wrote."""
    data = json.loads(text)
    return Chunk(data["key"], tuple(FileState(**file) for file in data["files"]))


def load_ledgers(out: Path, stamp: str) -> list[Ledger]:
    """Read all ledgers that hold, in the order of their keys."""
    keys = sorted(path.stem for path in (out / "ledger").glob("*.json"))
    return [ledger for key in keys if (ledger := load_ledger(out, key, stamp)) is not None]


def all_entries(out: Path) -> Iterator[Entry]:
    """Read what every ledger says that can be read, of whatever settings."""
    for path in (out / "ledger").glob("*.json"):
        with suppress(OSError, ValueError, TypeError, KeyError):
            yield from ledger_from_json(path.read_text().rpartition("\n")[0]).entries


def sweep(out: Path, keep: Iterable[Ledger]) -> None:
    """Delete shards and ledgers that do not count, and drafts of a run that was killed.

    Workers of that run may still live for a moment and finish what is to be deleted.
    """
    keys = {ledger.key for ledger in keep}
    for folder in (out / "images", out / "index", out / "ledger", out):
        for draft in folder.glob(f".*{TEMPORARY}"):
            draft.unlink(missing_ok=True)
    for path in (out / "ledger").glob("*.json"):  # first, so that no ledger names a lost shard
        if path.stem not in keys:
            path.unlink(missing_ok=True)
    for folder in (out / "images", out / "index"):
        for path in folder.glob(SHARD_PATTERN):
            if path.stem.removeprefix("part-") not in keys:
                path.unlink(missing_ok=True)


def state_of(archive: Path, path: str, labels: Mapping[str, Any]) -> FileState:
    """Look at a file without opening it; anything but a plain file below the archive is missing."""
    if not Path(path).is_absolute() and ".." not in Path(path).parts:
        try:
            found = (archive / path).stat()
        except ValueError:
            return FileState(path, MISSING, 0, labels)
        except OSError as error:
            size = MISSING if error.errno in NOT_THERE else OUT_OF_REACH
            return FileState(path, size, 0, labels)
        if stat.S_ISREG(found.st_mode):
            return FileState(path, found.st_size, found.st_mtime_ns, labels)
    return FileState(path, MISSING, 0, labels)


def mask_states(archive: Path, labels: Mapping[str, Any]) -> dict[str, Any]:
    """Look at the files that stand for boxes: one that is mended is a label that has changed."""
    annotations = labels.get("annotations") or ()
    paths = [path for one in annotations for path in one.get("mask_files") or ()]
    states = [state_of(archive, path, {}) for path in paths]
    return {"mask_states": [[one.size, one.mtime_ns] for one in states]} if states else {}


def hash_labels(labels: Mapping[str, Any], ids: Pseudonyms) -> str:
    """Make a keyed hash that changes with any label; raw ids are among them."""
    return ids.labels(json.dumps(labels, sort_keys=True))


def still_true(
    ledger: Ledger,
    find: Callable[[str], FileState | None],
    labels_of: Mapping[str, Mapping[str, Any]],
    archive: Path,
    ids: Pseudonyms,
) -> bool:
    """Tell whether every file of a shard lies in the archive as it did, with the same labels.

    Args:
        ledger: Of the shard.
        find: Gives a file of the catalog by its ``file_id``.
        labels_of: Labels by ``image_id``.
        archive: Root of the paths.
        ids: Pseudonyms of the dataset.
    """
    return all(
        (file := find(entry.file_id)) is not None
        and _same_bytes(entry, file, archive)
        and entry.label_hash == hash_labels(_told(file, labels_of, entry, archive), ids)
        for entry in ledger.entries
    )


def _told(
    file: FileState, labels_of: Mapping[str, Mapping[str, Any]], entry: Entry, archive: Path
) -> dict[str, Any]:
    by_uid = labels_of.get(entry.image_id or "", {})
    return {**file.labels, **by_uid, **mask_states(archive, file.labels)}


def split_into_chunks(
    files: Iterable[FileState], size: int, name: Callable[[str], str]
) -> Iterator[Chunk]:
    """Cut sorted files into chunks; which worker takes which never matters."""
    rest = iter(files)
    while piece := tuple(islice(rest, size)):
        yield Chunk(name("\n".join(f"{f.size} {f.path}" for f in piece)), piece)


def _entry(data: dict[str, Any]) -> Entry:
    ballot = data["ballot"]
    return Entry(**{**data, "ballot": ballot and Ballot(**ballot)})


def _same_bytes(entry: Entry, file: FileState, archive: Path) -> bool:
    """Whether a file is as it was; the row of one that is out of reach is kept."""
    if file.size == OUT_OF_REACH and entry.reason is None:
        return True
    if entry.size != file.size:
        return False
    if entry.mtime_ns == file.mtime_ns:
        return True
    with suppress(OSError):  # a file that cannot be read now is looked at again
        return entry.sha256 is not None and entry.sha256 == sha256_of(archive / file.path)
    return False


def _is_whole(shard: Path, ledger: Ledger) -> bool:
    """Tell whether a shard is as it was written; hash its bytes only if it was touched since.

    A shard that was copied, or touched without harm, gets its time back and is hashed only once.
    """
    try:
        found = shard.stat()
        if (found.st_size, found.st_mtime_ns) == (ledger.bytes, ledger.mtime_ns):
            return True
        if found.st_size != ledger.bytes or sha256_of(shard) != ledger.sha256:
            return False
    except OSError:
        return False
    with suppress(OSError):
        os.utime(shard, ns=(found.st_atime_ns, ledger.mtime_ns))
    return True


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _ledger_path(out: Path, key: str) -> Path:
    return out / "ledger" / f"{key}.json"
