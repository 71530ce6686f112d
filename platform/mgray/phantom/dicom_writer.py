"""Pictures as DICOM files, in every lossless transfer syntax an archive may hold (PS3.5 A)."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
from jaxtyping import UInt16
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    HTJ2KLossless,
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from mgray.phantom.config import TransferSyntax
from mgray.phantom.exam import Exam, Picture
from mgray.phantom.header import build_header

Pixels = UInt16[np.ndarray, "height width"]


def _j2k(pixels: Pixels, dataset: Dataset) -> bytes:
    from openjpeg.utils import encode_array

    return bytes(
        encode_array(pixels, bits_stored=dataset.BitsStored, photometric_interpretation=2)
    )


def _htj2k(pixels: Pixels, dataset: Dataset) -> bytes:
    import imagecodecs

    return bytes(
        imagecodecs.htj2k_encode(pixels, reversible=True, bitspersample=dataset.BitsStored)
    )


def _jpeg_ls(pixels: Pixels, dataset: Dataset) -> bytes:
    import imagecodecs

    return bytes(imagecodecs.jpegls_encode(pixels))


def _jpeg_lossless(pixels: Pixels, dataset: Dataset) -> bytes:
    import imagecodecs

    return bytes(imagecodecs.ljpeg_encode(pixels, bitspersample=dataset.BitsStored))


def _rle(pixels: Pixels, dataset: Dataset) -> bytes:
    from rle.utils import encode_array

    return b"".join(encode_array(pixels))


Encoder = Callable[[Pixels, Dataset], bytes]
SYNTAXES: Final[dict[TransferSyntax, tuple[UID, Encoder | None]]] = {
    "j2k": (JPEG2000Lossless, _j2k),
    "htj2k": (HTJ2KLossless, _htj2k),
    "jpeg_ls": (JPEGLSLossless, _jpeg_ls),
    "jpeg_lossless": (JPEGLosslessSV1, _jpeg_lossless),
    "rle": (RLELossless, _rle),
    "deflated": (DeflatedExplicitVRLittleEndian, None),
    "explicit": (ExplicitVRLittleEndian, None),
    "implicit": (ImplicitVRLittleEndian, None),
}
"""word -> transfer syntax UID and the encoder of one frame; ``None`` keeps the pixels as they are"""


def write_picture(path: Path, exam: Exam, picture: Picture, syntax: TransferSyntax) -> None:
    """Write one file; it appears under its name only when it is complete."""
    dataset = build_header(exam, picture)
    transfer_syntax, encode = SYNTAXES[syntax]
    dataset.file_meta.TransferSyntaxUID = transfer_syntax
    if encode is None:
        dataset.PixelData = picture.pixels.astype("<u2").tobytes()
        dataset["PixelData"].VR = "OW"
    else:
        dataset.PixelData = encapsulate([encode(picture.pixels, dataset)])
        dataset["PixelData"].VR = "OB"
        dataset["PixelData"].is_undefined_length = True
    part = path.with_suffix(".part")
    dataset.save_as(part, enforce_file_format=True)
    os.replace(part, path)  # noqa: PTH105 - atomic on one file system
