"""A minimal valid mammogram as DICOM bytes, for tests and demonstrations."""

import io
from typing import Any, Final

import numpy as np
from jaxtyping import Integer

from mgray.dicom.quiet import quiet

SYNTAX: Final = {
    "implicit": "1.2.840.10008.1.2",
    "explicit": "1.2.840.10008.1.2.1",
    "deflated": "1.2.840.10008.1.2.1.99",
    "big": "1.2.840.10008.1.2.2",
    "jpeg": "1.2.840.10008.1.2.4.50",
    "jpeg_lossless": "1.2.840.10008.1.2.4.70",
    "jpeg_ls": "1.2.840.10008.1.2.4.80",
    "j2k": "1.2.840.10008.1.2.4.90",
    "htj2k": "1.2.840.10008.1.2.4.201",
    "rle": "1.2.840.10008.1.2.5",
}
"""Short names of the transfer syntaxes that ``example_file`` writes."""


def example_file(
    stored: Integer[np.ndarray, "height width"],
    syntax: str = "explicit",
    bits_stored: int = 12,
    signed: bool = False,
    **attributes: Any,
) -> bytes:
    """Make a DICOM file; by default a digital mammogram for presentation, left CC.

    Args:
        stored: Stored values.
        syntax: A key of ``SYNTAX``.
        bits_stored: Of 8 bits allocated up to 8, else of 16.
        signed: Pixel representation.
        attributes: DICOM keywords to set; None removes one.
    """
    from pydicom import Dataset, dcmwrite
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import UID

    allocated = 8 if bits_stored <= 8 else 16
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = UID(SYNTAX[syntax])
    dataset = Dataset()
    for keyword, value in (_DEFAULTS | attributes).items():
        if value is not None:
            setattr(dataset, keyword, value)
    dataset.Rows, dataset.Columns = stored.shape
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = (
        allocated,
        bits_stored,
        bits_stored - 1,
    )
    dataset.PixelRepresentation = int(signed)
    _set_pixels(dataset, encode(stored, syntax, bits_stored, signed), syntax)
    for keyword in attributes.keys() & {
        "Rows",
        "Columns",
        "BitsStored",
        "BitsAllocated",
        "HighBit",
    }:
        setattr(dataset, keyword, attributes[keyword])
    meta.MediaStorageSOPClassUID = dataset.get("SOPClassUID", "")
    meta.MediaStorageSOPInstanceUID = dataset.get("SOPInstanceUID", "")
    dataset.file_meta = meta
    file = io.BytesIO()
    dcmwrite(
        file,
        dataset,
        implicit_vr=syntax == "implicit",
        little_endian=syntax != "big",
        enforce_file_format=True,
    )
    return file.getvalue()


def read_by_pydicom(data: bytes, plugin: str = "") -> Integer[np.ndarray, "height width"]:
    """Read the pixels of a file by pydicom alone, to compare with.

    Args:
        data: A DICOM file of one frame.
        plugin: Of pydicom, by its name; the first that is installed if empty.

    Raises:
        RuntimeError: pydicom has no plugin for the syntax.
    """
    from pydicom import dcmread

    dataset = dcmread(io.BytesIO(data))
    dataset.pixel_array_options(decoding_plugin=plugin)
    return np.asarray(dataset.pixel_array)


def recoded(data: bytes, syntax: str) -> bytes:
    """Write a file's pixels in another syntax of ``SYNTAX`` and leave all else as it is.

    Args:
        data: A DICOM file of one frame that pydicom can read.
        syntax: Lossless.
    """
    from pydicom import dcmread
    from pydicom.uid import UID

    dataset = dcmread(io.BytesIO(data))
    stored, signed = dataset.pixel_array, dataset.PixelRepresentation == 1
    dataset.file_meta.TransferSyntaxUID = UID(SYNTAX[syntax])
    _set_pixels(dataset, encode(stored, syntax, dataset.BitsStored, signed), syntax)
    file = io.BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    return file.getvalue()


def encode(
    stored: Integer[np.ndarray, "height width"], syntax: str, bits_stored: int, signed: bool
) -> bytes:
    """Encode one frame in a syntax of ``SYNTAX``."""
    size = 1 if bits_stored <= 8 else 2
    raw = np.ascontiguousarray(stored).astype(f"<{'i' if signed else 'u'}{size}")
    bits = raw.view(f"<u{size}")
    if syntax in ("implicit", "explicit", "deflated"):
        return raw.tobytes()
    if syntax == "big":
        return _words(raw.tobytes()).byteswap().tobytes()
    if syntax == "rle":
        return _rle(raw)
    if syntax == "j2k":
        from openjpeg.utils import encode_array

        with quiet():  # it tells of every tile
            return bytes(encode_array(raw, bits_stored=bits_stored))
    import imagecodecs

    if signed and syntax != "htj2k":
        bits = bits & np.array((1 << bits_stored) - 1, bits.dtype)
    return {
        "htj2k": lambda: bytes(imagecodecs.htj2k_encode(raw, reversible=True)),
        "jpeg_ls": lambda: bytes(imagecodecs.jpegls_encode(bits)),
        "jpeg": lambda: bytes(imagecodecs.jpeg8_encode(bits, level=95)),
        "jpeg_lossless": lambda: bytes(
            imagecodecs.jpeg8_encode(bits, lossless=True, predictor=1, bitspersample=bits_stored)
        ),
    }[syntax]()


def _words(data: bytes) -> Integer[np.ndarray, " word"]:
    return np.frombuffer(data + b"\0" * (len(data) % 2), "<u2")


def _rle(raw: Integer[np.ndarray, "height width"]) -> bytes:
    from rle.utils import encode_pixel_data

    return bytes(
        encode_pixel_data(
            raw.tobytes(),
            rows=raw.shape[0],
            columns=raw.shape[1],
            samples_per_pixel=1,
            bits_allocated=8 * raw.itemsize,
            number_of_frames=1,
            byteorder="<",
        )
    )


def _set_pixels(dataset: Any, frame: bytes, syntax: str) -> None:
    from pydicom.encaps import encapsulate

    if syntax in ("implicit", "explicit", "deflated", "big"):
        dataset.PixelData = frame + b"\0" * (len(frame) % 2)
        dataset["PixelData"].VR = "OW"
        return
    dataset.PixelData = encapsulate([frame])
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True


_DEFAULTS: Final[dict[str, Any]] = {
    "SOPClassUID": "1.2.840.10008.5.1.4.1.1.1.2",
    "SOPInstanceUID": "1.2.3.4",
    "StudyInstanceUID": "1.2.3",
    "SeriesInstanceUID": "1.2.3.5",
    "PatientID": "patient",
    "Modality": "MG",
    "PresentationIntentType": "FOR PRESENTATION",
    "ImageType": ["ORIGINAL", "PRIMARY"],
    "ImageLaterality": "L",
    "ViewPosition": "CC",
    "SamplesPerPixel": 1,
    "PhotometricInterpretation": "MONOCHROME2",
}
