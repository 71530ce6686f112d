"""Which values of header texts enter the table: known words, and nothing that a person typed.

``schema.IMAGE`` is the list of attributes; this is the list of what the texts among them may say. A
code that is no defined term becomes null, a maker or model we do not know too: both are free text
to a machine, and a technician may have written a name there.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

ROOT: Final = "1.2.840.10008.5.1.4.1.1."
CLASSES: Final = (
    "1", "1.1", "1.1.1", "1.2", "1.2.1", "13.1.3", "13.1.4", "13.1.5",
    "7", "7.1", "7.2", "7.3", "7.4",
)  # fmt: skip
TERMS: Final[Mapping[str, frozenset[str]]] = {
    "presentation_intent_type": frozenset({"FOR PRESENTATION", "FOR PROCESSING"}),
    "photometric_interpretation": frozenset({"MONOCHROME1", "MONOCHROME2"}),
    "modality": frozenset({"MG", "CR", "DX", "OT", "SC"}),
    "presentation_lut_shape": frozenset({"IDENTITY", "INVERSE", "LIN OD"}),
    "voi_lut_function": frozenset({"LINEAR", "LINEAR_EXACT", "SIGMOID"}),
    "sop_class_uid": frozenset(ROOT + end for end in CLASSES),
}
"""Column to its defined terms."""
IMAGE_TYPE_WORDS: Final = frozenset({
    "ORIGINAL", "DERIVED", "PRIMARY", "SECONDARY", "MIXED", "NONE", "OTHER", "LEFT", "RIGHT",
    "VOLUME", "RESAMPLED", "TOMO", "TOMO_2D", "TOMO_PROJ", "TOMOSYNTHESIS", "GENERATED_2D",
    "MAXIMUM", "MEAN", "MINIP", "MAX_IP", "POST_PROCESSED", "POST_CONTRAST", "SUBTRACTION",
    "LOW_ENERGY", "HIGH_ENERGY", "RECOMBINED", "PRE_CONTRAST", "STEREO_MINUS", "STEREO_PLUS",
})  # fmt: skip
UNKNOWN_WORD: Final = "OTHER"
MAKERS: Final = (
    "HOLOGIC", "LORAD", "GE", "SIEMENS", "FUJIFILM", "FUJI", "PHILIPS", "SECTRA", "PLANMED", "IMS",
    "GIOTTO", "METALTRONICA", "AGFA", "CARESTREAM", "KODAK", "KONICA", "CANON", "TOSHIBA",
    "UNITED IMAGING", "ICAD", "VIEWORKS", "GENORAY", "MGRAY",
)  # fmt: skip
MODELS: Final = (
    "SELENIA DIMENSIONS", "SELENIA", "3DIMENSIONS", "SENOGRAPHE 2000D", "SENOGRAPHE DS",
    "SENOGRAPHE ESSENTIAL", "SENOGRAPHE PRISTINA", "SENOGRAPHE CARE", "SENOGRAPHE CRYSTAL",
    "SENOCLAIRE", "PRISTINA", "MAMMOMAT NOVATION", "MAMMOMAT INSPIRATION", "MAMMOMAT REVELATION",
    "MAMMOMAT FUSION", "MAMMOMAT B.BRILLIANT", "FDR-1000AWS", "FDR-2000AWS", "FDR-3000AWS",
    "AMULET INNOVALITY", "AMULET", "MICRODOSE", "CLARITY", "NUANCE", "GIOTTO IMAGE", "GIOTTO CLASS",
    "GIOTTO TOMO", "VIRTUAL BREAST",
)  # fmt: skip
ORIENTATION: Final = re.compile(r"[APLRHF]{1,3}")


def allowed(columns: Mapping[str, Any]) -> dict[str, Any]:
    """Keep of a file's columns what may enter the table.

    Args:
        columns: Of ``FileRecord.columns``.

    Returns:
        All of them; texts of the header only where they are known words.
    """
    rules = {name: RULES[name] for name in RULES.keys() & columns.keys()}
    return {**columns, **{name: rule(columns[name]) for name, rule in rules.items()}}


def _term(terms: frozenset[str]) -> Callable[[str | None], str | None]:
    return lambda found: found if found in terms else None


def _known(words: tuple[str, ...]) -> Callable[[str | None], str | None]:
    """Find the longest known name in a text; all of the text stays behind but this."""
    longest = sorted(words, key=len, reverse=True)
    patterns = [(word, re.compile(rf"(?<![A-Z]){re.escape(word)}(?![A-Z])")) for word in longest]

    def rule(found: str | None) -> str | None:
        text = (found or "").upper()
        return next((word for word, pattern in patterns if pattern.search(text)), None)

    return rule


def _image_type(found: list[str] | None) -> list[str] | None:
    if found is None:
        return None
    words = [word.upper() for word in found]
    return [word if not word or word in IMAGE_TYPE_WORDS else UNKNOWN_WORD for word in words]


def _orientation(found: list[str] | None) -> list[str] | None:
    return found if found and all(ORIENTATION.fullmatch(word) for word in found) else None


RULES: Final[Mapping[str, Callable[[Any], Any]]] = {
    **{name: _term(terms) for name, terms in TERMS.items()},
    "image_type": _image_type,
    "patient_orientation": _orientation,
    "pixel_intensity_relationship_sign": lambda found: found if found in (-1, 1) else None,
    "manufacturer": _known(MAKERS),
    "manufacturer_model_name": _known(MODELS),
}
"""Column to what may be kept of it."""
