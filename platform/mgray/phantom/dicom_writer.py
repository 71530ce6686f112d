"""Pictures as DICOM files, in every lossless transfer syntax an archive may hold (PS3.5 A)."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
from jaxtyping import UInt16
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLossless,
    JPEGLSLossless,
    RLELossless,
)

from mgray.phantom.config import TransferSyntax
from mgray.phantom.exam import Exam, Picture
from mgray.phantom.header import build_header

Pixels = UInt16[np.ndarray, "height width"]


def _j2k(pixels: Pixels, bits: int) -> bytes:
    import imagecodecs

    return bytes(
        imagecodecs.jpeg2k_encode(pixels, codecformat="j2k", reversible=True, bitspersample=bits)
    )


def _htj2k(pixels: Pixels, bits: int) -> bytes:
    import imagecodecs

    del bits  # OpenJPH codes 16 bits whatever is stored
    return bytes(imagecodecs.htj2k_encode(pixels, reversible=True))


def _jpeg_ls(pixels: Pixels, bits: int) -> bytes:
    import imagecodecs

    del bits  # CharLS likewise
    return bytes(imagecodecs.jpegls_encode(pixels))


def _jpeg_lossless(pixels: Pixels, bits: int) -> bytes:
    import imagecodecs

    return bytes(imagecodecs.ljpeg_encode(pixels, bitspersample=bits))


def _rle(pixels: Pixels, bits: int) -> bytes:
    from rle.utils import encode_pixel_data

    del bits
    height, width = pixels.shape
    return bytes(
        encode_pixel_data(
            pixels.astype("<u2").tobytes(), rows=height, columns=width, samples_per_pixel=1,
            bits_allocated=16, number_of_frames=1, byteorder="<",
        )
    )  # fmt: skip


Encoder = Callable[[Pixels, int], bytes]
SYNTAXES: Final[dict[TransferSyntax, tuple[UID, Encoder | None]]] = {
    "j2k": (JPEG2000Lossless, _j2k),
    "htj2k": (HTJ2KLossless, _htj2k),
    "jpeg_ls": (JPEGLSLossless, _jpeg_ls),
    "jpeg_lossless": (JPEGLossless, _jpeg_lossless),
    "rle": (RLELossless, _rle),
    "deflated": (DeflatedExplicitVRLittleEndian, None),
    "explicit": (ExplicitVRLittleEndian, None),
    "implicit": (ImplicitVRLittleEndian, None),
}
"""word -> transfer syntax UID and encoder of one frame; ``None`` keeps the pixels as they are"""


def write_picture(path: Path, exam: Exam, picture: Picture, syntax: TransferSyntax) -> None:
    """Write one file; it appears under its name only when it is complete."""
    dataset = build_header(exam, picture)
    transfer_syntax, encode = SYNTAXES[syntax]
    dataset.file_meta.TransferSyntaxUID = transfer_syntax
    if encode is None:
        dataset.PixelData = picture.pixels.astype("<u2").tobytes()
        dataset["PixelData"].VR = "OW"
    else:
        dataset.PixelData = encapsulate([encode(picture.pixels, picture.bits)])
        dataset["PixelData"].VR = "OB"
        dataset["PixelData"].is_undefined_length = True
    part = path.with_suffix(".part")
    dataset.save_as(part, enforce_file_format=True)
    part.replace(path)
