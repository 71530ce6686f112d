"""What no task can know alone: which file counts, which image lacks its partner, which frame holds.

Decided from ledgers only, by the catalog's order and pair keys, so that it depends on the archive
and on nothing else: not on workers, not on the order in which files were ingested.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from mgray.errors import DataError
from mgray.ingest.ledger import Entry, Ledger
from mgray.ingest.row import PAIRED
from mgray.ingest.vote import Votes, count_votes, vote_for

DUPLICATE = "duplicate"


@dataclass(frozen=True)
class Verdict:
    """What is to be done with finished shards.

    Args:
        settled: All ledgers as they should be.
        changed: Those whose shard does not say so yet.
        lost: Those that once dropped a row as duplicate which now is the one that counts.
    """

    settled: list[Ledger]
    changed: list[Ledger]
    lost: list[Ledger]


@dataclass(frozen=True)
class _Table:
    """What all rows tell together: by image id, by pair key, by frame."""

    winners: Mapping[str, Entry]
    roles: Mapping[str, Counter[str]]
    votes: Votes


def settle(ledgers: Sequence[Ledger], rank: Mapping[str, int]) -> Verdict:
    """Judge duplicates and partners over the whole table.

    Of several files with one SOP instance UID the first in path order is the row. An image whose
    partner is missing is flagged ``missing_partner``, one with several ``ambiguous_pair``. Boxes
    whose image does not tell their frame follow the images that do.

    Args:
        ledgers: All of the table.
        rank: Place of every file, by pseudonym, in path order, which pseudonyms do not tell.
    """
    winners = _winners((entry for ledger in ledgers for entry in ledger.entries), rank)
    roles: dict[str, Counter[str]] = defaultdict(Counter)
    for entry in winners.values():
        roles[entry.pair_key or ""][entry.pair_role or ""] += 1
    table = _Table(winners, roles, count_votes(winners.values()))
    settled = [_settled(ledger, table) for ledger in ledgers]
    changed = [new for new, old in zip(settled, ledgers, strict=True) if new is not old]
    lost = [ledger for ledger in ledgers if any(_is_lost(e, winners) for e in ledger.entries)]
    return Verdict(settled, changed, lost)


def check_patients(ledgers: Iterable[Ledger]) -> None:
    """Refuse a table that shows one patient in two splits.

    Raises:
        DataError: Names the patient by pseudonym.
    """
    splits: dict[str, str] = {}
    for entry in (entry for ledger in ledgers for entry in ledger.entries if not entry.reason):
        patient, split = entry.patient_id or "", entry.split or ""
        if splits.setdefault(patient, split) != split:
            raise DataError(
                f"patient {patient} is in the splits {splits[patient]} and {split}: "
                "give all images of a patient the same split, or none"
            )


def _winners(entries: Iterable[Entry], rank: Mapping[str, int]) -> dict[str, Entry]:
    winners: dict[str, Entry] = {}
    for entry in sorted(entries, key=lambda entry: rank[entry.file_id]):
        if entry.image_id and entry.reason in (None, DUPLICATE):
            winners.setdefault(entry.image_id, entry)
    return winners


def _settled(ledger: Ledger, table: _Table) -> Ledger:
    """Judge the entries of a ledger; one that says so already is given back as it is."""
    entries = tuple(_judge(entry, table) for entry in ledger.entries)
    if all(new is old for new, old in zip(entries, ledger.entries, strict=True)):
        return ledger
    return replace(ledger, entries=entries)


def _judge(entry: Entry, table: _Table) -> Entry:
    winner = table.winners.get(entry.image_id or "")
    if winner is None or entry.reason not in (None, DUPLICATE):
        return entry
    if winner.file_id != entry.file_id:
        return _saying(entry, DUPLICATE, "an earlier path holds it")
    partner = _partner_flag(entry, table.roles[entry.pair_key or ""])
    return _saying(entry, None, "", partner, vote_for(entry, table.votes))


def _saying(
    entry: Entry,
    reason: str | None,
    detail: str,
    partner: str | None = None,
    vote: bool | None = None,
) -> Entry:
    said = (entry.reason, entry.detail, entry.partner, entry.vote)
    if said == (reason, detail, partner, vote):
        return entry
    return replace(entry, reason=reason, detail=detail, partner=partner, vote=vote)


def _partner_flag(entry: Entry, roles: Counter[str]) -> str | None:
    if entry.pair_role not in PAIRED:
        return None
    if any(roles[role] > 1 for role in PAIRED):
        return "ambiguous_pair"
    return None if all(roles[role] == 1 for role in PAIRED) else "missing_partner"


def _is_lost(entry: Entry, winners: dict[str, Entry]) -> bool:
    return entry.reason == DUPLICATE and winners[entry.image_id or ""].file_id == entry.file_id
