"""What the licence of a dataset lets one do with its images, and with what was learnt from them.

A row of an image table carries a tag; a model folder carries the tags of all rows it has seen.
Training and keeping for oneself is never refused: handing on is.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final, Literal

from mgray.errors import LicenceError

What = Literal["data", "models"]
"""Images or labels of a dataset; weights or embeddings learnt from them."""


@dataclass(frozen=True)
class Terms:
    """One licence in short; its own text decides.

    Args:
        text: In one sentence.
        commercial: Commercial use is allowed.
        share_data: Images and labels may be handed on.
        share_models: What was learnt from them may be published.
    """

    text: str
    commercial: bool = True
    share_data: bool = True
    share_models: bool = True


TERMS: Final[dict[str, Terms]] = {
    "Apache-2.0": Terms("free, with notice"),
    "CC0-1.0": Terms("public domain"),
    "CC-BY-3.0": Terms("free, with attribution"),
    "CC-BY-4.0": Terms("free, with attribution"),
    "CC-BY-NC-4.0": Terms("non-commercial, with attribution", commercial=False),
    "EMBED": Terms(
        "registered academic non-commercial use; no redistribution; models, weights and embeddings "
        "trained on it may not be published without permission",
        commercial=False,
        share_data=False,
        share_models=False,
    ),
    "RSNA": Terms("non-commercial; citation required on sharing", commercial=False),
    "VinDr-Mammo": Terms(
        "PhysioNet restricted access under a data use agreement; no redistribution",
        share_data=False,
    ),
    "CSAW-CC": Terms("by application; treated as not to be handed on", share_data=False),
    "OMI-DB": Terms("by application; treated as not to be handed on", share_data=False),
    "INbreast": Terms(
        "by request to its authors; treated as not to be handed on", share_data=False
    ),
    "DDSM": Terms("terms not verified; ask the University of South Florida", share_data=False),
    "mini-MIAS": Terms(
        "the dataset's own licence file: research", commercial=False, share_data=False
    ),
    "unknown": Terms(
        "not told: whoever owns the data says allow=[unknown]", share_data=False, share_models=False
    ),
}
"""Tag to terms; sources and wording in docs/sources.md."""
UNKNOWN: Final = "unknown"


def tags_of(*tags: str | None) -> tuple[str, ...]:
    """List tags once each, in order; what has none is ``UNKNOWN``."""
    return tuple(sorted({tag or UNKNOWN for tag in tags}))


def check_sharing(tags: Iterable[str], what: What, allow: Collection[str] = ()) -> None:
    """Refuse to hand on what a licence forbids.

    Args:
        tags: Of all rows concerned, in any case; one that is not in ``TERMS`` may forbid anything,
            so it is refused too, and so is to tell none.
        what: What is handed on.
        allow: Tags whose owner gave permission.

    Raises:
        LicenceError: Names the tags and how to say that there is permission.
    """
    permitted = {_folded(tag) for tag in allow}
    asked = {_folded(tag): tag for tag in sorted(tags) or [UNKNOWN]}
    terms = {KNOWN.get(word, tag): TERMS.get(KNOWN.get(word, "")) for word, tag in asked.items()}
    refused = [
        tag
        for tag, said in terms.items()
        if not (said and (said.share_data if what == "data" else said.share_models))
        and _folded(tag) not in permitted
    ]
    if not refused:
        return
    said = terms[refused[0]]
    noun = "data under it" if what == "data" else "weights trained on data under it"
    fault = (
        f"forbids handing on {noun} ({said.text})"
        if said
        else f"is none that is known, so nobody can tell whether it forbids handing on {noun}"
    )
    raise LicenceError(
        f"licence {refused[0]} {fault}: with its owner's permission say allow=[{','.join(refused)}]"
    )


def _folded(tag: str) -> str:
    return tag.strip().lower()


KNOWN: Final = {_folded(tag): tag for tag in TERMS}
