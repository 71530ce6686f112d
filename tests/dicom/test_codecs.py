import io
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from mgray.dicom.child import DecodeChild
from mgray.dicom.codecs import (
    PACKAGES,
    SYNTAXES,
    FrameSpec,
    decode_frame,
    decode_htj2k,
    encode_htj2k,
    htj2k_heads,
)
from mgray.dicom.example import SYNTAX, encode, example_file
from mgray.dicom.pixels import read_display, read_stored
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


@pytest.mark.parametrize("bits", [12, 16])
@pytest.mark.parametrize("size", [(1, 1), (1, 40), (33, 7), (96, 80), (301, 200)])
def test_a_head_holds_the_smaller_sizes_to_the_bit_and_no_larger_one(size, bits):
    image = np.random.default_rng(sum(size)).integers(0, 2**bits, size).astype(np.uint16)
    codestream = encode_htj2k(image)
    heads = htj2k_heads(codestream)
    assert len(codestream) > heads[0] > heads[1] > heads[2]
    for spared, end in enumerate(heads, 1):
        for reduce in range(spared, 6):
            np.testing.assert_array_equal(
                decode_htj2k(codestream[:end], reduce), decode_htj2k(codestream, reduce)
            )
        with pytest.raises(ValueError, match=f"reduce={spared - 1}: expected {spared} to 5"):
            decode_htj2k(codestream[:end], spared - 1)


def test_half_size_is_a_quarter_of_the_bytes_of_noise():
    image = np.random.default_rng(0).integers(0, 4096, (512, 512)).astype(np.uint16)
    codestream = encode_htj2k(image)
    shares = np.array(htj2k_heads(codestream)) / len(codestream)
    np.testing.assert_allclose(shares, [1 / 4, 1 / 16, 1 / 64], rtol=0.4)


def test_a_head_cut_by_a_byte_is_refused():
    codestream = encode_htj2k(full_range(12, False, (96, 80)))
    with pytest.raises(Rejected, match="within a tile-part"):
        decode_htj2k(codestream[: htj2k_heads(codestream)[1] - 1], 2)


def test_a_codestream_of_before_has_no_heads_and_is_read():
    image = full_range(12, False, (96, 80))
    codestream = imagecodecs.htj2k_encode(image.astype(np.int16), reversible=True)
    assert htj2k_heads(codestream) == []
    np.testing.assert_array_equal(decode_htj2k(codestream), image)
    assert decode_htj2k(codestream, 2).shape == (24, 20)


def test_another_decoder_reads_what_the_table_holds():
    from openjpeg.utils import decode

    image = full_range(12, False, (96, 80))
    np.testing.assert_array_equal(decode(io.BytesIO(encode_htj2k(image))), image)


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


def breast(bits, shape=(256, 200)):
    y, x = np.mgrid[: shape[0], : shape[1]]
    disc = (y - 128) ** 2 + x**2 < 100**2
    return np.where(disc, 2**bits // 4 + 2 * y + x % 7, y // 16).astype(np.uint16)


def without(frame, start, stop):
    """Leave a share of a frame out, and keep its end marker."""
    return frame[: int(len(frame) * start)] + frame[int((len(frame) - 2) * stop) :]


@pytest.mark.parametrize(("start", "stop"), [(0.5, 1), (0.9, 1), (0.4, 0.7)])
@pytest.mark.parametrize("syntax", ["jpeg_lossless", "jpeg", "htj2k", "j2k", "jpeg_ls", "rle"])
def test_codestream_without_its_middle_or_its_rest_is_refused(syntax, start, stop):
    bits = 8 if syntax == "jpeg" else 12
    frame = without(encode(breast(bits), syntax, bits, False), start, stop)
    with pytest.raises(Rejected) as caught:
        decode_frame(frame, syntax, FrameSpec(256, 200, 8 if bits == 8 else 16, bits, False))
    assert caught.value.reason in ("corrupt_pixels", "header_mismatch")


@pytest.mark.parametrize("predictor", range(1, 8))
def test_every_predictor_of_lossless_jpeg_is_refused_when_cut(predictor):
    made = {"lossless": True, "predictor": predictor, "bitspersample": 12}
    frame = without(bytes(imagecodecs.jpeg8_encode(breast(12), **made)), 0.8, 1)
    with pytest.raises(Rejected, match="ends before the image does"):
        decode_frame(frame, "jpeg_lossless", FrameSpec(256, 200, 16, 12, False))


def with_restarts(pixels, **restarts):
    file = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(file, "JPEG", quality=95, **restarts)
    return file.getvalue()


@pytest.mark.parametrize("every", [{"restart_marker_rows": 1}, {"restart_marker_blocks": 7}])
@pytest.mark.parametrize("place", np.linspace(0.5, 0.9, 9))
def test_jpeg_with_restart_markers_is_refused_when_cut(every, place):
    frame = with_restarts(breast(8), **every)
    spec = FrameSpec(256, 200, 8, 8, False)
    decode_frame(frame, "jpeg", spec)
    with pytest.raises(Rejected, match="ends before the image does"):
        decode_frame(without(frame, place, 1), "jpeg", spec)


@pytest.mark.parametrize("every", [{}, {"restart_marker_rows": 1}, {"progressive": True}])
def test_jpeg_that_is_middle_grey_passes(every):
    grey = np.where(np.arange(200) < 100, breast(8), 128)
    for image in (grey, np.full_like(grey, 128)):
        found, _ = decode_frame(
            with_restarts(image, **every), "jpeg", FrameSpec(256, 200, 8, 8, False)
        )
        assert found[-1, -1] == 128


@pytest.mark.parametrize("bits", [8, 12, 16])
@pytest.mark.parametrize("signed", [False, True])
def test_lossless_jpeg_that_is_middle_grey_passes(bits, signed):
    lowest = -(2 ** (bits - 1)) if signed else 2 ** (bits - 1)
    image = np.full((64, 48), lowest, np.int32)
    image[:30, :20] += np.arange(20)
    spec = FrameSpec(64, 48, 8 if bits == 8 else 16, bits, signed)
    found, _ = decode_frame(encode(image, "jpeg_lossless", bits, signed), "jpeg_lossless", spec)
    np.testing.assert_array_equal(found, image)


@pytest.mark.parametrize("syntax", ["explicit", "big", "rle"])
def test_signed_values_over_bits_stored_are_kept_and_flagged(syntax):
    image = full_range(12, True)
    image[5, 5:8] = -32768, 3000, -3000
    columns = read_record(example_file(image, syntax, 12, signed=True)).columns
    np.testing.assert_array_equal(read_stored(columns), image)
    assert "values_over_bits_stored" in columns["qc_flags"]


def test_signed_values_whose_unused_bits_are_empty_are_within_bits_stored():
    image = full_range(12, True)
    columns = read_record(example_file(image & 0xFFF, signed=True)).columns
    np.testing.assert_array_equal(read_stored(columns), image)
    assert "values_over_bits_stored" not in columns["qc_flags"]


def test_signed_jpeg_of_more_bits_than_stored_is_read_by_its_own():
    image = full_range(12, True)
    frame = encode(image, "jpeg_lossless", 14, True)
    found, _ = decode_frame(frame, "jpeg_lossless", FrameSpec(37, 52, 16, 12, True))
    np.testing.assert_array_equal(found, image)


def test_signed_padding_over_bits_stored_is_black():
    image = np.full((64, 48), 500)
    image[:, 20:] = -32768
    columns = read_record(example_file(image, signed=True, PixelPaddingValue=-32768)).columns
    assert (read_display(columns)[:, 20:] == 0).all()
