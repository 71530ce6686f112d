"""Seeded damage to small valid files of every syntax; a mutant of a seed is always the same.

Seventy of a hundred wounds are in the header or the codestream's first markers. Deflated files are
damaged inside, then deflated again, or hardly any mutant would reach the parser.
"""

import functools
import struct
import zlib

import numpy as np

from mgray.dicom.example import SYNTAX
from tests.dicom.corpus import UIDS, Case, file_of

KINDS = {
    "jpeg": "jpeg_50", "jpeg_lossless": "jpeg_70", "jpeg_ls": "jls_80", "j2k": "j2k_90",
    "htj2k": "htj2k_201",
}  # fmt: skip
BASES = (
    ("hologic_cview", "one", "lut_and_window"),
    ("hologic_bto", "table", "shared_group"),
    ("ge_ffdm", "long_table", "rescaled"),
    ("siemens_bto", "split_without_table", "frame_group"),
)
"""Header, division into fragments and windows of the undamaged files."""
NUMBERS = (0, 1, 2, 3, 8, 0x7F, 0x80, 0xFE, 0xFF, 0x7FFF, 0x8000, 0xFFFE, 0xFFFF, 0x7FFFFFFF,
           0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)  # fmt: skip
TEXTS = (b"nan", b"inf", b"-1", b"0", b"1e400", b"99999999999", b"\\\\\\", b"\x1b$B", b"\xff\xfe")


@functools.cache
def base(syntax, number):
    """An undamaged file of a syntax of ``example.SYNTAX``, 48 x 64."""
    vendor, pieces, voi = BASES[number]
    pieces = "native" if syntax in UIDS and syntax != "rle" else pieces
    pieces = "one" if syntax == "rle" and "split" in pieces else pieces
    bits = 8 if syntax == "jpeg" else 12
    shape = (48, 64)
    padding = "range" if number % 2 else "none"
    name = KINDS.get(syntax, syntax)
    case = Case(number, name, bits, False, "mono2", padding, voi, vendor, pieces, shape)
    return file_of(case)


def mutant(seed, index):
    """Damage one file: syntaxes and bases take turns."""
    random = np.random.default_rng((seed, index))
    syntax = list(SYNTAX)[index % len(SYNTAX)]
    data = base(syntax, int(random.integers(len(BASES))))
    start = 144 + struct.unpack_from("<I", data, 140)[0]  # behind (0002,0000)
    if syntax == "deflated" and random.random() < 0.9:
        inside = bytearray(zlib.decompress(data[start:], -15))
        _wound(inside, random, 0)
        packed = zlib.compressobj(1, zlib.DEFLATED, -15)
        return data[:start] + packed.compress(inside) + packed.flush()
    damaged = bytearray(data)
    _wound(damaged, random, 132)
    return bytes(damaged)


def _wound(data, random, start):
    pixels = data.find(b"\xe0\x7f\x10\x00", start)
    header = (pixels if pixels > 0 else len(data) // 2) + 140
    for _ in range(random.geometric(0.5)):
        low, high = (start, header) if random.random() < 0.7 else (0, len(data))
        at = int(random.integers(low, max(low + 1, min(high, len(data)))))
        _WOUNDS[random.integers(len(_WOUNDS))](data, at, random)


def _flip(data, at, random):
    if at < len(data):
        data[at] ^= 1 << random.integers(8)


def _overwrite(data, at, random):
    data[at : at + 1] = bytes([random.integers(256)])


def _number(data, at, random):
    form = "<>"[random.integers(2)] + "HI"[random.integers(2)]
    size = struct.calcsize(form)
    data[at : at + size] = struct.pack(form, NUMBERS[random.integers(len(NUMBERS))] % 256**size)


def _text(data, at, random):
    text = TEXTS[random.integers(len(TEXTS))]
    data[at : at + len(text)] = text


def _run(data, at, random):
    length = int(random.integers(2, 64))
    data[at : at + length] = bytes([random.integers(256)]) * len(data[at : at + length])


def _delete(data, at, random):
    del data[at : at + int(random.integers(1, 32))]


def _insert(data, at, random):
    data[at:at] = random.bytes(int(random.integers(1, 32)))


def _copy(data, at, random):
    length, source = int(random.integers(2, 128)), int(random.integers(0, len(data) + 1))
    data[at : at + length] = data[source : source + length]


def _cut(data, at, random):
    if random.random() < 0.3:
        del data[at:]


_WOUNDS = (_flip, _flip, _overwrite, _overwrite, _number, _number, _text, _run, _delete, _insert,
           _copy, _cut)  # fmt: skip
