"""Files that are no DICOM: a picture or plain numbers become a DICOM object in memory.

From there on they pass the same checks as any other file. What the file cannot tell is in a plain
``raster``, which the source of the dataset gives:

=====================  ==========================================================================
key                    meaning
=====================  ==========================================================================
format                 picture (JPEG, PNG, PGM), numbers (no header), or ljpeg (see dicom.ljpeg)
uid                    names the image within its dataset, e.g. mdb001
rows, columns          of numbers and ljpeg
dtype                  of numbers and ljpeg, as NumPy writes it, e.g. ``>u2``, ``<f4``
planes                 of numbers, that follow one another; the first is the image; 1 if not given
turns                  quarter turns, counter-clockwise, that bring numbers upright; optional
decoder                path of the program that decodes ljpeg, optional
spacing_mm             of a pixel: row, column; or one number for both; optional
laterality             L or R, to be compared with the pixels, optional
rescale                slope and intercept of the stored values, optional
log10                  slope, intercept, lowest and highest value of real numbers over log10(n + 1)
                       of numbers and ljpeg, which are stored in their place, in even steps from
                       lowest to highest, optional
photometric            MONOCHROME2 if not given
bits                   stored bits; those of the file's values if not given
=====================  ==========================================================================
"""

import io
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from jaxtyping import Integer, Shaped

from mgray.dicom.limits import Limits
from mgray.dicom.ljpeg import decode_ljpeg
from mgray.dicom.quiet import quiet
from mgray.errors import Rejected

SECONDARY_CAPTURE: Final = "1.2.840.10008.5.1.4.1.1.7"
EXPLICIT: Final = "1.2.840.10008.1.2.1"
PICTURES: Final = ("JPEG", "PNG", "PPM")
PGM: Final = re.compile(
    rb"P(?:[25]|(?P<colours>[36]))"
    + 2 * rb"(?:\s|#[^\r\n]*+)++\d++"
    + rb"(?:\s|#[^\r\n]*+)++(?P<highest>\d{1,5})"
)
"""Header of a PGM or PPM: sides, and the highest value, between blanks and comments."""
PNG: Final = re.compile(rb"\x89PNG\r\n\x1a\n.{16}\x10[^\0]", re.DOTALL)
"""Beginning of one with 16 bits a channel and more than grey."""
FLOAT_STEPS: Final = 65535
"""Real numbers are stored in so many even steps over their range; rescale says which."""


def to_dicom(data: bytes, raster: Mapping[str, Any], limits: Limits) -> bytes:
    """Wrap the pixels of a file into a film's DICOM object.

    Args:
        data: The file.
        raster: What the source knows of it.
        limits: Its size is checked before decoding.

    Raises:
        Rejected: Not such a file, too large, or in a format that nothing here decodes.
    """
    stored, told = decode_raster(data, raster, limits)
    return _write(stored, {**raster, **told})


def decode_raster(
    data: bytes, raster: Mapping[str, Any], limits: Limits
) -> tuple[Integer[np.ndarray, "height width"], dict[str, Any]]:
    """Read the stored values of a file, uint8 or uint16.

    Returns:
        Stored values, and keys of ``raster`` that they imply.

    Raises:
        Rejected: As ``to_dicom``.
    """
    if not data:
        raise Rejected("empty")
    match raster["format"]:
        case "picture":
            highest = _highest(data)
            bits = {} if highest is None else {"bits": max(2, highest.bit_length())}
            return read_picture(data, limits), bits
        case "numbers":
            values = np.rot90(_read_numbers(data, raster, limits), raster.get("turns", 0))
            return _in_range(values, raster)
    decoded = decode_ljpeg(data, raster.get("decoder"), _bytes_of(raster, limits), limits)
    return _in_range(_read_numbers(decoded, raster, limits), raster)


def read_picture(data: bytes, limits: Limits) -> Integer[np.ndarray, "height width"]:
    """Decode a grey JPEG, PNG or PGM of 8 or 16 bits; colour that is grey is taken as grey.

    Of more than 8 bits in colours Pillow keeps 8, so such a PNG or PPM is refused. It stretches the
    values of a PGM to its whole range of 8 or 16 bits; they are brought back.

    Raises:
        Rejected: Not such a file, too large, or in colours: ``unsupported_kind``.
    """
    from PIL import Image

    _check_depth(data)
    try:
        with quiet(), Image.open(io.BytesIO(data), formats=PICTURES) as picture:
            _check_picture(picture.size, picture.mode, limits)
            indexed = picture.mode in ("P", "PA")  # numbers of colours, not greys
            pixels = np.asarray(picture.convert("RGB") if indexed else picture)
    except (Rejected, MemoryError):
        raise
    except Image.DecompressionBombError:
        raise Rejected("too_large", "pixels over the limit") from None
    except Exception as error:
        raise Rejected("corrupt_pixels", type(error).__name__) from None
    pixels = _grey(pixels)
    if (highest := _highest(data)) is not None:
        pixels = np.rint(pixels * (highest / (255 if highest < 256 else 65535))).astype(
            pixels.dtype
        )
    if pixels.dtype == bool:
        return pixels.astype(np.uint8) * np.uint8(255)
    if pixels.dtype == np.uint8:
        return pixels
    if pixels.min() < 0 or pixels.max() > 65535:
        raise Rejected("bad_pixels", "values beyond 16 bits")
    return pixels.astype(np.uint16)


def _check_depth(data: bytes) -> None:
    """Refuse colours of more than 8 bits."""
    if PNG.match(data):
        raise Rejected("unsupported_kind", "a PNG of 16 bits in colours, of which 8 could be read")
    header = PGM.match(data)
    if header and header["colours"] and int(header["highest"]) > 255:
        text = "a PPM of 16 bits in colours, of which 8 could be read: expected PGM, write it so"
        raise Rejected("unsupported_kind", text)


