import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from mgray.dicom.limits import Limits
from mgray.dicom.pixels import read_display, read_stored
from mgray.errors import ConfigError, NotFoundError
from mgray.sources.ddsm import IMAGE, DdsmSource
from mgray.sources.ddsm_density import digitiser_of
from mgray.sources.ddsm_overlay import read_overlay, trace
from tests.sources.kit import breast, marked
from tests.sources.mini_ddsm import Ddsm, chain, decoder, overlay

BOX = (8, 40, 18, 52)


@pytest.fixture
def ddsm(tmp_path):
    return Ddsm(tmp_path / "ddsm")


@pytest.fixture
def labels(ddsm):
    return lambda: {row.path: row.labels for row in DdsmSource().catalog(ddsm.write()).rows}


@pytest.fixture
def rows(ddsm, ingest_source, tmp_path):
    return lambda: ingest_source("ddsm", ddsm.write(), tmp_path / "table")


def test_chain_code_becomes_box_and_outline(ddsm, rows):
    path = ddsm.image(ddsm.case(), "LEFT_CC", overlay({"chain": chain(*BOX)}), boxes=[BOX])
    row = rows().rows[path]
    (one,) = row["annotations"]
    assert one["coords"] == marked(row) == list(BOX)
    assert one["outline"][:4] == [8.5, 40.5, 9.5, 40.5]
    assert (one["birads"], one["pathology"]) == (5, "malignant")
    assert one["categories"] == ["mass", "irregular", "spiculated"]


@pytest.mark.parametrize(
    ("code", "step"),
    [(0, (0, -1)), (1, (1, -1)), (2, (1, 0)), (3, (1, 1)), (4, (0, 1)), (5, (-1, 1)), (6, (-1, 0)),
     (7, (-1, -1))],
)  # fmt: skip
def test_every_direction_of_the_chain(code, step):
    assert trace(["10", "20", str(code), "#"])[1] == (10 + step[0], 20 + step[1])


def test_chain_without_an_end_is_refused():
    with pytest.raises(ValueError, match="without an end"):
        trace(["1", "2", "3"])


@pytest.mark.parametrize("code", ["-1", "8", "12", "\u00b2"])
def test_direction_is_one_digit(code):
    with pytest.raises(ValueError, match="one digit from 0 to 7"):
        trace(["10", "20", code, "#"])


@pytest.mark.parametrize("total", ["TOTAL_ABNORMALITIES 2", "TOTAL_ABNORMALITIES", ""])
def test_overlay_that_is_cut_between_abnormalities_is_unreadable(total):
    text = overlay({"chain": chain(*BOX)})
    assert len(read_overlay(text)) == 1
    with pytest.raises(ValueError, match="not as many abnormalities"):
        read_overlay(text.replace("TOTAL_ABNORMALITIES 1", total))


def test_several_lesion_types_and_not_applicable_words():
    lesions = [
        "LESION_TYPE CALCIFICATION TYPE PLEOMORPHIC-PUNCTATE DISTRIBUTION N/A",
        "LESION_TYPE MASS SHAPE OVAL MARGINS ILL_DEFINED",
    ]
    (one,) = read_overlay(overlay({"chain": chain(*BOX), "lesions": lesions}))
    assert one.categories == [
        "calcification",
        "pleomorphic",
        "punctate",
        "mass",
        "oval",
        "ill_defined",
    ]


def test_numbers_are_big_endian_and_sized_by_the_ics(ddsm, rows):
    path = ddsm.image(ddsm.case())
    row = rows().rows[path]
    assert (row["rows"], row["columns"], row["bits_stored"]) == (96, 64, 12)
    assert row["imager_pixel_spacing_mm"] == [0.05, 0.05]
    assert (row["laterality"], row["view"], row["image_kind"]) == ("L", "CC", "film")


