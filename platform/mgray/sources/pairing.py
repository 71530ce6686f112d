"""Several images of one breast and view in one exam: said, and where they are pairs, which."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

KINDS: Final = ("ffdm", "synthetic_2d")


class Candidate(NamedTuple):
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
    missing or two are as close, of the closest series numbers; where these do not tell either,
    nothing is decided, and the ingest flags all of them ambiguous. Where one kind alone repeats
    there is no pair, and its images are flagged ``dup_view``.

    Returns:
        For images of such views, by number: labels to add, ``qc_flags`` and mostly ``pair_group``.
    """
    views: dict[str, dict[str, list[int]]] = defaultdict(lambda: {kind: [] for kind in KINDS})
    for at, image in enumerate(images):
        if image.key is not None and image.kind in KINDS:
            views[image.key][image.kind].append(at)
    changes: dict[int, dict[str, Any]] = {}
    for view in views.values():
        if max(map(len, view.values())) > 1:
            alone = {at: {"qc_flags": ["dup_view"]} for some in view.values() for at in some}
            changes |= _parted(images, *view.values()) if all(view.values()) else alone
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
    pairs = _matched(images, ffdm, synthetic)
    if pairs is None:
        return {}
    changes: dict[int, dict[str, Any]] = {}
    for number, pair in enumerate(pairs):
        for at in pair:
            changes[at] = {"pair_group": f"pair{number}", "qc_flags": ["paired_by_time"]}
    for number, at in enumerate(sorted({*ffdm, *synthetic} - changes.keys())):
        changes[at] = {"pair_group": f"alone{number}", "qc_flags": ["dup_view"]}
    return changes


def _matched(
    images: Sequence[Candidate], ffdm: Sequence[int], synthetic: Sequence[int]
) -> list[tuple[int, int]] | None:
    """List the pairs, the closest first; ``None`` if neither times nor numbers tell them."""
    for name in ("seconds", "number"):
        found = {at: getattr(images[at], name) for at in (*ffdm, *synthetic)}
        if None not in found.values():
            gaps = [(round(abs(found[a] - found[b]), 3), a, b) for a in ffdm for b in synthetic]
            if (pairs := _closest(sorted(gaps))) is not None:
                return pairs
    return None


def _closest(gaps: list[tuple[float, int, int]]) -> list[tuple[int, int]] | None:
    """Take the closest pair as long as there is one; ``None`` if an image has two as close."""
    pairs = []
    while gaps:
        gap, one, other = gaps[0]
        rivals = [pair for pair in gaps if one in pair[1:] or other in pair[1:]]
        if any(rival[0] == gap for rival in rivals[1:]):
            return None
        pairs.append((one, other))
        gaps = [pair for pair in gaps if pair not in rivals]
    return pairs