def _check_picture(size: tuple[int, int], mode: str, limits: Limits) -> None:
    """Refuse too many pixels, and inks: more of them is darker, and the fourth is no transparency.

    Args:
        size: Width and height, pixels.
        mode: Pillow's word for the channels.
        limits: Of what is decoded.
    """
    width, height = size
    if width * height > limits.max_pixels:
        raise Rejected("too_large", f"{height} x {width} pixels")
    if mode == "CMYK":
        text = "a picture of four inks (CMYK): expected grey or RGB, convert it"
        raise Rejected("unsupported_kind", text)


def _grey(pixels: Shaped[np.ndarray, "..."]) -> Shaped[np.ndarray, "height width"]:
    """Take one channel of those that are equal; what is beyond the colours is transparency."""
    if pixels.ndim == 2:
        return pixels
    grey, colours = pixels[..., 0], pixels.shape[2] // 3 * 3
    if any(not np.array_equal(grey, pixels[..., at]) for at in range(1, colours)):
        raise Rejected("unsupported_kind", "a colour image")
    return grey


def _highest(data: bytes) -> int | None:
    """Read the highest value that a PGM's header allows, if it is none of Pillow's own."""
    header = PGM.match(data)
    highest = int(header["highest"]) if header else 255
    return None if highest in (255, 65535) else highest


def _read_numbers(
    data: bytes, raster: Mapping[str, Any], limits: Limits
) -> Shaped[np.ndarray, "height width"]:
    shape, kind = (int(raster["rows"]), int(raster["columns"])), np.dtype(raster["dtype"])
    if len(data) != _bytes_of(raster, limits):
        raise Rejected("header_mismatch", f"{len(data)} bytes for {shape[0]} x {shape[1]} pixels")
    values = np.frombuffer(data, kind, shape[0] * shape[1]).reshape(shape)
    if "log10" not in raster:
        return values
    slope, intercept, low, high = raster["log10"]
    return np.asarray(np.clip(slope * np.log10(values + 1.0) + intercept, low, high))


def _bytes_of(raster: Mapping[str, Any], limits: Limits) -> int:
    """Tell how many bytes a file of numbers has."""
    rows, columns = int(raster["rows"]), int(raster["columns"])
    if min(rows, columns) < 1 or rows * columns > limits.max_pixels:
        raise Rejected("too_large", f"{rows} x {columns} pixels")
    planes = int(raster.get("planes", 1))
    return planes * rows * columns * int(np.dtype(raster["dtype"]).itemsize)


def _in_range(
    values: Shaped[np.ndarray, "height width"], raster: Mapping[str, Any]
) -> tuple[Integer[np.ndarray, "height width"], dict[str, Any]]:
    """Store whole numbers as they are, real ones in even steps over their range.

    That of a logarithm is told, so that equal steps of two images are equal numbers.
    """
    if values.dtype.kind in "ui":
        if values.min() < 0 or values.max() > 65535:
            raise Rejected("bad_pixels", "values beyond 16 bits")
        return values.astype(np.uint8 if values.dtype.itemsize == 1 else np.uint16), {}
    if not np.isfinite(values).all():
        raise Rejected("bad_pixels", "not all numbers are finite")
    told = raster["log10"][2:] if "log10" in raster else (values.min(), values.max())
    low, high = map(float, told)
    slope = (high - low) / FLOAT_STEPS or 1.0
    stored = np.rint((values.astype(np.float64) - low) / slope).astype(np.uint16)
    return stored, {"rescale": [slope, low], "bits": 16}


def _spacing(told: float | Sequence[float] | None) -> list[float] | None:
    """Give the spacing of rows and of columns."""
    if not told:
        return None
    return [told] * 2 if isinstance(told, int | float) else list(told)


def _write(stored: Integer[np.ndarray, "height width"], raster: Mapping[str, Any]) -> bytes:
    from pydicom import Dataset, dcmwrite
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import UID, generate_uid

    uid = generate_uid(entropy_srcs=[str(raster["uid"])])
    dataset, meta = Dataset(), FileMetaDataset()
    meta.TransferSyntaxUID, meta.MediaStorageSOPInstanceUID = UID(EXPLICIT), uid
    meta.MediaStorageSOPClassUID = UID(SECONDARY_CAPTURE)
    allocated = 8 * stored.dtype.itemsize
    bits = int(raster.get("bits") or allocated)
    attributes = {
        "SOPClassUID": SECONDARY_CAPTURE,
        "SOPInstanceUID": uid,
        "Modality": "MG",
        "ConversionType": "DF",
        "ImageLaterality": raster.get("laterality"),
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": raster.get("photometric") or "MONOCHROME2",
        "Rows": stored.shape[0],
        "Columns": stored.shape[1],
        "BitsAllocated": allocated,
        "BitsStored": bits,
        "HighBit": bits - 1,
        "PixelRepresentation": 0,
        "ImagerPixelSpacing": _spacing(raster.get("spacing_mm")),
    }
    if raster.get("rescale"):
        slope, intercept = raster["rescale"]
        attributes |= {"RescaleSlope": f"{slope:.9g}", "RescaleIntercept": f"{intercept:.9g}"}
    for keyword, value in attributes.items():
        if value is not None:
            setattr(dataset, keyword, value)
    raw = stored.astype(stored.dtype.newbyteorder("<")).tobytes()
    dataset.PixelData = raw + b"\0" * (len(raw) % 2)
    dataset["PixelData"].VR = "OW"
    dataset.file_meta = meta
    file = io.BytesIO()
    dcmwrite(file, dataset, implicit_vr=False, little_endian=True, enforce_file_format=True)
    return file.getvalue()
