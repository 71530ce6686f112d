"""A conformance corpus: small DICOM files over a covering design, with the truth beside each.

Every pair of levels that can occur together occurs in at least one file; the rest is drawn at
random. Nothing here uses the decoder under test.
"""

import functools
import io
import itertools
import struct
from dataclasses import dataclass

import imagecodecs
import numpy as np
from openjpeg.utils import encode_array
from pydicom import Dataset, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID

from mgray.dicom.example import encode as encode_exactly
from tests.dicom.vendors import VENDORS

FILES = 520
SEED = 20261121
UIDS = {
    "implicit": "1.2.840.10008.1.2",
    "explicit": "1.2.840.10008.1.2.1",
    "deflated": "1.2.840.10008.1.2.1.99",
    "big": "1.2.840.10008.1.2.2",
    "jpeg_50": "1.2.840.10008.1.2.4.50",
    "jpeg_51": "1.2.840.10008.1.2.4.51",
    "jpeg_57": "1.2.840.10008.1.2.4.57",
    "jpeg_70": "1.2.840.10008.1.2.4.70",
    "jls_80": "1.2.840.10008.1.2.4.80",
    "jls_81": "1.2.840.10008.1.2.4.81",
    "j2k_90": "1.2.840.10008.1.2.4.90",
    "j2k_91": "1.2.840.10008.1.2.4.91",
    "htj2k_201": "1.2.840.10008.1.2.4.201",
    "htj2k_202": "1.2.840.10008.1.2.4.202",
    "htj2k_203": "1.2.840.10008.1.2.4.203",
    "rle": "1.2.840.10008.1.2.5",
}
NATIVE = {"implicit", "explicit", "deflated", "big"}
LOSSY = {"jpeg_50", "jpeg_51", "jls_81", "j2k_91", "htj2k_203"}
EXACT = {"rle": "rle", "jls_80": "jpeg_ls", "j2k_90": "j2k", "jpeg_70": "jpeg_lossless"}


FACTORS = {
    "syntax": tuple(UIDS),
    "bits": (8, 10, 12, 14, 15, 16),
    "signed": (False, True),
    "polarity": ("mono2", "mono1", "identity", "inverse", "mono1_inverse", "mono1_identity"),
    "padding": ("none", "value", "range", "range_reversed"),
    "voi": (
        "none", "linear", "exact", "sigmoid", "no_function", "several", "lut", "lut_of_bytes",
        "lut_and_window", "shared_group", "frame_group", "rescaled", "rescaled_group",
    ),
    "vendor": tuple(VENDORS),
    "pieces": ("native", "one", "table", "long_table", "split", "split_without_table"),
    "shape": ((48, 64), (33, 35), (40, 37)),
}  # fmt: skip
VOI_LUT_FUNCTION = {"linear": "LINEAR", "exact": "LINEAR_EXACT", "sigmoid": "SIGMOID"}