def test_image_that_is_not_decoded_is_refused(ddsm, rows):
    case = ddsm.case()
    good, bad = ddsm.image(case), ddsm.image(case, "RIGHT_CC", end=".LJPEG")
    made = rows()
    assert ([*made.rows], made.refused) == ([good], {bad: "unsupported_syntax"})
    assert made.warnings()["not_decoded"] == 1


def test_image_is_decoded_by_the_program_that_is_named(ddsm, rows, ingest_source, tmp_path):
    """To the pixel as if it had been decoded before, under the same id."""
    text, case = overlay({"chain": chain(*BOX)}), ddsm.case()
    path = ddsm.image(case, "LEFT_CC", text, boxes=[BOX], end=".LJPEG")
    program = decoder(tmp_path / "jpeg")
    made = ingest_source("ddsm", ddsm.write(), tmp_path / "one", ljpeg_decoder=program)
    row = made.rows[path]
    assert (made.refused, "not_decoded" in made.warnings()) == ({}, False)
    assert [one["coords"] for one in row["annotations"]] == [marked(row)] == [list(BOX)]
    (ddsm.root / path).unlink()
    before = ddsm.image(case, "LEFT_CC", text, boxes=[BOX])
    ddsm.cases[case][1].pop()
    again = rows().rows[before]
    assert np.array_equal(read_stored(row), read_stored(again))
    assert row["image_id"] == again["image_id"]


def test_archive_is_left_as_it_was(ddsm, ingest_source, tmp_path):
    ddsm.image(ddsm.case(), end=".LJPEG")
    before = {path: path.stat().st_mtime_ns for path in ddsm.write().rglob("*")}
    program = decoder(tmp_path / "jpeg")
    ingest_source("ddsm", ddsm.root, tmp_path / "table", ljpeg_decoder=program)
    assert {path: path.stat().st_mtime_ns for path in ddsm.root.rglob("*")} == before


@pytest.mark.parametrize(
    ("does", "reason"),
    [
        ("", "corrupt_pixels"),
        ("raise SystemExit(3)", "corrupt_pixels"),
        ("open(sys.argv[3] + '.1', 'wb').write(bytes(100))", "header_mismatch"),
        ("open(sys.argv[3] + '.1', 'wb').write(bytes(10**8))", "header_mismatch"),
        ("import time; time.sleep(60)", "timeout"),
    ],
)
def test_what_a_decoder_does_wrong_is_a_refusal(ddsm, ingest_source, tmp_path, does, reason):
    case = ddsm.case()
    good, bad = ddsm.image(case), ddsm.image(case, "RIGHT_CC", end=".LJPEG")
    told = {"ljpeg_decoder": decoder(tmp_path / "jpeg", does), "limits": Limits(wall_s=1)}
    made = ingest_source("ddsm", ddsm.write(), tmp_path / "table", **told)
    assert ([*made.rows], made.refused) == ([good], {bad: reason})


def test_decoder_that_is_none_says_how_to_get_it(ddsm, ingest_source, tmp_path):
    ddsm.image(ddsm.case(), end=".LJPEG")
    with pytest.raises(NotFoundError, match=r"no program .* that can be run: build the Stanford"):
        DdsmSource(tmp_path / "none").catalog(ddsm.write())
    made = ingest_source("ddsm", ddsm.write(), tmp_path / "table")
    told = pq.read_table(tmp_path / "table" / "quarantine.parquet").to_pylist()
    assert [one["detail"].endswith("name it with ljpeg_decoder=PATH") for one in told] == [True]
    assert made.warnings()["not_decoded"] == 1


def test_naming_a_decoder_later_reads_what_was_refused(ddsm, ingest_source, tmp_path):
    path = ddsm.image(ddsm.case(), end=".LJPEG")
    first = ingest_source("ddsm", ddsm.write(), tmp_path / "table")
    program = decoder(tmp_path / "jpeg")
    second = ingest_source("ddsm", ddsm.root, tmp_path / "table", ljpeg_decoder=program)
    assert ([*first.refused], [*second.rows], second.refused) == ([path], [path], {})


