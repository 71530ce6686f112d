"""What a decoded image's columns tell the answer: facts, preprocessing, warnings.

Light, as ``answers``: numbers and words of closed lists only.
"""

from collections.abc import Mapping
from typing import Any, Final

from mgray.dicom.grey import is_inverted
from serve.answers import Box, Caution, ImageFacts, Window

EXPECTED_KIND: Final = {"sm": "synthetic_2d", "ffdm": "ffdm"}
_KIND_WORDS: Final = {"synthetic_2d": "synthetic 2D mammogram", "ffdm": "digital mammogram (FFDM)"}


def image_facts(columns: Mapping[str, Any]) -> ImageFacts:
    """Describe an image from its record."""
    return ImageFacts(
        rows=columns["rows"],
        columns=columns["columns"],
        pixel_spacing_mm=spacing_mm(columns),
        kind=columns["image_kind"],
        laterality=columns["laterality"],
        view=columns["view"],
        view_modifiers=columns["view_modifiers"],
    )


def spacing_mm(columns: Mapping[str, Any]) -> tuple[float, float] | None:
    """Millimetres between rows and between columns, at the detector before any calibration."""
    steps = columns["imager_pixel_spacing_mm"] or columns["pixel_spacing_mm"]
    return steps and (steps[0], steps[1])


def box_mm(box: Box, spacing: tuple[float, float] | None) -> Box | None:
    """Turn a box into millimetres from the image's top left corner."""
    if spacing is None:
        return None
    down, right = spacing
    x0, y0, x1, y1 = box
    return (x0 * right, y0 * down, x1 * right, y1 * down)


def window(columns: Mapping[str, Any]) -> Window | None:
    """Tell the window of an image, as ``dicom.grey`` applies it."""
    if columns["voi_lut"]:
        return Window(center=None, width=None, function="LUT")
    if not columns["window_center"]:
        return None
    return Window(
        center=columns["window_center"][0],
        width=columns["window_width"][0],
        function=columns["voi_lut_function"] or "LINEAR",
    )


def inverted(columns: Mapping[str, Any]) -> bool:
    """Tell whether low stored values are bright."""
    return is_inverted(columns)


def cautions(columns: Mapping[str, Any], model_input: str) -> list[Caution]:
    """Say what is unusual about an image, for a model that takes ``sm`` or ``ffdm``."""
    kind, expected = columns["image_kind"], EXPECTED_KIND[model_input]
    flags = [Caution(code=flag, detail=flag.replace("_", " ")) for flag in columns["qc_flags"]]
    if kind == expected:
        return flags
    words = f"the image is of kind {kind}; the model was trained on {_KIND_WORDS[expected]}"
    return [Caution(code="image_kind", detail=words), *flags]