@dataclass(frozen=True)
class Case:
    """One file of the corpus: a level of each factor."""

    number: int
    syntax: str
    bits: int
    signed: bool
    polarity: str
    padding: str
    voi: str
    vendor: str
    pieces: str
    shape: tuple[int, int]

    @property
    def low(self):
        return -(2 ** (self.bits - 1)) if self.signed else 0

    @property
    def high(self):
        return self.low + 2**self.bits - 1

    @property
    def meaning(self):
        return VENDORS[self.vendor][0]

    @property
    def frames(self):
        return VENDORS[self.vendor][1].get("NumberOfFrames", 1)

    @property
    def exact(self):
        return self.syntax not in LOSSY

    @property
    def falling(self):
        """Low values are bright."""
        return self.polarity.startswith("mono1") or self.polarity == "inverse"

    @property
    def pad(self):
        """Padding value and limit, stored values."""
        dark, step = (self.high, -5) if self.polarity.startswith("mono1") else (self.low, 5)
        return {
            "none": (None, None),
            "value": (dark, None),
            "range": (dark, dark + step),
            "range_reversed": (dark + step, dark),
        }[self.padding]

    @property
    def window(self):
        """Center and width in rescaled values."""
        slope, intercept = self.rescale
        middle = (self.low + self.high) / 2 * slope + intercept
        return round(middle * 0.9, 1), round(max(2.0, 2**self.bits * slope * 0.6), 1)

    @property
    def rescale(self):
        return (2.0, -7.5) if self.voi.startswith("rescaled") else (1.0, 0.0)

    @property
    def lut(self):
        """First mapped value, bits per entry, entries; fewer than there are values."""
        bits = 8 if self.voi == "lut_of_bytes" else 12
        count = min(200, 2**self.bits // 2)
        first = self.low + 3
        entries = (np.linspace(0, 1, count) ** 0.7 * (2**bits - 1)).round().astype(int)
        return first, bits, entries

    @functools.cached_property
    def truth(self):
        """Stored values of every frame: noise over the full range, or a ramp if lossy."""
        random = np.random.default_rng(self.number)
        shape = (self.frames, *self.shape)
        if self.exact:
            stored = random.integers(self.low, self.high + 1, shape)
            stored[:, 0, :2] = self.low, self.high
            return stored
        ramp = np.linspace(0, 1, self.shape[0])[:, None] * np.linspace(0.2, 1, self.shape[1])
        shifts = np.arange(self.frames)[:, None, None] * 0.05
        return self.low + ((ramp + shifts) / 1.3 * (2**self.bits - 1)).astype(np.int64)


def allowed(a, b):
    """Whether two levels can stand in one file; ``a`` and ``b`` are (factor, level)."""
    (fa, x), (fb, y) = (b, a) if b[0] == "syntax" else (a, b)
    if fa != "syntax" or fb == "syntax":
        return fa != fb or x == y
    bits = {"jpeg_50": (8,), "jpeg_51": (8, 12)}.get(x, FACTORS["bits"])
    plain = x in {"jpeg_50", "jpeg_51", "jls_81"}
    return {
        "bits": y in bits,
        "signed": not (plain and y is True),
        "pieces": (y == "native") == (x in NATIVE) and not (x == "rle" and "split" in str(y)),
    }.get(fb, True)


def pairs(row):
    """Every pair of levels of one row."""
    return list(itertools.combinations(row.items(), 2))


def possible_pairs():
    """Every pair of levels that can stand in one file."""
    levels = [(name, level) for name, known in FACTORS.items() for level in known]
    return {(a, b) for a, b in itertools.combinations(levels, 2) if a[0] != b[0] and allowed(a, b)}


@functools.cache
def corpus():
    """All cases: a greedy covering array, then random rows."""
    random = np.random.default_rng(SEED)
    left, rows = dict.fromkeys(sorted(possible_pairs(), key=repr)), []
    while left or len(rows) < FILES:
        seed = next(iter(left), ())
        drawn = [_draw(random, seed) for _ in range(10)]
        best = max(drawn, key=lambda row: sum(pair in left for pair in pairs(row)))
        for pair in pairs(best):
            left.pop(pair, None)
        rows.append(best)
    return tuple(Case(number, **row) for number, row in enumerate(rows))


def _draw(random, seed):
    """Draw a row that holds the seed's levels, factor by factor among the levels allowed."""
    row = dict(seed)
    for name, known in FACTORS.items():
        fit = [level for level in known if all(allowed((name, level), had) for had in row.items())]
        row.setdefault(name, fit[random.integers(len(fit))])
    return {name: row[name] for name in FACTORS}


@functools.cache
def file_of(case):
    """Write one case as DICOM bytes."""
    dataset, meta = Dataset(), FileMetaDataset()
    meta.TransferSyntaxUID = UID(UIDS[case.syntax])
    _set(dataset, SOPInstanceUID=f"1.2.3.{case.number}", StudyInstanceUID="1.2.3", PatientID="p")
    _set(dataset, Modality="MG", PresentationIntentType="FOR PRESENTATION")
    own = dict(VENDORS[case.vendor][1])
    shared = Dataset()
    if side := own.pop("FrameLaterality", None):
        shared.FrameAnatomySequence = [_item(FrameLaterality=side)]
    _set(dataset, **own)
    dataset.Rows, dataset.Columns = case.shape
    dataset.SamplesPerPixel, dataset.PixelRepresentation = 1, int(case.signed)
    dataset.BitsAllocated = 8 if case.bits == 8 else 16
    dataset.BitsStored, dataset.HighBit = case.bits, case.bits - 1
    _set_polarity(dataset, case)
    _set_voi(dataset, shared, case)
    if len(shared):
        dataset.SharedFunctionalGroupsSequence = [shared]
    _set_pixels(dataset, case)
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.file_meta = meta
    file = io.BytesIO()
    implicit, little = case.syntax == "implicit", case.syntax != "big"
    dcmwrite(file, dataset, implicit_vr=implicit, little_endian=little, enforce_file_format=True)
    return file.getvalue()


def encode(stored, case):
    """One frame's bytes."""
    if case.syntax in NATIVE or case.syntax in EXACT:
        syntax = EXACT.get(case.syntax, "explicit")
        return encode_exactly(stored, syntax, case.bits, case.signed)
    size = 1 if case.bits == 8 else 2
    raw = np.ascontiguousarray(stored).astype(f"<{'i' if case.signed else 'u'}{size}")
    bits = raw.view(f"<u{size}") & np.array(2**case.bits - 1, f"<u{size}")
    family, number = case.syntax.split("_")
    if family == "j2k":
        return bytes(encode_array(raw, bits_stored=case.bits, compression_ratios=[3.0]))
    if family == "htj2k":
        return bytes(imagecodecs.htj2k_encode(raw, reversible=number != "203"))
    if family == "jls":
        return bytes(imagecodecs.jpegls_encode(bits, level=2))
    if number == "57":
        predictor = 1 + case.number % 7
        return bytes(
            imagecodecs.jpeg8_encode(
                bits, lossless=True, predictor=predictor, bitspersample=case.bits
            )
        )
    return bytes(imagecodecs.jpeg8_encode(bits, level=98, bitspersample=case.bits))


def encapsulate(frames, pieces="one"):
    """Fragments of frames, PS3.5 A.4; also the extended offset table and its lengths."""
    item = struct.Struct("<HHI")
    parts, offsets, at = [], [], 0
    for frame in frames:
        offsets.append(at)
        middle = len(frame) // 4 * 2 if "split" in pieces else 0
        for part in filter(None, (frame[:middle], frame[middle:])):
            padded = part + b"\0" * (len(part) % 2)
            parts.append(item.pack(0xFFFE, 0xE000, len(padded)) + padded)
            at += len(parts[-1])
    table = struct.pack(f"<{len(offsets)}I", *offsets) if pieces in ("table", "split") else b""
    value = item.pack(0xFFFE, 0xE000, len(table)) + table + b"".join(parts)
    long = struct.pack(f"<{len(offsets)}Q", *offsets)
    return value, long, struct.pack(f"<{len(frames)}Q", *map(len, frames))


def _set(dataset, **attributes):
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)