@pytest.mark.parametrize("volume", ["cancers/cancer_01", "normals/normal_01"])
def test_overlay_that_is_told_of_but_not_here_is_counted_and_no_label(ddsm, volume):
    case = ddsm.case("B-3024-1", volume)
    ddsm.image(case, "LEFT_CC", overlay({"chain": chain(*BOX)}), put=False)
    catalog = DdsmSource().catalog(ddsm.write())
    assert not {"cancer", "pathology", "label_source"} & catalog.rows[0].labels.keys()
    assert {one.code: one.count for one in catalog.notices}["overlays_not_here"] == 1


def test_what_an_overlay_says_beyond_survives(ddsm, labels):
    lesions = ["LESION_TYPE CALCIFICATION TYPE PLEOMORPHIC DISTRIBUTION N/A"]
    found = {"chain": chain(*BOX), "pathology": "UNPROVEN", "lesions": lesions}
    path = ddsm.image(ddsm.case(), "LEFT_CC", overlay(found))
    (kept,) = json.loads(labels()[path]["extra_json"])["abnormalities"]
    assert kept == {
        "number": 1, "pathology": "UNPROVEN", "subtlety": "3", "cores": ["10 10 2 2 #"],
        "lesion_types": ["CALCIFICATION TYPE PLEOMORPHIC DISTRIBUTION N/A"],
    }  # fmt: skip


def test_decoded_file_of_another_size_is_refused(ddsm, rows):
    case = ddsm.case()
    good, bad = ddsm.image(case), ddsm.image(case, "RIGHT_CC")
    (ddsm.root / bad).write_bytes(b"\0" * 100)
    made = rows()
    assert ([*made.rows], made.refused) == ([good], {bad: "header_mismatch"})


@pytest.mark.parametrize(("case", "words"), [("A-1000-1", "HP 7"), ("A-1", ""), ("E-1", "HOWTEK")])
def test_digitiser_that_nothing_tells_is_not_guessed(case, words):
    assert digitiser_of(case, words) is None


def test_images_of_an_unknown_digitiser_are_counted_and_stay_raw(ddsm):
    ddsm.image(ddsm.case("A-1000-1", digitizer="HP 7"), "LEFT_CC")
    catalog = DdsmSource().catalog(ddsm.write())
    assert {one.code: one.count for one in catalog.notices}["digitiser_unknown"] == 1
    assert "rescale" not in catalog.rows[0].labels["raster"]


@pytest.mark.parametrize(
    ("case", "digitizer", "density"),
    [
        ("A-1000-1", "DBA 21", lambda grey: (np.log10(grey + 1) - 4.80662) / -1.07553),
        ("A-1000-1", "HOWTEK 43", lambda grey: 3.789 - 0.00094568 * grey),
        ("B-1000-1", "LUMISYS LASER", lambda grey: (grey - 4096.99) / -1009.01),
        ("C-1000-1", "LUMISYS LASER", lambda grey: (grey - 4096.99) / -1009.01),
        ("D-1000-1", "HOWTEK 43", lambda grey: 3.96604 - 0.00099055807612 * grey),
    ],
)
def test_rescaled_values_are_the_optical_density_of_each_digitiser(
    ddsm, rows, case, digitizer, density
):
    path = ddsm.image(ddsm.case(case, digitizer=digitizer))
    row = rows().rows[path]
    found = row["rescale_slope"] * read_stored(row) + row["rescale_intercept"]
    grey = breast("right").astype(float)
    wanted = np.clip(density(grey), 0.05, 3.0) if digitizer == "DBA 21" else density(grey)
    np.testing.assert_allclose(found, wanted, atol=1e-4)
    shown = read_display(row)
    assert shown[48, 5] > shown[48, 60]
    assert row["pixels_face"] == "right"


