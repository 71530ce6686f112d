import json

import h5py
import numpy as np
import pytest

from mgray.dicom.pixels import read_display, read_stored
from mgray.errors import ConfigError, NotFoundError
from mgray.sources.t_synth import TSynthSource
from tests.sources.kit import MARK
from tests.sources.mini_tsynth import TSynth, simulated

BOX = (8, 40, 18, 52)


@pytest.fixture
def synth(tmp_path):
    return TSynth(tmp_path / "synth")


@pytest.fixture
def rows(synth, ingest_source, tmp_path):
    return lambda: ingest_source("t_synth", synth.root, tmp_path / "table")


def values(row):
    """The simulated numbers, by the row's rescale."""
    return read_stored(row) * row["rescale_slope"] + row["rescale_intercept"]


def test_mask_becomes_a_box_where_the_lesion_is(synth, rows):
    path = synth.image(1, box=BOX)
    row = rows().rows[path]
    ys, xs = np.nonzero(np.abs(values(row) - (MARK / 4000 - 0.25)) < 1e-3)
    (one,) = row["annotations"]
    assert one["coords"] == [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1] == list(BOX)
    assert (row["cancer"], row["label_source"], row["image_kind"]) == (
        1,
        "simulation",
        "synthetic_2d",
    )


def test_numbers_are_read_by_their_header(synth, rows):
    path = synth.image(2)
    row = rows().rows[path]
    assert (row["rows"], row["columns"], row["imager_pixel_spacing_mm"]) == (96, 64, [0.085, 0.09])
    assert np.allclose(values(row), simulated(), atol=1e-4)
    assert values(row).min() == pytest.approx(-0.25, abs=1e-4)


def test_phantom_without_a_lesion_is_healthy_by_simulation(synth, rows):
    path = synth.image(2)
    row = rows().rows[path]
    assert (row["cancer"], row["pathology"], row["annotations"]) == (0, "negative", [])


@pytest.mark.parametrize("kind", ["image", "mammogram"])
def test_odd_phantom_without_its_loc_is_not_healthy(synth, kind):
    path = getattr(synth, kind)(1, BOX[: 4 if kind == "image" else 2])
    (synth.root / path).with_suffix(".loc").unlink()
    catalog = TSynthSource().catalog(synth.root)
    assert not {"cancer", "pathology", "label_source"} & catalog.rows[0].labels.keys()
    assert {one.code: one.count for one in catalog.notices}["loc_not_here"] == 1


def test_even_phantom_with_a_loc_is_a_lesion_and_counted(synth):
    synth.image(2, box=BOX)
    catalog = TSynthSource().catalog(synth.root)
    assert catalog.rows[0].labels["cancer"] == 1
    assert {one.code: one.count for one in catalog.notices}["loc_of_even"] == 1


@pytest.mark.parametrize("order", ["ElementByteOrderMSB", "BinaryDataByteOrderMSB"])
def test_order_of_bytes_goes_by_either_name(synth, order):
    path = synth.image(2)
    head = (synth.root / path).with_suffix(".mhd")
    head.write_text(head.read_text().replace(f"{order} = False", f"{order} = True"))
    assert TSynthSource().catalog(synth.root).rows[0].labels["raster"]["dtype"] == ">f4"


@pytest.mark.parametrize(
    ("old", "new"), [("0.085 0.09", "a b"), ("96 64", "\u00b2 64"), ("96 64", "9999999 64")]
)
def test_numbers_of_a_header_that_are_none_are_one_line(synth, old, new):
    path = synth.image(2)
    head = (synth.root / path).with_suffix(".mhd")
    head.write_text(head.read_text().replace(old, new), encoding="latin-1")
    with pytest.raises(ConfigError, match=r"a header \(\.mhd\)"):
        TSynthSource().catalog(synth.root)


def test_digital_mammogram_and_its_phantom_are_not_paired(synth, rows):
    paths = [synth.image(4), synth.mammogram(4)]
    made = rows()
    one, other = (made.rows[path] for path in paths)
    assert (one["image_kind"], other["image_kind"]) == ("synthetic_2d", "ffdm_raw")
    assert one["patient_id"] == other["patient_id"]
    assert one["exam_id"] != other["exam_id"]
    assert made.manifest.pairs == 0


@pytest.mark.parametrize(
    ("word", "density"), [("fatty", "a"), ("scattered", "b"), ("hetero", "c"), ("dense", "d")]
)
def test_density_is_in_the_path(synth, word, density):
    synth.image(2, density=word)
    (row,) = TSynthSource().catalog(synth.root).rows
    assert row.labels["density"] == density
    assert word in json.loads(row.labels["extra_json"])["folders"]


def test_header_of_the_image_alone_is_read_too(synth, rows):
    """Two sizes and its own type, as one would write it."""
    path = synth.image(2)
    head = (synth.root / path).with_suffix(".mhd")
    head.write_text(head.read_text().replace("96 64 5", "96 64").replace("DOUBLE", "FLOAT"))
    assert np.allclose(values(rows().rows[path]), simulated(), atol=1e-4)


def test_digital_mammogram_is_the_first_plane_turned_upright(synth, rows):
    path = synth.mammogram(2)
    row = rows().rows[path]
    assert (row["rows"], row["columns"], row["image_kind"]) == (96, 64, "ffdm_raw")
    assert np.allclose(values(row), simulated(), atol=1e-4)
    assert (row["pixels_face"], row["imager_pixel_spacing_mm"]) == ("right", [0.085, 0.09])