def _item(**attributes):
    item = Dataset()
    _set(item, **attributes)
    return item


def _set_polarity(dataset, case):
    mono1, word = case.polarity.startswith("mono1"), case.polarity.removeprefix("mono1_")
    dataset.PhotometricInterpretation = "MONOCHROME1" if mono1 else "MONOCHROME2"
    if word in ("identity", "inverse"):
        dataset.PresentationLUTShape = word.upper()
    value, limit = case.pad
    for keyword, level in (("PixelPaddingValue", value), ("PixelPaddingRangeLimit", limit)):
        if level is not None:
            dataset.add_new(keyword, "SS" if case.signed else "US", level)


def _set_voi(dataset, shared, case):
    center, width = case.window
    window = {"WindowCenter": center, "WindowWidth": width}
    rescale = {"RescaleSlope": case.rescale[0], "RescaleIntercept": case.rescale[1]}
    if case.voi in VOI_LUT_FUNCTION:
        _set(dataset, **window, VOILUTFunction=VOI_LUT_FUNCTION[case.voi])
    elif case.voi in ("no_function", "rescaled", "rescaled_group"):
        _set(dataset, **window)
    elif case.voi == "several":
        _set(dataset, WindowCenter=[center, 1, 2], WindowWidth=[width, 30, 40])
        dataset.VOILUTFunction = "SIGMOID"
    elif case.voi.startswith("lut"):
        dataset.VOILUTSequence = [_lut(case)]
        if case.voi == "lut_and_window":
            _set(dataset, **window, VOILUTFunction="SIGMOID")
    elif case.voi == "shared_group":
        shared.FrameVOILUTSequence = [_item(**window, VOILUTFunction="SIGMOID")]
    elif case.voi == "frame_group":
        groups = [_item(FrameVOILUTSequence=[_item(**window)]) for _ in range(case.frames)]
        dataset.PerFrameFunctionalGroupsSequence = groups
    if case.voi == "rescaled":
        _set(dataset, **rescale)
    if case.voi == "rescaled_group":
        shared.PixelValueTransformationSequence = [_item(**rescale)]


def _lut(case):
    first, bits, entries = case.lut
    item = Dataset()
    item.add_new("LUTDescriptor", "SS" if case.signed else "US", [len(entries), first, bits])
    order = ">u2" if case.syntax == "big" else "<u2"
    data = entries.astype(order).tobytes()
    if bits == 8:
        narrow = entries.astype("u1").tobytes() + b"\0" * (len(entries) % 2)
        data = np.frombuffer(narrow, "<u2").astype(order).tobytes()
    item.add_new("LUTData", "OW", data)
    return item


def _set_pixels(dataset, case):
    frames = [encode(frame, case) for frame in case.truth]
    if case.syntax in NATIVE:
        data = b"".join(frames)
        data += b"\0" * (len(data) % 2)
        if case.syntax == "big":
            data = np.frombuffer(data, "<u2").byteswap().tobytes()
        dataset.add_new("PixelData", "OW", data)
        return
    value, offsets, lengths = encapsulate(frames, case.pieces)
    if case.pieces == "long_table":
        dataset.ExtendedOffsetTable, dataset.ExtendedOffsetTableLengths = offsets, lengths
    dataset.add_new("PixelData", "OB", value)
    dataset["PixelData"].is_undefined_length = True
