"""Laterality, view and view modifiers, and where they were found."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from mgray.dicom.attributes import text, texts, value

if TYPE_CHECKING:
    from pydicom import Dataset

VIEW_CODES: Final[dict[str, str]] = {
    "399162004": "CC", "399368009": "MLO", "399260004": "ML", "399352003": "LM",
    "399099002": "LMO", "399192008": "XCCL", "399101009": "XCCM", "399196006": "FB",
    "399188001": "SIO", "441555000": "ISO", "R-10242": "CC", "R-10226": "MLO",
    "R-10224": "ML", "R-10228": "LM", "R-10230": "LMO", "R-10244": "FB", "R-102D0": "SIO",
    "R-40AAA": "ISO", "R-1024A": "XCCL", "R-1024B": "XCCM", "Y-X1770": "XCCL", "Y-X1771": "XCCM",
}  # fmt: skip
"""CID 4014 in SNOMED CT and the retired SNOMED-RT identifiers."""
VIEWS: Final = frozenset({*VIEW_CODES.values(), "AT", "CV"})
MODIFIER_CODES: Final[dict[str, str]] = {
    "399163009": "magnification", "399055006": "spot", "399209000": "implant_displaced",
    "399011000": "axillary_tail", "442580003": "axillary_tissue", "442581004": "nipple_in_profile",
    "399110001": "tangential", "399161006": "cleavage", "399197002": "rolled_lateral",
    "399226006": "rolled_medial", "414493004": "rolled_inferior", "415670009": "rolled_superior",
    "441752004": "anterior_compression", "442593008": "inframammary_fold",
    "R-102D6": "magnification", "R-102D7": "spot", "R-102D5": "implant_displaced",
    "R-102D1": "axillary_tail", "R-40AB2": "axillary_tissue", "R-40AB3": "nipple_in_profile",
    "R-102C2": "tangential", "R-102D2": "cleavage", "R-102D3": "rolled_lateral",
    "R-102D4": "rolled_medial", "R-102CA": "rolled_inferior", "R-102C9": "rolled_superior",
    "P2-00161": "anterior_compression", "R-40ABE": "inframammary_fold",
}  # fmt: skip
"""CID 4015 in SNOMED CT and the retired SNOMED-RT identifiers."""
LATERALITIES: Final = {"L": "L", "R": "R", "LEFT": "L", "RIGHT": "R"}


def laterality(dataset: "Dataset") -> str | None:
    """Tell the breast, L or R: by image, series, frame, then a side written as the view."""
    return _term(told_laterality(dataset))


def told_laterality(dataset: "Dataset") -> tuple[str, str] | None:
    """As ``laterality``, with the keyword of the attribute that tells it."""
    shared = value(dataset, "SharedFunctionalGroupsSequence")
    anatomy = _first(_first(shared), "FrameAnatomySequence")
    words = {
        "ImageLaterality": text(dataset, "ImageLaterality"),
        "Laterality": text(dataset, "Laterality"),
        "FrameLaterality": text(anatomy, "FrameLaterality") if anatomy is not None else None,
        "ViewPosition": text(dataset, "ViewPosition"),
    }
    return next(
        ((LATERALITIES[word], tag) for tag, word in words.items() if word in LATERALITIES), None
    )


def view(dataset: "Dataset") -> str | None:
    """Tell the base view: by code, View Position, then (CBIS-DDSM) Patient Orientation."""
    return _term(told_view(dataset))


def told_view(dataset: "Dataset") -> tuple[str, str] | None:
    """As ``view``, with the keyword of the attribute that tells it."""
    words = {
        "ViewCodeSequence": VIEW_CODES.get(_code(_first(value(dataset, "ViewCodeSequence")))),
        "ViewPosition": (text(dataset, "ViewPosition") or "").upper(),
        "PatientOrientation": (texts(dataset, "PatientOrientation") or [""])[0].upper(),
    }
    return next(((word, tag) for tag, word in words.items() if word in VIEWS), None)


def view_modifiers(dataset: "Dataset") -> list[str]:
    """List view modifiers, sorted: coded ones, and spot or magnification as text."""
    item = _first(value(dataset, "ViewCodeSequence"))
    coded = value(item, "ViewModifierCodeSequence") if item is not None else None
    found = {MODIFIER_CODES[code] for code in map(_code, coded or []) if code in MODIFIER_CODES}
    paddle = (text(dataset, "PaddleDescription") or "").upper()
    position = (text(dataset, "ViewPosition") or "").upper()
    if "SPOT" in paddle or "SPT" in paddle or "SPOT" in position:
        found.add("spot")
    if "MAG" in position:
        found.add("magnification")
    return sorted(found)


def orientation(dataset: "Dataset") -> list[str] | None:
    """Read (0020,0020) if it holds directions; CBIS-DDSM writes the view there."""
    words = texts(dataset, "PatientOrientation")
    return words if words and words[0].upper() not in VIEWS else None


def faces_left(record: Mapping[str, Any]) -> bool:
    """Tell whether an image is to be mirrored so that the breast touches the left edge.

    Where the pixels do not show the chest wall, the patient's orientation decides, then the
    laterality as breasts are stored by convention. Both images of a pair have the latter, and one
    image alone is mirrored as it is in a pair.

    References:
        DICOM PS3.3 C.7.6.1.1.1.
    """
    if record["pixels_face"] in ("left", "right"):
        return bool(record["pixels_face"] == "left")
    rows_run = (record["patient_orientation"] or [""])[0][:1]
    if rows_run in ("A", "P"):
        return bool(rows_run == "P")
    return bool(record["laterality"] == "R")


def side_contradicted(record: Mapping[str, Any]) -> bool:
    """Tell whether an image's pixels face another way than its orientation, or else its side, says.

    As stored by convention a left breast faces right.

    Args:
        record: Columns of ``schema.IMAGE``.
    """
    rows_run = (record["patient_orientation"] or [""])[0][:1]
    expected = {"A": "right", "P": "left"}.get(rows_run)
    expected = expected or {"L": "right", "R": "left"}.get(record["laterality"] or "")
    return record["pixels_face"] in ("left", "right") and expected not in (
        None,
        record["pixels_face"],
    )


def _term(told: tuple[str, str] | None) -> str | None:
    return told[0] if told else None


def _first(sequence: Any, keyword: str | None = None) -> Any:
    if sequence is not None and keyword is not None:
        sequence = value(sequence, keyword)
    return sequence[0] if sequence is not None and len(sequence) else None


def _code(item: Any) -> str:
    return (text(item, "CodeValue") or "") if item is not None else ""
