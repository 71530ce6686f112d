import io
import struct
import tracemalloc

import imagecodecs
import numpy as np
import pytest
from pydicom import dcmread, dcmwrite

from mgray.dicom.child import DecodeChild
from mgray.dicom.example import SYNTAX, encode, example_file
from mgray.dicom.frames import project
from mgray.dicom.limits import Limits
from mgray.dicom.pixels import read_stored
from mgray.dicom.record import iter_frames, read_record
from mgray.dicom.source import WHOLE_BYTES
from mgray.errors import Rejected
from tests.dicom.corpus import encapsulate

VOLUME = np.random.default_rng(0).integers(0, 4096, (5, 33, 35))
COMPRESSED = sorted(SYNTAX.keys() - {"implicit", "explicit", "deflated", "big", "jpeg"})
GREY = {
    "photometric_interpretation": "MONOCHROME2",
    "presentation_lut_shape": None,
    "rescale_slope": None,
    "pixel_padding_value": None,
    "pixel_padding_range_limit": None,
}
ITEM = struct.Struct("<HHI")


def write(dataset, **attributes):
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    file = io.BytesIO()
    dcmwrite(file, dataset)
    return file.getvalue()


def volume(value, syntax, shape=(5, 33, 35), **attributes):
    """A tomosynthesis object around a ready value of Pixel Data."""
    dataset = dcmread(io.BytesIO(example_file(np.zeros((33, 35), int), syntax)))
    dataset.Rows, dataset.Columns = shape[1:]
    more = {"NumberOfFrames": shape[0], "PixelData": value, **attributes}
    return write(dataset, SOPClassUID="1.2.840.10008.5.1.4.1.1.13.1.3", **more)


def fragments(parts, table=()):
    """Items of any parts after any offset table."""
    offsets = struct.pack(f"<{len(table)}I", *table)
    items = [ITEM.pack(0xFFFE, 0xE000, len(part)) + part for part in (offsets, *parts)]
    return b"".join(items)


def halves(frames):
    """Each frame cut into two even parts."""
    for frame in frames:
        padded = frame + b"\0" * (len(frame) % 2)
        yield padded[:100]
        yield padded[100:]


def frames_of(data):
    return np.array(list(iter_frames(data)))


def reason(data, **more):
    with pytest.raises(Rejected) as caught:
        list(iter_frames(data, **more))
    return caught.value.reason


@pytest.mark.parametrize("pieces", ["one", "table", "long_table"])
@pytest.mark.parametrize("syntax", COMPRESSED)
def test_frames_of_every_compressed_syntax(syntax, pieces):
    frames = [encode(frame, syntax, 12, False) for frame in VOLUME]
    value, offsets, lengths = encapsulate(frames, pieces)
    more = {"ExtendedOffsetTable": offsets, "ExtendedOffsetTableLengths": lengths}
    data = volume(value, syntax, **(more if pieces == "long_table" else {}))
    np.testing.assert_array_equal(frames_of(data), VOLUME)


@pytest.mark.parametrize("bits", [8, 12])
@pytest.mark.parametrize("syntax", ["implicit", "explicit", "deflated", "big"])
def test_frames_without_compression(syntax, bits):
    stored = VOLUME >> 12 - bits
    raw = stored.astype("u1" if bits == 8 else ">u2" if syntax == "big" else "<u2").tobytes()
    raw += b"\0" * (len(raw) % 2)
    if syntax == "big" and bits == 8:
        raw = np.frombuffer(raw, "<u2").byteswap().tobytes()
    bit_columns = {"BitsAllocated": 8 if bits == 8 else 16, "BitsStored": bits, "HighBit": bits - 1}
    np.testing.assert_array_equal(frames_of(volume(raw, syntax, **bit_columns)), stored)


def test_single_bytes_of_big_endian_are_not_swapped():
    image = VOLUME[0, :, :34] >> 4
    dataset = dcmread(io.BytesIO(example_file(image, "big", 8)))
    dataset.add_new("PixelData", "OB", image.astype("u1").tobytes())
    np.testing.assert_array_equal(frames_of(write(dataset))[0], image)


