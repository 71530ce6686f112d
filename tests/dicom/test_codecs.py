import re
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

from mgray.dicom.child import DecodeChild
from mgray.dicom.codecs import (
    PACKAGES,
    SYNTAXES,
    FrameSpec,
    decode_frame,
    decode_htj2k,
    encode_htj2k,
)
from mgray.dicom.example import SYNTAX, encode, example_file
from mgray.dicom.pixels import read_stored
from mgray.dicom.record import iter_frames, read_record
from mgray.errors import Rejected

ROOT = Path(__file__).parents[2]
LOSSLESS = sorted(SYNTAX.keys() - {"jpeg"})


def full_range(bits: int, signed: bool, shape: tuple[int, int] = (37, 52)) -> np.ndarray:
    low = -(2 ** (bits - 1)) if signed else 0
    image = np.random.default_rng(bits).integers(low, low + 2**bits, shape, dtype=np.int32)
    image[0, :2] = low, low + 2**bits - 1
    return image


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("bits", [8, 10, 12, 14, 15, 16])
@pytest.mark.parametrize("syntax", LOSSLESS)
def test_stored_values_come_back_exactly(syntax, bits, signed):
    image = full_range(bits, signed)
    record = read_record(example_file(image, syntax, bits, signed))
    np.testing.assert_array_equal(read_stored(record.columns), image)


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("syntax", LOSSLESS)
def test_decoded_frames_have_sixteen_bits_of_the_header_s_sign(syntax, signed):
    image = full_range(8, signed)
    (frame,) = iter_frames(example_file(image, syntax, 8, signed))
    assert frame.dtype == (np.int16 if signed else np.uint16)
    np.testing.assert_array_equal(frame, image)


@pytest.mark.parametrize("syntax", LOSSLESS)
def test_odd_number_of_bytes_is_padded(syntax):
    image = full_range(8, False, (33, 35))
    record = read_record(example_file(image, syntax, 8))
    np.testing.assert_array_equal(read_stored(record.columns), image)


@pytest.mark.parametrize("bits", [8, 12])
def test_baseline_jpeg_is_close(bits):
    y, x = np.mgrid[:64, :48]
    image = np.int32((x + y) / 111 * (2**bits - 1))
    found = read_stored(read_record(example_file(image, "jpeg", bits)).columns)
    assert np.abs(found - image).max() < 2**bits / 30


def test_every_syntax_of_the_table_has_a_decoder():
    spec = FrameSpec(4, 4, 16, 12, False)
    for family in set(SYNTAXES.values()):
        with pytest.raises(Rejected, match=r"pixel data|codestream|RLE"):
            decode_frame(b"\0" * 70, family, spec)


def test_unknown_syntax_is_named():
    data = example_file(full_range(12, False)).replace(
        b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.9.9.9\0"
    )
    with pytest.raises(Rejected, match=r"no decoder .* is not of the standard"):
        read_record(data)


