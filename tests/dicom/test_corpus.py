"""The conformance corpus: stored values, display values, kind, side and view of every file."""

import functools
import io

import imagecodecs
import numpy as np
import openjpeg.utils
import pytest
from pydicom import dcmread
from pydicom.encaps import generate_frames
from pydicom.pixels import pixel_array

from mgray.dicom.pixels import read_display, read_stored
from mgray.dicom.record import iter_frames, read_record
from mgray.errors import Rejected
from tests.dicom.corpus import FACTORS, FILES, corpus, file_of, pairs, possible_pairs

CLOSE = 0.05
"""Lossy syntaxes stay this near to the truth, as a share of the range."""


@functools.cache
def record_of(case):
    return read_record(file_of(case), volumes="mip")


def cases(**levels):
    return [case for case in corpus() if all(getattr(case, k) == v for k, v in levels.items())]


def test_corpus_is_large_and_covers_every_pair_of_levels():
    covered = {pair for case in corpus() for pair in pairs({k: getattr(case, k) for k in FACTORS})}
    assert len(corpus()) >= FILES >= 500
    assert possible_pairs() <= covered
    assert len({file_of(case) for case in corpus()}) == len(corpus())


@pytest.mark.parametrize("syntax", FACTORS["syntax"])
def test_stored_values_of_every_frame_are_the_truth(syntax):
    for case in cases(syntax=syntax):
        found = list(iter_frames(file_of(case)))
        assert len(found) == case.frames
        if case.exact:
            np.testing.assert_array_equal(found, case.truth, err_msg=str(case))
        else:
            off = np.abs(np.array(found) - case.truth).max()
            assert off <= max(3, CLOSE * 2**case.bits), case


def other_decoder(case):
    """Stored values by a second library, None where there is none: JPEG-LS, 12-bit JPEG."""
    dataset = dcmread(io.BytesIO(file_of(case)))
    family, _, number = case.syntax.partition("_")
    if family == "jls" or (number in ("50", "51") and case.bits == 12):
        return None
    plugin = {"rle": "pydicom", "j2k": "pillow", "jpeg": "pillow"}.get(family, "")
    if family == "htj2k" or number in ("57", "70"):
        decode = functools.partial(openjpeg.utils.decode, j2k_format=0)
        decode = imagecodecs.jpegsof3_decode if family == "jpeg" else decode
        frames = generate_frames(dataset.PixelData, number_of_frames=case.frames)
        raw = np.array([decode(frame) for frame in frames])
    else:
        raw = pixel_array(dataset, raw=True, decoding_plugin=plugin)
    stored, shift = raw.astype(np.int64), 64 - case.bits
    if case.signed and raw.dtype.kind == "u":
        stored = stored << shift >> shift
    return stored.reshape(case.frames, *case.shape)


@pytest.mark.parametrize("syntax", FACTORS["syntax"])
def test_a_second_decoder_agrees(syntax):
    compared = 0
    for case in cases(syntax=syntax):
        other = other_decoder(case)
        if other is not None:
            compared += 1
            off = np.abs(np.array(list(iter_frames(file_of(case)))) - other).max()
            assert off <= (0 if case.exact else 1), case
    assert compared or syntax.startswith("jls")


def projected(case):
    """The volume's brightest values; padding only where every frame has it."""
    stored = np.array(list(iter_frames(file_of(case)))).astype(float)
    padded = in_padding(case, stored)
    worst = np.inf if case.falling else -np.inf
    best = np.where(padded, worst, stored)
    best = best.min(axis=0) if case.falling else best.max(axis=0)
    return np.where(padded.all(axis=0), np.nan, best)


def in_padding(case, stored):
    value, limit = case.pad
    if value is None:
        return np.zeros(stored.shape, bool)
    limit = value if limit is None else limit
    return (stored >= min(value, limit)) & (stored <= max(value, limit))


@pytest.mark.parametrize("syntax", FACTORS["syntax"])
def test_projection_is_that_of_the_whole_volume(syntax):
    for case in (case for case in cases(syntax=syntax) if case.frames > 1):
        expected, found = projected(case), read_stored(record_of(case).columns)
        seen = ~np.isnan(expected)
        np.testing.assert_array_equal(found[seen], expected[seen], err_msg=str(case))
        assert in_padding(case, found)[~seen].all()


def linear(x, c, w):
    """PS3.3 C.11.2.1.2.1, output 0 to 1."""
    ramp = (x - (c - 0.5)) / (w - 1) + 0.5
    return np.where(x <= c - 0.5 - (w - 1) / 2, 0.0, np.where(x > c - 0.5 + (w - 1) / 2, 1.0, ramp))


def linear_exact(x, c, w):
    """PS3.3 C.11.2.1.3.2."""
    return np.where(x <= c - w / 2, 0.0, np.where(x > c + w / 2, 1.0, (x - c) / w + 0.5))


def sigmoid(x, c, w):
    """PS3.3 C.11.2.1.3.1."""
    return 1 / (1 + np.exp(-4 * (x - c) / w))


def looked_up(x, case):
    """PS3.3 C.11.2.1.1: below the first mapped value the first entry, above the last the last."""
    first, bits, entries = case.lut
    return np.interp(x, first + np.arange(len(entries)), entries) / (2**bits - 1)


def display(case, stored):
    """Display values by the standard's formulas, from what the case was made of."""
    slope, intercept = case.rescale
    x = stored.astype(float) * slope + intercept
    if case.voi == "none":
        shown = (stored - case.low) / (case.high - case.low)
    elif case.voi.startswith("lut"):
        shown = looked_up(x, case)
    elif case.voi == "exact":
        shown = linear_exact(x, *case.window)
    elif case.voi in ("sigmoid", "several", "shared_group"):
        shown = sigmoid(x, *case.window)
    else:
        shown = linear(x, *case.window)
    shown = np.clip(shown, 0, 1)  # lossy values may leave the range
    shown = 1 - shown if case.falling else shown
    return np.where(in_padding(case, stored), 0.0, shown)


@pytest.mark.parametrize("voi", FACTORS["voi"])
def test_display_values_follow_the_standard(voi):
    for case in cases(voi=voi):
        columns = record_of(case).columns
        expected = display(case, read_stored(columns))
        np.testing.assert_allclose(
            read_display(columns), expected, rtol=0, atol=2e-6, err_msg=str(case)
        )


@pytest.mark.parametrize("vendor", FACTORS["vendor"])
def test_kind_side_and_view_of_each_vendor_s_header(vendor):
    for case in cases(vendor=vendor):
        columns = record_of(case).columns
        names = ("image_kind", "laterality", "view", "view_modifiers")
        assert tuple(columns[name] for name in names) == case.meaning
        assert columns["kind_evidence"]
        assert columns["number_of_frames"] == case.frames
        assert ("mip" in columns["qc_flags"]) == (case.frames > 1)
        assert "syntax_mislabelled" not in columns["qc_flags"]


@pytest.mark.parametrize("vendor", [v for v in FACTORS["vendor"] if v.endswith("bto")])
def test_volumes_are_refused_unless_asked_for(vendor):
    for case in cases(vendor=vendor)[:5]:
        with pytest.raises(Rejected, match="more than one frame"):
            read_record(file_of(case))
