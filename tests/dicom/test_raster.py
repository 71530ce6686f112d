import io

import cv2
import numpy as np
import pytest
from PIL import Image

from mgray.dicom.door import read_file
from mgray.dicom.limits import Limits
from mgray.dicom.pixels import read_stored
from mgray.dicom.raster import decode_raster, read_picture
from mgray.errors import Rejected

Y, X = np.mgrid[:96, :64]
DISC = (Y - 48) ** 2 + X**2 < 900
EIGHT = np.where(DISC, 200, 0).astype(np.uint8)
SIXTEEN = np.where(DISC, 20000 + X, 0).astype(np.uint16)
PICTURE = {"format": "picture", "uid": "a"}


def picture(pixels, kind):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()


def read(data, raster):
    return read_file(data, hints={"kind": "film", "raster": raster})


@pytest.mark.parametrize(
    ("data", "pixels", "bits"),
    [
        (picture(EIGHT, "PNG"), EIGHT, 8),
        (picture(SIXTEEN, "PNG"), SIXTEEN, 16),
        (picture(EIGHT, "PPM"), EIGHT, 8),
        (b"P5\n# made by hand\n64 96\n255\n" + EIGHT.tobytes(), EIGHT, 8),
        (picture(np.repeat(EIGHT[..., None], 3, 2), "PNG"), EIGHT, 8),
    ],
)
def test_picture_becomes_a_film_with_its_own_values(data, pixels, bits):
    columns = read(data, PICTURE).columns
    assert np.array_equal(read_stored(columns), pixels)
    assert (columns["bits_stored"], columns["image_kind"]) == (bits, "film")
    assert (columns["pixels_face"], columns["photometric_interpretation"]) == (
        "right",
        "MONOCHROME2",
    )


def pgm(values, highest, comment=b""):
    """Binary, two bytes a value above 255."""
    kind = ">u2" if highest > 255 else "u1"
    return b"P5\n%b64 96\n%d\n" % (comment, highest) + values.astype(kind).tobytes()


@pytest.mark.parametrize(
    ("highest", "bits"), [(1, 2), (15, 4), (200, 8), (255, 8), (1000, 10), (4095, 12), (65535, 16)]
)
def test_pgm_of_any_highest_value_keeps_its_own_values(highest, bits):
    values = np.random.default_rng(highest).integers(0, highest + 1, DISC.shape) * DISC
    plain = b"P2 64 96 %d\n" % highest + b" ".join(b"%d" % one for one in values.ravel())
    for data in (pgm(values, highest), pgm(values, highest, b"# 7 7 7\n## by hand\n"), plain):
        columns = read(data, PICTURE).columns
        assert np.array_equal(read_stored(columns), values)
        assert columns["bits_stored"] == bits


def test_header_of_comments_alone_is_refused_at_once():
    with pytest.raises(Rejected, match="cannot be decoded"):
        read_picture(b"P5 " + b"#" * 100_000, Limits())


def test_jpeg_is_as_its_decoder_gives_it():
    data = picture(EIGHT, "JPEG")
    found = read_stored(read(data, PICTURE).columns)
    assert np.array_equal(found, np.asarray(Image.open(io.BytesIO(data))))


def test_big_endian_numbers_without_a_header():
    told = {"format": "numbers", "uid": "a", "rows": 96, "columns": 64, "dtype": ">u2"}
    columns = read(SIXTEEN.astype(">u2").tobytes(), told).columns
    assert np.array_equal(read_stored(columns), SIXTEEN)


def test_real_numbers_are_kept_by_rescale():
    real = np.where(DISC, 0.25 + X / 300, -0.5).astype("<f4")
    told = {"format": "numbers", "uid": "a", "rows": 96, "columns": 64, "dtype": "<f4"}
    columns = read(real.tobytes(), told).columns
    back = read_stored(columns) * columns["rescale_slope"] + columns["rescale_intercept"]
    assert np.abs(back - real).max() < 1.01 * float(np.ptp(real)) / 65535 / 2 + 1e-6


def test_a_logarithm_of_the_numbers_is_stored_in_their_place():
    told = {"format": "numbers", "uid": "a", "rows": 96, "columns": 64, "dtype": ">u2", "bits": 12}
    columns = read(SIXTEEN.astype(">u2").tobytes(), {**told, "log10": [-2, 9, 0.5, 8]}).columns
    back = read_stored(columns) * columns["rescale_slope"] + columns["rescale_intercept"]
    wanted = np.clip(9 - 2 * np.log10(SIXTEEN + 1.0), 0.5, 8)
    np.testing.assert_allclose(back, wanted, atol=1e-4)
    assert columns["bits_stored"] == 16


def test_logarithms_of_two_images_are_stored_in_the_same_steps():
    told = {"format": "numbers", "uid": "a", "rows": 96, "columns": 64, "dtype": ">u2", "bits": 12}
    darker = SIXTEEN // 2
    assert darker.max() < SIXTEEN.max()
    made = [
        read(one.astype(">u2").tobytes(), {**told, "log10": [-2, 9, 0.5, 8]}).columns
        for one in (SIXTEEN, darker)
    ]
    steps = [(one["rescale_slope"], one["rescale_intercept"]) for one in made]
    assert steps == [pytest.approx((7.5 / 65535, 0.5))] * 2