@pytest.mark.parametrize("bits", [12, 14, 15, 16])
@pytest.mark.parametrize("reduce", [1, 2, 3, 4, 5])
def test_low_pass_band_never_wraps(bits, reduce):
    image = np.zeros((256, 192), np.int32)
    image[:, 61:] = 2**bits - 1
    image[90:, 101:] = 0
    band = decode_htj2k(encode_htj2k(image), reduce)
    assert band.shape == (256 // 2**reduce, 192 // 2**reduce)
    assert band.min() >= -1.0 * 2**bits
    assert band.max() <= 2.0 * 2**bits


def test_low_pass_band_of_noise_matches_its_filter():
    image = full_range(16, False, (64, 64))
    band = decode_htj2k(encode_htj2k(image), 1)
    wide = np.pad(image.astype(float), 4, mode="reflect")
    taps = {-2: -1 / 8, -1: 2 / 8, 0: 6 / 8, 1: 2 / 8, 2: -1 / 8}
    rows = sum(w * wide[4 + k : 68 + k : 2] for k, w in taps.items())
    both = sum(w * rows[:, 4 + k : 68 + k : 2] for k, w in taps.items())
    assert np.abs(band - both).max() < 3  # the transform rounds


def test_low_pass_band_moves_with_the_grey_level():
    image = full_range(12, False, (64, 64))
    assert (
        decode_htj2k(encode_htj2k(image + 1), 2) - decode_htj2k(encode_htj2k(image), 2) == 1
    ).all()


@pytest.mark.parametrize("size", [(1, 1), (1, 70), (70, 1), (63, 65), (129, 47)])
def test_reduced_sizes_round_up(size):
    image = full_range(12, False, (200, 200))[: size[0], : size[1]]
    codestream = encode_htj2k(image)
    np.testing.assert_array_equal(decode_htj2k(codestream), image)
    for reduce in range(1, 6):
        shape = tuple(-(-n // 2**reduce) for n in size)
        assert decode_htj2k(codestream, reduce).shape == shape


def test_fourteen_bits_are_coded_in_sixteen():
    small, large = (encode_htj2k(full_range(bits, False)) for bits in (14, 15))
    assert small[42] == 0x80 | 15
    assert large[42] == 0x80 | 31


def test_reduce_out_of_range_is_a_mistake_of_the_caller():
    with pytest.raises(ValueError, match="reduce=6: expected 0 to 5"):
        decode_htj2k(encode_htj2k(full_range(12, False)), 6)


def test_damaged_table_pixels_are_refused():
    with pytest.raises(Rejected, match="cannot be decoded"):
        decode_htj2k(b"\xff\x4f\xff\x51 nothing")


@pytest.mark.parametrize(("reduce", "place"), [(0, 0.5), (1, 0.1)])
def test_damage_that_openjph_only_reports_is_refused(reduce, place):
    codestream = bytearray(encode_htj2k(full_range(12, False, (96, 80))))
    start = int(len(codestream) * place)
    codestream[start : start + 2000] = bytes(2000)
    with pytest.raises(Rejected, match="HTJ2K: ValueError"):
        decode_htj2k(bytes(codestream), reduce)


def test_reports_of_others_still_arrive(monkeypatch):
    heard = []
    monkeypatch.setattr(sys, "unraisablehook", heard.append)
    decode_htj2k(encode_htj2k(full_range(12, False)))

    class Broken:
        def __del__(self):
            raise ValueError

    Broken()
    assert len(heard) == 1


def test_mislabelled_syntax_is_decoded_and_flagged():
    image = full_range(12, False)
    frame = encode(image, "jpeg_ls", 12, False)
    found, mislabelled = decode_frame(frame, "j2k", FrameSpec(37, 52, 16, 12, False))
    np.testing.assert_array_equal(found, image)
    assert mislabelled


def test_jp2_wrapper_around_a_codestream_is_skipped():
    image = full_range(12, False)
    frame = b"\0\0\0\x0cjP  \r\n\x87\n" + b"box " * 20 + encode(image, "j2k", 12, False)
    found, _ = decode_frame(frame, "j2k", FrameSpec(37, 52, 16, 12, False))
    np.testing.assert_array_equal(found, image)


def test_rust_panic_becomes_a_refusal():
    too_long = b"\x81\x00" * 20  # 20 runs of 128 bytes for 37 x 52 pixels
    table = np.array([2, 64, 64 + len(too_long), *[0] * 13], "<u4").tobytes()
    with pytest.raises(Rejected, match="cannot be decoded: PanicException"):
        decode_frame(table + 2 * too_long, "rle", FrameSpec(37, 52, 16, 12, False))


def test_sign_of_the_codestream_must_be_the_header_s():
    frame = encode(full_range(12, True), "j2k", 12, True)
    with pytest.raises(Rejected, match="differ in sign"):
        decode_frame(frame, "j2k", FrameSpec(37, 52, 16, 12, False))


def test_more_bits_than_allocated_are_refused():
    frame = encode(full_range(12, False), "j2k", 12, False)
    with pytest.raises(Rejected, match="12 bits > 8"):
        decode_frame(frame, "j2k", FrameSpec(37, 52, 8, 8, False))


BROUGHT = {
    "rle": ("rle.utils", "pylibjpeg-rle"),
    "j2k": ("openjpeg.utils", "pylibjpeg-openjpeg"),
    "htj2k": ("imagecodecs", "imagecodecs"),
    "jpeg": ("imagecodecs", "imagecodecs"),
    "jpeg_ls": ("imagecodecs", "imagecodecs"),
    "jpeg_lossless": ("imagecodecs", "imagecodecs"),
}


@pytest.mark.parametrize("syntax", BROUGHT)
def test_a_missing_codec_names_the_package_that_brings_it(monkeypatch, syntax):
    data = example_file(full_range(8, False), syntax, 8)
    module, package = BROUGHT[syntax]
    monkeypatch.setitem(sys.modules, module, None)  # the import fails
    with pytest.raises(Rejected) as caught:
        read_record(data)
    assert caught.value.reason == "unsupported_syntax"
    assert f"{package} is not installed: pip install {package}" in caught.value.detail


def test_every_codec_s_package_is_a_requirement():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = {re.split(r"[>=<\[]", requirement)[0] for requirement in project["dependencies"]}
    assert set(PACKAGES.values()) <= names


@pytest.fixture
def gdcm(tmp_path):
    """A package of GDCM's name that tells when it is used, as pydicom finds it."""
    (tmp_path / "gdcm.py").write_text(
        "from pathlib import Path\n"
        "DataElement = None  # imported with pydicom\n"
        "class Version:\n"
        "    GetVersion = staticmethod(lambda: '3.2.6')\n"
        "def __getattr__(name):\n"
        f"    if not name.startswith('__'): Path({str(tmp_path / 'used')!r}).write_text(name)\n"
        "    raise AttributeError(name)\n"
    )
    return tmp_path


def test_gdcm_being_installed_changes_nothing(gdcm, monkeypatch):
    files = {syntax: example_file(full_range(8, False), syntax, 8) for syntax in SYNTAX}
    without = {syntax: read_record(data) for syntax, data in files.items()}
    monkeypatch.setenv("PYTHONPATH", str(gdcm))
    with DecodeChild() as child:
        assert {syntax: child.read(data) for syntax, data in files.items()} == without
    assert not (gdcm / "used").exists()


def test_gdcm_s_stand_in_would_be_picked_by_pydicom(gdcm):
    """The test above is worth something: pydicom does take it for GDCM."""
    probe = "from pydicom.pixels.decoders import gdcm; print(gdcm.HAVE_GDCM)"
    command = [sys.executable, "-c", probe]
    found = subprocess.run(
        command, env={"PYTHONPATH": str(gdcm)}, capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "True"