def test_linear_density_is_rescale_and_the_breast_is_bright(ddsm, rows):
    path = ddsm.image(ddsm.case("D-4000-1"))
    row = rows().rows[path]
    assert (row["rescale_slope"], row["rescale_intercept"]) == pytest.approx(
        (-0.00099055807612, 3.96604), rel=1e-9
    )
    shown = read_display(row)
    assert shown[48, 5] > shown[48, 60]
    assert row["pixels_face"] == "right"


def test_healthy_breast_of_a_cancer_patient_has_no_label(ddsm, labels):
    case = ddsm.case()
    sick = ddsm.image(case, "LEFT_CC", overlay({"chain": chain(*BOX)}))
    healthy = ddsm.image(case, "RIGHT_CC")
    told = labels()
    assert (told[sick]["cancer"], told[sick]["label_source"]) == (1, "pathology")
    assert not {"cancer", "pathology", "label_source"} & told[healthy].keys()


def test_normal_case_rests_on_followup(ddsm, labels):
    path = ddsm.image(ddsm.case("B-0001-1", "normals/normal_01"))
    told = labels()[path]
    assert (told["cancer"], told["label_source"]) == (0, "followup")
    assert "pathology" not in told


def test_benign_without_callback_is_benign_without_proof(ddsm, labels):
    found = {"chain": chain(*BOX), "pathology": "BENIGN_WITHOUT_CALLBACK", "assessment": 2}
    volume = "benign_without_callbacks/bwc_01"
    path = ddsm.image(ddsm.case("B-0002-1", volume), "LEFT_CC", overlay(found))
    told = labels()[path]
    assert (told["pathology"], told["cancer"], told["birads"]) == ("benign", 0, 2)
    assert (told["label_source"], told["qc_flags"]) == ("registry", ["no_biopsy"])


def test_image_has_the_worst_of_its_abnormalities(ddsm, labels):
    found = [{"chain": chain(*BOX), "pathology": word} for word in ("BENIGN", "MALIGNANT")]
    path = ddsm.image(ddsm.case(), "LEFT_CC", overlay(*found))
    told = labels()[path]
    assert (told["pathology"], len(told["annotations"])) == ("malignant", 2)


def test_unproven_pathology_is_none(ddsm, labels):
    found = {"chain": chain(*BOX), "pathology": "UNPROVEN"}
    path = ddsm.image(ddsm.case(), "LEFT_CC", overlay(found))
    assert not {"cancer", "pathology"} & labels()[path].keys()


@pytest.mark.parametrize("volume", ["cancers/cancer_01", "normals/normal_01"])
def test_damaged_overlay_is_counted_and_says_nothing(ddsm, volume):
    case = ddsm.case("B-3024-1", volume)
    ddsm.image(case, "LEFT_CC", "TOTAL_ABNORMALITIES 1\nABNORMALITY 1\nASSESSMENT 5\n")
    catalog = DdsmSource().catalog(ddsm.write())
    assert "cancer" not in catalog.rows[0].labels
    assert {one.code: one.count for one in catalog.notices}["overlays_unreadable"] == 1


def test_facts_of_the_case_are_labels_or_survive(ddsm, labels):
    path = ddsm.image(ddsm.case())
    told = labels()[path]
    assert (told["density"], told["age"], told["patient_id"]) == ("d", 42, "B-3024-1")
    assert json.loads(told["extra_json"])["DIGITIZER"] == "LUMISYS LASER"


def test_partial_download_is_said(ddsm):
    case = ddsm.case()
    ddsm.image(case)
    ddsm.image(case, "RIGHT_CC", end="")
    source = DdsmSource()
    notices = {one.code: one.count for one in source.catalog(ddsm.write()).notices}
    assert notices["images_not_here"] == 1
    counts = {one.what: (one.expected, one.found) for one in source.verify(ddsm.root)}
    assert counts["decoded images"] == (None, 1)


