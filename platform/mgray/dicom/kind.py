"""Which kind of image a mammography object holds, and which rule told so."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from mgray.dicom.attributes import integer, text, texts
from mgray.errors import Rejected

if TYPE_CHECKING:
    from pydicom import Dataset

ROOT: Final = "1.2.840.10008.5.1.4.1.1."
MG_PRESENTATION, MG_PROCESSING, DBT, SECONDARY = (
    ROOT + "1.2",
    ROOT + "1.2.1",
    ROOT + "13.1.3",
    ROOT + "7",
)
PROJECTIONS: Final = (ROOT + "13.1.4", ROOT + "13.1.5")
MAMMOGRAPHY: Final = (MG_PRESENTATION, MG_PROCESSING, DBT, *PROJECTIONS)
SERIES_WORDS: Final = ("c-view", "cview", "s-view", "v-preview")
FUJI_SYNTHETIC_MODEL: Final = "FDR-3000AWS"
MASK_SERIES: Final = ("cropped images", "roi mask images")

Answer = tuple[str, str] | None


def image_kind(dataset: "Dataset", override: str | None = None) -> tuple[str, str]:
    """Tell the kind (a word of ``schema.IMAGE_KINDS``) and the rule that fired.

    The order is: the source's own word, SOP class, frames, film, series description, image type,
    Fuji's model, default. The evidence ``default`` means that nothing marks the image as
    synthetic, which is weak.

    Args:
        dataset: A mammography object, see ``check_modality``.
        override: The source's own word.
    """
    if override is not None:
        return override, "source"
    return _by_rules(dataset) or ("ffdm", "default")


def marked_kind(dataset: "Dataset") -> str | None:
    """Tell the kind that the header itself marks; ``None`` where it marks none."""
    kind, _ = _by_rules(dataset) or ("unknown", "")
    return None if kind == "unknown" else kind


def check_modality(dataset: "Dataset") -> None:
    """Refuse what is not a mammogram.

    Raises:
        Rejected: ``wrong_modality``.
    """
    sop_class, modality = text(dataset, "SOPClassUID"), text(dataset, "Modality")
    other = sop_class is not None and not sop_class.startswith((ROOT + "7", ROOT + "1"))
    if sop_class not in MAMMOGRAPHY and (modality != "MG" or other):
        raise Rejected("wrong_modality", "neither a mammography SOP class nor modality MG")


def check_burned_in(dataset: "Dataset", kind: str, evidence: str) -> None:
    """Refuse what declares burned-in text, and captures and screen saves, which mostly hold some.

    The source's own word for the kind vouches for a capture (CBIS-DDSM stores film so), and so does
    a mammogram for itself that is called secondary, made after the exam, if it declares that it has
    no such text, as each must (OMI-DB's images); but nothing overrules a file that declares text.

    Args:
        dataset: A mammography object.
        kind: As told by ``image_kind``.
        evidence: As told by ``image_kind``.

    Raises:
        Rejected: ``burned_in``.

    References:
        PS3.3 C.7.6.1.1.2 (image type), C.7.6.1 and C.8.11.3 (burned in annotation).
    """
    declared, sop_class = text(dataset, "BurnedInAnnotation"), text(dataset, "SOPClassUID") or ""
    if declared == "YES":
        raise Rejected("burned_in", "(0028,0301) Burned In Annotation is YES")
    if evidence == "source" or kind == "film":
        return
    words = [part.upper() for part in texts(dataset, "ImageType") or []]
    capture = sop_class.startswith(SECONDARY) and evidence != "series_description"
    vouched = sop_class in (MG_PRESENTATION, MG_PROCESSING) and declared == "NO"
    if capture or ("SECONDARY" in words[:2] and not vouched):
        raise Rejected("burned_in", "a secondary capture")
    if any("SCREEN" in word for word in words):
        raise Rejected("burned_in", "(0008,0008) Image Type names a screen save")


def _by_rules(dataset: "Dataset") -> Answer:
    return next((found for rule in _RULES if (found := rule(dataset))), None)


def _by_class(dataset: "Dataset") -> Answer:
    sop_class, intent = text(dataset, "SOPClassUID"), text(dataset, "PresentationIntentType")
    if sop_class in PROJECTIONS:
        return "dbt_projection", "sop_class"
    if sop_class == MG_PROCESSING:
        return "ffdm_raw", "sop_class"
    if intent == "FOR PROCESSING":
        return "ffdm_raw", "presentation_intent_type"
    return None


def _by_frames(dataset: "Dataset") -> Answer:
    return ("dbt", "number_of_frames") if (integer(dataset, "NumberOfFrames", 1) or 1) > 1 else None


def _by_film(dataset: "Dataset") -> Answer:
    if not (text(dataset, "SOPClassUID") or "").startswith(SECONDARY):
        return None
    series = (text(dataset, "SeriesDescription") or "").lower()
    if series == "full mammogram images":  # CBIS-DDSM
        return "film", "series_description"
    if text(dataset, "ConversionType") == "DF":
        return "film", "conversion_type"
    return "sc", "series_description" if series in MASK_SERIES else "sop_class"


def _by_series(dataset: "Dataset") -> Answer:
    series = (text(dataset, "SeriesDescription") or "").lower()
    return (
        ("synthetic_2d", "series_description") if any(w in series for w in SERIES_WORDS) else None
    )


def _by_image_type(dataset: "Dataset") -> Answer:
    parts = [part.upper() for part in texts(dataset, "ImageType") or []]
    words = {
        "TOMO_2D": "synthetic_2d",
        "GENERATED_2D": "synthetic_2d",
        "TOMO": "dbt_slice",
        "TOMO_PROJ": "dbt_projection",
        "POST_CONTRAST": "cesm",
        "SUBTRACTION": "cesm",
        "TOMOSYNTHESIS": "unknown",
    }
    for word, kind in words.items():
        if word in parts:
            return kind, f"image_type:{word}"
    return None


def _by_class_late(dataset: "Dataset") -> Answer:
    return ("dbt", "sop_class") if text(dataset, "SOPClassUID") == DBT else None


def _by_original(dataset: "Dataset") -> Answer:
    parts = texts(dataset, "ImageType") or []
    return ("ffdm", "image_type:ORIGINAL") if parts and parts[0].upper() == "ORIGINAL" else None


def _by_fuji(dataset: "Dataset") -> Answer:
    if text(dataset, "ManufacturerModelName") != FUJI_SYNTHETIC_MODEL:
        return None
    derived = (texts(dataset, "ImageType") or [])[:2] == ["DERIVED", "PRIMARY"]
    return ("synthetic_2d", "fuji_model") if derived else None


_RULES: Final[tuple[Callable[["Dataset"], Answer], ...]] = (
    _by_class, _by_frames, _by_film, _by_series, _by_image_type, _by_class_late, _by_original,
    _by_fuji,
)  # fmt: skip