def test_what_the_source_knows_reaches_the_columns():
    told = {"spacing_mm": 0.2, "photometric": "MONOCHROME1", "rescale": [-0.5, 3.0], "bits": 12}
    columns = read(picture((SIXTEEN // 16).astype(np.uint16), "PNG"), {**PICTURE, **told}).columns
    assert columns["imager_pixel_spacing_mm"] == [0.2, 0.2]
    assert (columns["photometric_interpretation"], columns["bits_stored"]) == ("MONOCHROME1", 12)
    assert (columns["rescale_slope"], columns["rescale_intercept"]) == (-0.5, 3.0)


def test_identity_is_the_name_and_the_hash_is_the_files():
    one, other = (read(picture(EIGHT, "PNG"), {**PICTURE, "uid": uid}) for uid in "ab")
    again = read(picture(EIGHT, "PPM"), PICTURE)
    assert one.identity.sop_instance_uid == again.identity.sop_instance_uid
    assert one.identity.sop_instance_uid != other.identity.sop_instance_uid
    assert one.columns["source_sha256"] == other.columns["source_sha256"]
    assert one.columns["source_sha256"] != again.columns["source_sha256"]


COLOUR = np.dstack([EIGHT, EIGHT, EIGHT // 2])
NUMBERS = {"format": "numbers", "uid": "a", "rows": 2, "columns": 3, "dtype": "<f4"}


@pytest.mark.parametrize(
    ("data", "raster", "reason"),
    [
        (b"", PICTURE, "empty"),
        (b"dear diary", PICTURE, "corrupt_pixels"),
        (picture(EIGHT, "PNG")[:90], PICTURE, "corrupt_pixels"),
        (picture(EIGHT, "TIFF"), PICTURE, "corrupt_pixels"),
        (picture(COLOUR, "PNG"), PICTURE, "unsupported_kind"),
        (b"abc", NUMBERS, "header_mismatch"),
        (np.full(6, np.nan, "<f4").tobytes(), NUMBERS, "bad_pixels"),
        (b"abc", {**NUMBERS, "rows": 10**6, "columns": 10**6}, "too_large"),
        (b"abc", {**NUMBERS, "format": "ljpeg"}, "unsupported_syntax"),
    ],
)
def test_other_files_are_refused_by_name(data, raster, reason):
    with pytest.raises(Rejected) as error:
        read(data, raster)
    assert error.value.reason == reason


def test_size_is_checked_before_decoding():
    small = Limits(max_pixels=96 * 64 - 1)
    with pytest.raises(Rejected) as error:
        decode_raster(picture(EIGHT, "PNG"), PICTURE, small)
    assert error.value.reason == "too_large"


def written(picture):
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def test_palette_picture_is_read_as_what_it_shows():
    picture = Image.fromarray(np.array([[0, 1], [2, 1]], np.uint8)).convert("P")
    picture.putpalette([0, 0, 0, 200, 200, 200, 90, 90, 90])
    assert read_picture(written(picture), Limits()).tolist() == [[0, 200], [90, 200]]
    picture.putpalette([0, 0, 0, 200, 0, 0, 90, 90, 90])
    with pytest.raises(Rejected, match="colour"):
        read_picture(written(picture), Limits())


def test_transparency_is_no_colour():
    grey, seen = np.array([[3, 4]], np.uint8), np.array([[255, 0]], np.uint8)
    for bands in ([grey, seen], [grey, grey, grey, seen]):
        picture = Image.fromarray(np.stack(bands, -1))
        assert read_picture(written(picture), Limits()).tolist() == [[3, 4]]


@pytest.mark.parametrize("channels", [3, 4])
def test_sixteen_bits_in_colours_are_refused_since_only_eight_could_be_read(channels):
    coded = cv2.imencode(".png", np.repeat(SIXTEEN[..., None], channels, 2))[1].tobytes()
    with pytest.raises(Rejected, match="a PNG of 16 bits in colours"):
        read_picture(coded, Limits())


@pytest.mark.parametrize("highest", [256, 1023, 65535])
def test_ppm_of_more_than_eight_bits_is_refused_since_only_eight_could_be_read(highest):
    grey = np.full((96, 64, 3), 7, ">u2")
    plain = b" ".join(b"7" for _ in grey.ravel())
    for kind, values in ((b"P6", grey.tobytes()), (b"P3", plain)):
        with pytest.raises(Rejected, match="a PPM of 16 bits in colours") as error:
            read_picture(kind + b"\n64 96 %d\n" % highest + values, Limits())
        assert error.value.reason == "unsupported_kind"


def test_ppm_of_eight_bits_that_is_grey_is_read():
    data = b"P6\n64 96\n255\n" + np.repeat(EIGHT[..., None], 3, 2).tobytes()
    assert np.array_equal(read_picture(data, Limits()), EIGHT)


def test_picture_of_four_inks_is_refused():
    inks = np.dstack([np.zeros((96, 64, 3), np.uint8), EIGHT])
    file = io.BytesIO()
    Image.fromarray(inks, "CMYK").save(file, "JPEG")
    with pytest.raises(Rejected, match="four inks") as error:
        read_picture(file.getvalue(), Limits())
    assert error.value.reason == "unsupported_kind"