@pytest.mark.parametrize("syntax", ["j2k", "htj2k", "jpeg_ls", "jpeg_lossless"])
@pytest.mark.parametrize("table", ["right", "missing", "wrong"])
def test_frames_of_two_fragments_each(syntax, table):
    frames = [encode(frame, syntax, 12, False) for frame in VOLUME]
    starts = np.cumsum([0] + [len(frame) + len(frame) % 2 + 16 for frame in frames])[:-1]
    said = {"right": starts, "missing": (), "wrong": starts + 2}[table]
    data = volume(fragments(halves(frames), said), syntax)
    np.testing.assert_array_equal(frames_of(data), VOLUME)


def test_extended_table_divides_fragments_that_no_marker_divides():
    frames = [encode(frame, "jpeg_ls", 12, False) for frame in VOLUME]
    starts = np.cumsum([0] + [len(frame) + len(frame) % 2 + 16 for frame in frames])[:-1]
    table = {"ExtendedOffsetTable": struct.pack("<5Q", *starts)}
    data = volume(fragments(halves(frames)), "jpeg_ls", **table)
    np.testing.assert_array_equal(frames_of(data), VOLUME)


def test_wrong_offset_table_of_whole_frames_is_not_needed():
    frames = [encode(frame, "j2k", 12, False) for frame in VOLUME]
    parts = [frame + b"\0" * (len(frame) % 2) for frame in frames]
    data = volume(fragments(parts, [7, 1, 2**32 - 1, 0, 0]), "j2k")
    np.testing.assert_array_equal(frames_of(data), VOLUME)


def test_empty_fragments_count_for_nothing():
    frames = [encode(frame, "rle", 12, False) for frame in VOLUME]
    parts = [part for frame in frames for part in (b"", frame + b"\0" * (len(frame) % 2))]
    np.testing.assert_array_equal(frames_of(volume(fragments(parts), "rle")), VOLUME)


@pytest.mark.parametrize(("frames", "why"), [(4, "header_mismatch"), (6, "header_mismatch")])
def test_another_number_of_frames_is_refused(frames, why):
    value, *_ = encapsulate([encode(frame, "j2k", 12, False) for frame in VOLUME])
    assert reason(volume(value, "j2k", NumberOfFrames=frames)) == why


def test_too_many_fragments_are_refused():
    data = volume(fragments([b"ab"] * 50_001), "rle")
    assert reason(data) == "too_large"


def test_limits_of_a_volume():
    data = volume(VOLUME.astype("<u2").tobytes(), "explicit")
    assert reason(data, limits=Limits(max_frames=4)) == "too_large"
    assert reason(data, limits=Limits(max_volume_pixels=5 * 33 * 35 - 1)) == "too_large"
    assert reason(data, limits=Limits(max_pixels=33 * 35 - 1)) == "too_large"
    limits = Limits(max_frames=5, max_pixels=33 * 35, max_volume_pixels=5 * 33 * 35)
    assert len(list(iter_frames(data, limits))) == 5


def test_codestream_in_a_file_labelled_as_uncompressed():
    image = VOLUME[0]
    dataset = dcmread(io.BytesIO(example_file(image)))
    dataset.PixelData = encapsulate([encode(image, "j2k", 12, False)])[0]
    columns = read_record(write(dataset)).columns
    np.testing.assert_array_equal(read_stored(columns), image)
    assert "syntax_mislabelled" in columns["qc_flags"]


def test_plain_pixels_in_a_file_labelled_as_compressed():
    data = example_file(VOLUME[0])
    start = data.index(b"1.2.840.10008.1.2.1\0")
    label = b"1.2.840.10008.1.2.5\0"
    columns = read_record(data[:start] + label + data[start + 20 :]).columns
    np.testing.assert_array_equal(read_stored(columns), VOLUME[0])
    assert "syntax_mislabelled" in columns["qc_flags"]


