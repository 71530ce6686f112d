import numpy as np
import pytest

from mgray.dicom.codecs import decode_htj2k
from mgray.dicom.example import example_file
from mgray.dicom.pixels import keep_resolution, read_display, read_stored, reduced_affine
from mgray.dicom.record import read_record

WAVES = np.int32(1500 + 700 * np.sin(np.mgrid[:96, :80].sum(axis=0) / 30.0))


def columns(image=WAVES, **attributes):
    return read_record(example_file(image, "j2k", **attributes)).columns


def test_display_applies_the_header_s_window():
    found = read_display(columns(WindowCenter=1400, WindowWidth=901))
    np.testing.assert_allclose(found, np.clip((WAVES - 1399.5) / 900 + 0.5, 0, 1), atol=1e-6)


@pytest.mark.parametrize("reduce", [1, 2, 3])
def test_reduced_display_looks_like_the_area_mean(reduce):
    n = 2**reduce
    small = read_display(columns(), reduce)
    mean = (WAVES / 4095.0).reshape(96 // n, n, 80 // n, n).mean(axis=(1, 3))
    assert np.abs(small - mean).mean() < 0.05


def test_reduced_values_stay_in_the_stored_range():
    image = np.zeros((64, 64), np.int32)
    image[:, 31:] = 4095
    small = read_stored(columns(image), 1)
    assert (small.min(), small.max()) == (0, 4095)


def test_reduced_padding_stays_black():
    image = WAVES.copy()
    image[:, 40:] = 0
    found = read_display(
        columns(image, PixelPaddingValue=0, PhotometricInterpretation="MONOCHROME1"), 1
    )
    assert (found[:, 24:] == 0).all()


@pytest.mark.parametrize("reduce", [0, 1, 2, 3])
@pytest.mark.parametrize("place", [100, 101, 106])
def test_affine_finds_a_blob_again(reduce, place):
    across = np.exp(-(((np.arange(256) - place) / 14.0) ** 2))
    image = np.int32(3000 * np.exp(-(((np.arange(192) - 90) / 14.0) ** 2))[:, None] * across)
    small = read_stored(columns(image), reduce).astype(float)
    middle = np.array(
        [(small.sum(axis=k) * (np.arange(n) + 0.5)).sum() for k, n in enumerate(small.T.shape)]
    )
    found = middle / small.sum()
    expected = reduced_affine(reduce) @ np.array([place + 0.5, 90.5, 1.0])
    np.testing.assert_allclose(found, expected, atol=0.02)


def test_offset_of_coded_values_is_taken_off():
    row = columns()
    np.testing.assert_array_equal(read_stored(row | {"pixel_offset": 7}), WAVES - 7)


NOISE = np.random.default_rng(0).integers(0, 4096, (417, 330)).astype(np.int32)


@pytest.mark.parametrize(
    ("long_side", "reduce"), [(2048, 0), (418, 0), (417, 0), (209, 1), (208, 1), (105, 2), (1, 5)]
)
def test_the_smallest_level_with_a_long_side_of_n_is_kept(long_side, reduce):
    kept = keep_resolution(columns(NOISE), long_side)
    assert (kept["pixel_reduce"], kept["rows"], kept["columns"]) == (reduce, 417, 330)
    wanted = (-(-417 // 2**reduce), -(-330 // 2**reduce))
    assert read_stored(kept, reduce).shape == decode_htj2k(kept["pixels"]).shape == wanted


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("step", [1, 4095], ids=["noise", "edges"])
def test_every_smaller_size_reads_as_from_the_full_image(signed, step):
    stored = (NOISE // step * step).astype(np.int32) - 2048 * signed
    full = read_record(example_file(stored, "htj2k", signed=signed)).columns
    kept = keep_resolution(full, 200)
    for reduce in range(1, 6):
        np.testing.assert_array_equal(read_stored(kept, reduce), read_stored(full, reduce))
    np.testing.assert_array_equal(read_display(kept, 2), read_display(full, 2))


def test_a_size_that_is_not_kept_cannot_be_read():
    kept = keep_resolution(columns(NOISE), 100)
    with pytest.raises(ValueError, match="reduce=1: expected 2 or more, the table holds no larger"):
        read_stored(kept, 1)


def test_an_image_that_is_small_enough_keeps_its_bytes():
    full = columns()
    assert keep_resolution(full, 96) == full


@pytest.mark.parametrize("reduce", [0, 1, 2])
def test_values_beyond_the_bits_stored_are_kept_at_every_size(reduce):
    """A header of 12 bits over 16: its window shows what is there."""
    row = columns(WAVES * 10, bits_stored=16, WindowCenter=15000, WindowWidth=20000)
    row |= {"bits_stored": 12, "qc_flags": ["values_over_bits_stored"]}
    shown = read_display(row, reduce)
    assert shown.std() > 0.1
    assert shown.mean() == pytest.approx(read_display(row).mean(), abs=0.02)