def test_damaged_ics_is_counted_and_its_images_are_left_out(ddsm):
    kept, cut = (ddsm.image(ddsm.case(name)) for name in ("B-3024-1", "B-3025-1"))
    for text in ("ics_version 1.0\nfilena", "filename \n", " " * (16 * 2**20 + 1)):
        (ddsm.write() / cut).parent.joinpath("B-3025-1.ics").write_text(text)
        catalog = DdsmSource().catalog(ddsm.root)
        assert [row.path for row in catalog.rows] == [kept]
        told = {one.code: one.count for one in catalog.notices}
        assert (told["ics_unreadable"], told["files_not_named"]) == (1, 1)


def test_images_that_no_ics_names_are_counted_once(ddsm):
    case = ddsm.case()
    ddsm.image(case)
    other = ddsm.image(case, "RIGHT_CC")
    ddsm.cases[case][1].pop()
    (ddsm.root / other).with_suffix("").write_bytes(b"")
    catalog = DdsmSource().catalog(ddsm.write())
    assert {one.code: one.count for one in catalog.notices}["files_not_named"] == 1
    (ddsm.root / other).unlink()
    (ddsm.root / other).with_suffix("").unlink()
    catalog = DdsmSource().catalog(ddsm.root)
    assert {one.code: one.count for one in catalog.notices}["files_not_named"] == 0


def test_wrong_folder_and_other_ics_are_one_line(ddsm):
    ddsm.root.mkdir()
    with pytest.raises(
        NotFoundError, match=r"looked for \*\.ics below .* found nothing: expected "
    ):
        DdsmSource().catalog(ddsm.root)
    (ddsm.root / "a.ics").write_text("dear diary")
    with pytest.raises(ConfigError, match=r"no \.ics file names a case"):
        DdsmSource().catalog(ddsm.root)


@pytest.mark.parametrize(("words", "number"), [("43.5 MICRONS", 43.5), ("50", 50), ("1.2.3", 1.2)])
def test_resolution_is_a_number_whatever_follows(words, number):
    line = f"LEFT_CC LINES 4 PIXELS_PER_LINE 3 BITS_PER_PIXEL 12 RESOLUTION {words}"
    assert float(IMAGE.match(line)[6]) == number


def test_image_that_a_copied_ics_or_a_doubled_line_names_is_one(ddsm, ingest_source, tmp_path):
    case = ddsm.case()
    path = ddsm.image(case, "LEFT_CC", overlay({"chain": chain(*BOX)}), boxes=[BOX])
    ddsm.cases[case][1].append(ddsm.cases[case][1][-1])
    (ics,) = ddsm.write().rglob("*.ics")
    ics.with_name("B-3024-1 (1).ics").write_bytes(ics.read_bytes())
    made = ingest_source("ddsm", ddsm.root, tmp_path / "table")
    assert ([*made.rows], made.manifest.rows) == ([path], 1)
    assert made.warnings()["images_doubled"] == 3


@pytest.mark.parametrize("archive", ["", "normals", "normals/normal_01"])
def test_normals_are_told_by_the_archives_own_folder_too(ddsm, archive):
    ddsm.image(ddsm.case("B-0001-1", "normals/normal_01"))
    (row,) = DdsmSource().catalog(ddsm.write() / archive).rows
    assert (row.labels["cancer"], row.labels["label_source"]) == (0, "followup")


@pytest.mark.parametrize(
    ("root", "volume"),
    [("normals", "cancers/cancer_01"), ("not_normal", "volume"), ("normal_cancer", "volume")],
)
def test_folder_that_may_hold_others_makes_no_case_normal(tmp_path, root, volume):
    ddsm = Ddsm(tmp_path / root)
    ddsm.image(ddsm.case("B-0001-1", volume))
    (row,) = DdsmSource().catalog(ddsm.write()).rows
    assert "cancer" not in row.labels