def test_codestream_in_a_file_labelled_as_rle():
    dataset = dcmread(io.BytesIO(example_file(VOLUME[0], "rle")))
    dataset.PixelData = encapsulate([encode(VOLUME[0], "jpeg_ls", 12, False)])[0]
    columns = read_record(write(dataset)).columns
    np.testing.assert_array_equal(read_stored(columns), VOLUME[0])
    assert "syntax_mislabelled" in columns["qc_flags"]


@pytest.mark.parametrize("syntax", ["explicit", "j2k"])
def test_a_large_file_is_read_on_demand(tmp_path, syntax):
    value = VOLUME.astype("<u2").tobytes()
    if syntax == "j2k":
        value, *_ = encapsulate([encode(frame, "j2k", 12, False) for frame in VOLUME])
    stuffing = {"EncapsulatedDocument": b"\0" * WHOLE_BYTES}
    (tmp_path / "a").write_bytes(volume(value, syntax, **stuffing))
    found = read_record(tmp_path / "a", volumes="mip")
    np.testing.assert_array_equal(read_stored(found.columns), VOLUME.max(axis=0))
    assert found == read_record((tmp_path / "a").read_bytes(), volumes="mip")


def test_row_of_a_projection():
    data = volume(VOLUME.astype("<u2").tobytes(), "explicit")
    columns = read_record(data, volumes="mip").columns
    np.testing.assert_array_equal(read_stored(columns), VOLUME.max(axis=0))
    assert (columns["image_kind"], columns["number_of_frames"]) == ("dbt", 5)
    assert "mip" in columns["qc_flags"]
    with DecodeChild(volumes="mip") as child:
        assert child.read(data).columns == columns


def test_frames_of_projections_that_are_no_volume_are_refused():
    data = volume(VOLUME.astype("<u2").tobytes(), "explicit").replace(
        b".1.1.13.1.3", b".1.1.13.1.4"
    )
    with pytest.raises(Rejected, match="dbt_projection"):
        read_record(data, volumes="mip")


def test_lowest_value_is_projected_where_low_is_bright():
    grey = GREY | {"photometric_interpretation": "MONOCHROME1"}
    np.testing.assert_array_equal(project(iter(VOLUME.astype(np.int32)), grey), VOLUME.min(axis=0))
    both = grey | {"rescale_slope": -1.0}
    np.testing.assert_array_equal(project(iter(VOLUME.astype(np.int32)), both), VOLUME.max(axis=0))


def test_padding_is_never_the_brightest():
    frames = np.array([[[9, 9, 3]], [[4, 9, 9]], [[5, 9, 1]]], np.int32)
    found = project(iter(frames), GREY | {"pixel_padding_value": 9})
    assert found.tolist() == [[5, 9, 3]]


def sixty_frames():
    """A volume of 60 frames of 1000 x 800, 92 MiB once decoded as 16 bit."""
    random = np.random.default_rng(0)
    base = np.add.outer(np.arange(1000), np.arange(800)).astype("<u2")
    frames = [base + random.integers(0, 8, dtype="<u2") for _ in range(60)]
    encoded = [bytes(imagecodecs.htj2k_encode(frame, reversible=True)) for frame in frames]
    return volume(encapsulate(encoded)[0], "htj2k", (60, 1000, 800)), np.max(frames, axis=0)


def test_projection_of_sixty_frames_needs_the_memory_of_eight():
    data, expected = sixty_frames()
    tracemalloc.start()
    columns = read_record(data, volumes="mip").columns
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    np.testing.assert_array_equal(read_stored(columns), expected)
    assert peak < len(data) + 8 * 4 * 1000 * 800  # frames of 32-bit stored values


def test_child_projects_sixty_frames_under_a_limit_that_the_volume_would_break():
    data, expected = sixty_frames()
    with DecodeChild(volumes="mip") as child:
        child.read(example_file(VOLUME[0]))
        before = resident(child.pid)
        found = read_stored(child.read(data).columns)
        np.testing.assert_array_equal(found, expected)
        assert resident(child.pid) - before < 64 * 2**20 < 60 * 2 * 1000 * 800


def resident(pid):
    """Peak resident bytes of a process so far."""
    from pathlib import Path

    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