@pytest.mark.parametrize("point", [(10, 40), (0, 50), (20, 30)])
def test_loc_is_the_pixel_of_the_lesion_in_the_upright_image(synth, rows, point):
    path = synth.mammogram(1, point)
    row = rows().rows[path]
    (one,) = row["annotations"]
    ys, xs = np.nonzero(np.abs(values(row) - (MARK / 4000 - 0.25)) < 1e-3)
    x, y = point
    assert (xs.tolist(), ys.tolist()) == ([x], [y])
    assert (one["shape"], one["coords"]) == ("point", [x, y, x + 1, y + 1])
    assert (row["cancer"], one["pathology"]) == (1, "malignant")


def test_loc_of_other_words_is_no_point_and_counted(synth):
    synth.mammogram(1, (10, 40), loc="somewhere\n")
    catalog = TSynthSource().catalog(synth.root)
    assert (catalog.rows[0].labels["cancer"], catalog.rows[0].labels["annotations"]) == (1, [])
    assert {one.code: one.count for one in catalog.notices}["loc_unreadable"] == 1


def test_doses_of_a_phantom_are_exams_of_one_patient(synth, rows):
    doses = ("2.22e10", "1.78e10", "1.33e10", "8.88e09", "4.44e09")
    paths = [synth.mammogram(2, dose=dose) for dose in doses]
    made = rows()
    assert (made.manifest.patients, made.manifest.exams) == (1, 5)
    kept = [json.loads(made.rows[path]["extra_json"])["dose"] for path in paths]
    assert kept == [*doses]


def test_dicom_copies_and_masks_of_mammograms_are_left_out_and_counted(synth, rows):
    path = synth.mammogram(1, (10, 40))
    (synth.root / path).with_suffix(".dcm").write_bytes(b"DICM")
    synth.mammogram(1, (10, 40), masks=True)
    made = rows()
    assert [*made.rows] == [path]
    assert (made.warnings()["dicom_left_out"], made.warnings()["masks_left_out"]) == (1, 1)


def test_polarity_stays_as_stored(synth, rows):
    """Nothing is turned: high numbers are bright, in both."""
    paths = [synth.image(2), synth.mammogram(2)]
    made = rows().rows
    shown = [read_display(made[path]) for path in paths]
    assert all(one[48, 5] > one[48, 60] for one in shown)


def test_mask_of_a_volume_is_none_of_an_image(synth, rows):
    path = synth.image(1, box=BOX)
    (mask,) = synth.root.rglob("*.h5")
    with h5py.File(mask, "r") as file:
        tissue = file["dbt"][()]
    with h5py.File(mask, "w") as file:
        file.create_dataset("dbt", data=np.stack([tissue] * 3))
    row = rows().rows[path]
    assert (row["annotations"], "mask_unreadable" in row["qc_flags"]) == ([], True)


def test_volumes_are_left_out_and_counted(synth):
    synth.image(2, slices=3)
    catalog = TSynthSource().catalog(synth.root)
    assert catalog.rows == []
    assert {one.code: one.count for one in catalog.notices}["volumes_left_out"] == 1


def test_damaged_mask_is_said(synth, rows):
    path = synth.image(1, box=BOX)
    for mask in synth.root.rglob("*.h5"):
        mask.write_bytes(mask.read_bytes()[:600])
    row = rows().rows[path]
    assert (row["annotations"], "mask_unreadable" in row["qc_flags"]) == ([], True)


def test_partial_download_is_said(synth):
    synth.image(1, box=BOX, mask=False)
    synth.image(3, box=BOX, file=False)
    source = TSynthSource()
    notices = {one.code: one.count for one in source.catalog(synth.root).notices}
    assert (notices["raw_not_here"], notices["masks_not_here"]) == (1, 1)
    counts = {one.what: (one.expected, one.found) for one in source.verify(synth.root)}
    assert counts["files of numbers"] == (2, 1)


def test_damaged_header_is_counted_and_left_out(synth):
    kept, cut = synth.image(2), synth.image(4)
    head = (synth.root / cut).with_suffix(".mhd")
    for text in ("NDims = 2\n", head.read_text().replace("0.085", "wide")):
        head.write_text(text)
        catalog = TSynthSource().catalog(synth.root)
        assert [row.path for row in catalog.rows] == [kept]
        assert {one.code: one.count for one in catalog.notices}["headers_unreadable"] == 1


def test_numbers_without_their_header_are_counted(synth):
    synth.image(2)
    (synth.root / synth.image(4)).with_suffix(".mhd").unlink()
    synth.mammogram(1, (10, 40), masks=True)
    catalog = TSynthSource().catalog(synth.root)
    assert {one.code: one.count for one in catalog.notices}["files_not_named"] == 1


def test_wrong_folder_and_odd_header_are_one_line(synth):
    with pytest.raises(
        NotFoundError, match=r"looked for reconstruction<id>\.mhd or .* found nothing"
    ):
        TSynthSource().catalog(synth.root)
    synth.image(1)
    for head in synth.root.rglob("*.mhd"):
        head.write_text("NDims = 2\n")
    with pytest.raises(ConfigError, match="lacks DimSize or an ElementType"):
        TSynthSource().catalog(synth.root)


def test_decode_child_reads_numbers_and_voxels_too(synth):
    from mgray.dicom.child import DecodeChild
    from mgray.dicom.door import read_file
    from mgray.ingest.worker import hints_of

    synth.image(1, box=BOX)
    (row,) = TSynthSource().catalog(synth.root).rows
    hints, kind = hints_of(row.labels, synth.root), row.labels["image_kind"]
    here = read_file(synth.root / row.path, hints={**hints, "kind": kind})
    with DecodeChild() as child:
        assert child.read(synth.root / row.path, kind, hints) == here
    assert here.columns["masks"] == [{"box": list(BOX), "flags": []}]
