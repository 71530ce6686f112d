"""One image's columns of the table: what the header tells, and what the pixels do."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from blake3 import blake3
from jaxtyping import Float, Integer

from mgray.dicom.attributes import (
    functional_group,
    integer,
    number,
    numbers,
    stored_integer,
    text,
    texts,
    value,
    voi_lut,
)
from mgray.dicom.breast import pack_mask, small_copy
from mgray.dicom.codecs import encode_htj2k
from mgray.dicom.croppers import CropperName, find_breast
from mgray.dicom.grey import is_falling, is_padding, stored_range
from mgray.dicom.polarity import shown_as_negative
from mgray.dicom.view import laterality, orientation, side_contradicted, view, view_modifiers
from mgray.errors import Rejected

if TYPE_CHECKING:
    from pydicom import Dataset

RESCALE: Final = ("RescaleSlope", "RescaleIntercept")


def header_columns(dataset: "Dataset", syntax: str) -> dict[str, Any]:
    """Read what the header alone tells.

    Args:
        dataset: Header.
        syntax: Of the transfer, as ``parse`` found it.

    Raises:
        Rejected: It asks for grey levels that no column can hold.
    """
    if value(dataset, "ModalityLUTSequence"):
        raise Rejected("unsupported_kind", "(0028,3000) Modality LUT Sequence")
    side, grey = laterality(dataset), _grey(dataset)
    return {
        "laterality": side,
        "laterality_source": "tag" if side else None,
        "view": view(dataset),
        "view_modifiers": view_modifiers(dataset),
        "sop_class_uid": text(dataset, "SOPClassUID"),
        "transfer_syntax_uid": syntax,
        "presentation_intent_type": text(dataset, "PresentationIntentType"),
        "photometric_interpretation": text(dataset, "PhotometricInterpretation"),
        "modality": text(dataset, "Modality"),
        "image_type": texts(dataset, "ImageType"),
        "manufacturer": text(dataset, "Manufacturer"),
        "manufacturer_model_name": text(dataset, "ManufacturerModelName"),
        "rows": integer(dataset, "Rows"),
        "columns": integer(dataset, "Columns"),
        "number_of_frames": integer(dataset, "NumberOfFrames", 1),
        "bits_allocated": integer(dataset, "BitsAllocated"),
        "bits_stored": integer(dataset, "BitsStored"),
        "pixel_representation": integer(dataset, "PixelRepresentation", 0),
        "pixel_intensity_relationship_sign": integer(dataset, "PixelIntensityRelationshipSign"),
        "pixel_padding_value": stored_integer(dataset, "PixelPaddingValue"),
        "pixel_padding_range_limit": stored_integer(dataset, "PixelPaddingRangeLimit"),
        **grey,
        "presentation_lut_shape": text(dataset, "PresentationLUTShape"),
        "imager_pixel_spacing_mm": _spacing(dataset, "ImagerPixelSpacing"),
        "pixel_spacing_mm": _spacing(
            functional_group(dataset, "PixelMeasuresSequence"), "PixelSpacing"
        ),
        "patient_orientation": orientation(dataset),
        "qc_flags": ["implant"] if text(dataset, "BreastImplantPresent") == "YES" else [],
    }


def _spacing(dataset: "Dataset", keyword: str) -> list[float] | None:
    """Read the steps between rows and between columns, mm; two that are above 0, or none."""
    steps = numbers(dataset, keyword) or []
    return steps if len(steps) == 2 and min(steps) > 0 else None


def _grey(dataset: "Dataset") -> dict[str, Any]:
    """Read rescale and VOI: of the object, else of its functional groups.

    A projection has one setting: rescales that differ between frames are refused; of windows that
    differ the first frame's is used.
    """
    window = dataset
    if "WindowCenter" not in dataset and "VOILUTSequence" not in dataset:
        window = functional_group(dataset, "FrameVOILUTSequence")
    rescale = functional_group(dataset, "PixelValueTransformationSequence")
    for group in value(dataset, "PerFrameFunctionalGroupsSequence") or ():
        for own in value(group, "PixelValueTransformationSequence") or ():
            if any(number(own, name) != number(rescale, name) for name in RESCALE):
                raise Rejected("unsupported_kind", "rescale differs between frames")
    function = text(window, "VOILUTFunction")
    return {
        "rescale_slope": number(rescale, "RescaleSlope"),
        "rescale_intercept": number(rescale, "RescaleIntercept"),
        "window_center": numbers(window, "WindowCenter"),
        "window_width": numbers(window, "WindowWidth"),
        "voi_lut_function": function.upper() if function else None,
        "voi_lut": voi_lut(dataset, window),
    }


def pixel_columns(
    stored: Integer[np.ndarray, "height width"],
    bright: Float[np.ndarray, "small_height small_width"],
    cropper: CropperName,
) -> dict[str, Any]:
    """Encode the pixels and say where the breast is in them.

    Args:
        stored: Stored values.
        bright: Of ``bright_copy``.
        cropper: A key of ``croppers.CROPPERS``.
    """
    breast = find_breast(bright, cropper)
    return {
        "pixels": encode_htj2k(stored),
        "pixel_codec": "htj2k",
        "pixel_reduce": 0,
        "pixel_offset": 0,
        "pixel_blake3": hash_pixels(stored),
        "pixels_face": "unknown" if breast is None else breast.face,
        "breast_box": None if breast is None else breast.box(*stored.shape),
        "breast_mask": None if breast is None else pack_mask(breast.mask),
        "cropper": cropper,
    }


def hash_pixels(stored: Integer[np.ndarray, "height width"]) -> str:
    """Hash stored values of 16 bits: BLAKE3 of them, row-major, little-endian.

    It costs a third of SHA-256, which alone would be a sixth of the decoding of an HTJ2K image.
    """
    little = np.ascontiguousarray(stored, stored.dtype.newbyteorder("<"))
    return blake3(little.data.cast("B")).hexdigest()


def bright_copy(
    stored: Integer[np.ndarray, "height width"], columns: Mapping[str, Any]
) -> Float[np.ndarray, "small_height small_width"]:
    """Shrink, with the breast brighter than the background and padding darkest.

    Args:
        stored: Stored values.
        columns: Polarity, slope and padding, of ``schema.IMAGE``.
    """
    falling = is_falling(columns)
    if columns["pixel_padding_value"] is not None:
        imaged = ~is_padding(stored, columns)
        darkest = (
            stored.max(where=imaged, initial=stored.min())
            if falling
            else stored.min(where=imaged, initial=stored.max())
        )
        stored = np.where(imaged, stored, darkest)
    small = small_copy(stored)
    return -small if falling else small


def pixel_flags(
    stored: Integer[np.ndarray, "height width"],
    bright: Float[np.ndarray, "small_height small_width"],
    columns: dict[str, Any],
) -> list[str]:
    """List what is odd about the pixels or rare: words of ``qc_flags``.

    Args:
        stored: Stored values.
        bright: Of ``bright_copy``.
        columns: All the others, of header and pixels.
    """
    low, high = stored_range(columns)
    below = stored.dtype.kind == "i" and int(stored.min()) < low
    spot = not {"spot", "magnification"}.isdisjoint(columns["view_modifiers"])
    small = -bright if is_falling(columns) else bright
    seen = columns["breast_box"] is not None and not spot  # a spot view may show no air
    found = {
        "laterality_tag_vs_pixels": side_contradicted(columns),
        "polarity_suspect": seen and shown_as_negative(small, columns),
        "voi_missing": not columns["voi_lut"] and not columns["window_center"],
        "monochrome1": columns["photometric_interpretation"] == "MONOCHROME1",
        "values_over_bits_stored": below or int(stored.max()) > high,
        "near_empty": columns["breast_box"] is None,
        "spot_or_mag": spot,
        "for_processing": columns["image_kind"] == "ffdm_raw",
        "mip": columns["number_of_frames"] > 1,
    }
    return [name for name, holds in found.items() if holds]
