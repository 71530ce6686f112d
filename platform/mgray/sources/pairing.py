"""Several images of one breast and view in one exam: said, and where they are pairs, which."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

KINDS: Final = ("ffdm", "synthetic_2d")


@dataclass(frozen=True)
class Candidate:
    """An image that may be one of a pair.

    Args:
        key: Equal for one exam, side and view; ``None`` if it is none.
        kind: Of image.
        seconds: Time of day of its series.
        number: Of its series.
    """

    key: str | None
    kind: str | None
    seconds: float | None
    number: float | None


def pair_by_time(images: Sequence[Candidate]) -> Mapping[int, dict[str, Any]]:
    """Part the images of a view that was taken more than once into pairs.

    FFDM and synthetic 2D of the closest series times belong together, one to one; where a time is
    missing, of the closest series numbers; where that is missing too nothing is decided, and the
    ingest flags all of them ambiguous.

    Returns:
        For images of such views, by number: labels ``pair_group`` and ``qc_flags`` to add.
    """
    views: dict[str, dict[str, list[int]]] = defaultdict(lambda: {kind: [] for kind in KINDS})
    for at, image in enumerate(images):
        if image.key is not None and image.kind in KINDS:
            views[image.key][image.kind].append(at)
    changes: dict[int, dict[str, Any]] = {}
    for view in views.values():
        if max(map(len, view.values())) > 1 and all(view.values()):
            changes |= _parted(images, *view.values())
    return changes


def flag_repeated(labels: Iterable[dict[str, Any]]) -> int:
    """Flag images of a side and view that their exam has several of ``dup_view``; tell how many.

    Args:
        labels: Of all images; those that are flagged are changed.
    """
    views: dict[tuple[Any, ...], list[dict[str, Any]]] = defaultdict(list)
    for one in labels:
        views[one.get("exam_id"), one.get("laterality"), one.get("view")].append(one)
    repeated = [one for view in views.values() if len(view) > 1 for one in view]
    for one in repeated:
        one["qc_flags"] = [*one.get("qc_flags", []), "dup_view"]
    return len(repeated)


def _parted(
    images: Sequence[Candidate], ffdm: Sequence[int], synthetic: Sequence[int]
) -> dict[int, dict[str, Any]]:
    gaps = _gaps(images, ffdm, synthetic)
    if gaps is None:
        return {}
    free = {*ffdm, *synthetic}
    changes: dict[int, dict[str, Any]] = {}
    for _, one, other in gaps:
        if {one, other} <= free:
            free -= {one, other}
            told = {"pair_group": f"pair{len(changes) // 2}", "qc_flags": ["paired_by_time"]}
            changes |= {one: told, other: dict(told)}
    for number, at in enumerate(sorted(free)):
        changes[at] = {"pair_group": f"alone{number}", "qc_flags": ["dup_view"]}
    return changes


def _gaps(
    images: Sequence[Candidate], ffdm: Sequence[int], synthetic: Sequence[int]
) -> list[tuple[float, int, int]] | None:
    """List all possible pairs, the closest first; ``None`` if nothing tells how close they are."""
    for name in ("seconds", "number"):
        found = {at: getattr(images[at], name) for at in (*ffdm, *synthetic)}
        if None not in found.values():
            return sorted((abs(found[a] - found[b]), a, b) for a in ffdm for b in synthetic)
    return None
