import json

import pytest

from mgray.errors import ConfigError, NotFoundError
from mgray.sources.inbreast import InbreastSource
from tests.sources.kit import marked, put_table
from tests.sources.mini_inbreast import Inbreast, corners

BOX = (8, 40, 18, 52)


@pytest.fixture
def inbreast(tmp_path):
    return Inbreast(tmp_path / "inbreast")


@pytest.fixture
def labels(inbreast):
    return lambda: {row.path: row.labels for row in InbreastSource().catalog(inbreast.write()).rows}


@pytest.fixture
def rows(inbreast, ingest_source, tmp_path):
    return lambda: ingest_source("inbreast", inbreast.write(), tmp_path / "table")


def test_contour_becomes_a_box_and_keeps_its_outline(inbreast, rows):
    path = inbreast.image(boxes=[BOX], regions=[("Mass", corners(*BOX))])
    row = rows().rows[path]
    (one,) = row["annotations"]
    assert one["coords"] == marked(row) == list(BOX)
    assert one["outline"] == [8, 40, 18, 40, 18, 52, 8, 52]
    assert (one["shape"], one["categories"], one["pathology"]) == ("box", ["mass"], None)


@pytest.mark.parametrize("points", [[(10.0, 20.0)], [(10.0, 20.0), (10.5, 20.0)]])
def test_one_or_two_points_are_a_point(inbreast, rows, points):
    path = inbreast.image(regions=[("Calcification", points)])
    (one,) = rows().rows[path]["annotations"]
    assert (one["shape"], one["outline"]) == ("point", None)
    assert one["coords"] == [10, 20, 11, 21]


def test_contour_beyond_the_image_is_clipped(inbreast, rows):
    path = inbreast.image(regions=[("Mass", corners(-4, 40, 18, 52))])
    made = rows()
    assert made.rows[path]["annotations"][0]["coords"] == [0, 40, 18, 52]
    assert made.warnings()["box_clipped"] == 1


def test_region_without_points_is_dropped_and_counted(inbreast):
    inbreast.image(regions=[("Mass", [])])
    catalog = InbreastSource().catalog(inbreast.write())
    assert "annotations" not in catalog.rows[0].labels
    assert {one.code: one.count for one in catalog.notices}["rois_without_points"] == 1


def test_point_of_other_than_two_numbers_is_dropped_and_counted(inbreast):
    name = inbreast.image(regions=[("Mass", corners(8, 40, 18, 52))])
    (file,) = (inbreast.root / "AllXML").iterdir()
    file.write_text(file.read_text().replace("(8, 40)", "(8,5, 40,5)"))
    catalog = InbreastSource().catalog(inbreast.write())
    assert {row.path: row.labels.get("annotations") for row in catalog.rows} == {name: None}
    assert {one.code: one.count for one in catalog.notices}["rois_without_points"] == 1


def test_incomplete_assessment_is_no_proxy(inbreast, labels):
    path = inbreast.image(**{"Bi-Rads": 0.0})
    told = labels()[path]
    assert told["birads"] == 0
    assert not {"cancer", "label_source"} & told.keys()


def test_names_of_regions_are_translated_or_kept(inbreast, labels):
    names = ["Mass", "Cluster", "Calcifications", "Spiculated Region "]
    path = inbreast.image(regions=[(name, corners(*BOX)) for name in names])
    found = [one["categories"][0] for one in labels()[path]["annotations"]]
    assert found == ["mass", "calcification_cluster", "calcification", "spiculated_region"]


@pytest.mark.parametrize("listed", [True, False])
@pytest.mark.parametrize("folder", ["PectoralMuscle", "Pectoral Muscle/22678622", "AllXML/muscles"])
def test_pectoral_muscle_in_its_own_file_is_no_finding(inbreast, labels, folder, listed):
    path = inbreast.image(regions=[("Mass", corners(*BOX))])
    inbreast.muscle(22678622, folder, listed)
    assert [one["coords"] for one in labels()[path]["annotations"]] == [list(BOX)]


@pytest.mark.parametrize("listed", [True, False])
def test_pectoral_muscle_among_the_findings_is_left_out_and_counted(inbreast, listed):
    inbreast.image()
    inbreast.muscle(22678622, "AllXML", listed)
    catalog = InbreastSource().catalog(inbreast.write())
    assert "annotations" not in catalog.rows[0].labels
    notices = {one.code: one.count for one in catalog.notices}
    assert (notices["muscles_left_out"], notices["xml_unreadable"]) == (1, 0)


def test_points_and_measures_of_regions_survive(inbreast, labels):
    points = [(10.5, 20.0), (11.0, 20.0)]
    path = inbreast.image(regions=[("Mass", corners(*BOX)), ("Calcification", points)])
    contour, point = json.loads(labels()[path]["extra_json"])["regions"]
    assert (contour["Area"], contour["IndexInImage"], "Point_px" in contour) == (0.25, 0, False)
    assert point["Point_px"] == ["(10.5, 20.0)", "(11.0, 20.0)"]


def test_file_of_another_ones_name_is_left_out_and_counted(inbreast):
    path = inbreast.image()
    again = inbreast.root / "Copy" / path.rpartition("/")[2]
    again.parent.mkdir()
    again.write_bytes((inbreast.root / path).read_bytes())
    catalog = InbreastSource().catalog(inbreast.write())
    assert [row.path for row in catalog.rows] == [path]
    assert {one.code: one.count for one in catalog.notices}["files_doubled"] == 1


def test_file_that_the_table_lacks_keeps_its_patient(inbreast, rows):
    """Else a woman might be in two splits."""
    listed, other = (inbreast.image(side, patient="aa11") for side in "LR")
    inbreast.lines.pop()
    made = rows()
    assert made.rows[listed]["patient_id"] == made.rows[other]["patient_id"]
    assert made.warnings()["images_without_labels"] == 1
    assert made.rows[other]["pair_role"] == "none"


def test_damaged_contours_are_counted(inbreast):
    inbreast.image(regions=[("Mass", corners(*BOX))])
    (inbreast.root / "AllXML" / "22678622.xml").write_text("<plist><dict>")
    catalog = InbreastSource().catalog(inbreast.write())
    assert {one.code: one.count for one in catalog.notices}["xml_unreadable"] == 1


def test_floats_are_ids(inbreast, labels):
    path = inbreast.image()
    told = labels()
    assert [*told] == [path]
    assert told[path]["exam_id"] == "6c613a14b80a8591 200801"


def test_blank_and_totals_rows_are_left_out(inbreast):
    inbreast.image()
    counts = {one.what: one.found for one in InbreastSource().verify(inbreast.write())}
    assert counts["images in the table"] == 1


def test_csv_with_semicolons_says_the_same(inbreast, labels):
    path = inbreast.image(**{"Bi-Rads": "4a"})
    from_xls = labels()[path]
    (inbreast.root / "INbreast.xls").unlink()
    inbreast.write("csv")
    (row,) = InbreastSource().catalog(inbreast.root).rows
    same = ("birads", "cancer", "view", "laterality", "patient_id", "exam_id", "density")
    assert {name: row.labels[name] for name in same} == {name: from_xls[name] for name in same}
    assert json.loads(from_xls["extra_json"])["Findings Notes (in Portuguese)"] == "nódulo"
    assert json.loads(row.labels["extra_json"])["Patient age"] == "removed"


def test_ml_in_the_name_means_mlo(inbreast, rows):
    path = inbreast.image(view="MLO")
    assert "_ML_" in path
    assert rows().rows[path]["view"] == "MLO"


def test_patient_is_the_hash_in_the_name(inbreast, rows):
    one, other = inbreast.image(patient="aa11"), inbreast.image("R", patient="aa11")
    third = inbreast.image(patient="bb22")
    made = rows()
    told = [made.rows[path]["patient_id"] for path in (one, other, third)]
    assert told == [made.ids.patient(name) for name in ("aa11", "aa11", "bb22")]
    assert made.manifest.patients == 2


@pytest.mark.parametrize(
    ("cell", "birads", "cancer"),
    [("4a", 4, 1), ("4c", 4, 1), (3.0, 3, 0), (6.0, 6, 1), ("5", 5, 1)],
)
def test_cancer_is_a_proxy_and_says_so(inbreast, labels, cell, birads, cancer):
    path = inbreast.image(**{"Bi-Rads": cell})
    told = labels()[path]
    assert (told["birads"], told["cancer"], told["label_source"]) == (
        birads,
        cancer,
        "birads_proxy",
    )
    assert "pathology" not in told
    assert json.loads(told["extra_json"])["Bi-Rads"] == str(cell).removesuffix(".0")


def test_odd_birads_is_an_error(inbreast, labels):
    inbreast.image(**{"Bi-Rads": "high"})
    with pytest.raises(ConfigError, match="Bi-Rads must be 0 to 6, with a, b or c"):
        labels()


@pytest.mark.parametrize(("cell", "density"), [(4.0, "d"), ("   ", None)])
def test_density_may_be_blanks(inbreast, labels, cell, density):
    path = inbreast.image(ACR=cell)
    assert labels()[path].get("density") == density


def test_mark_cells_of_one_blank_say_nothing(inbreast, labels):
    plain, marked_ = inbreast.image(), inbreast.image(**{"Mass ": "X"})
    told = {path: json.loads(one["extra_json"]) for path, one in labels().items()}
    assert "Mass" not in told[plain]
    assert told[marked_]["Mass"] == "X"


def test_partial_download_and_unlisted_files_are_said(inbreast):
    inbreast.image(file=False)
    inbreast.image()
    other = inbreast.root / "AllDICOMs" / "1_ab_MG_L_CC_ANON.dcm"
    other.touch()
    notices = {one.code: one.count for one in InbreastSource().catalog(inbreast.write()).notices}
    assert (notices["files_not_here"], notices["files_not_named"]) == (1, 1)


def test_wrong_folder_and_other_columns_are_one_line(inbreast):
    inbreast.root.mkdir()
    with pytest.raises(NotFoundError, match=r"looked for INbreast\.xls or .* found nothing"):
        InbreastSource().catalog(inbreast.root)
    put_table(inbreast.root / "INbreast.csv", [{"File Name": 1}])
    with pytest.raises(ConfigError, match=r"INbreast\.csv lacks the columns 'Laterality', "):
        InbreastSource().catalog(inbreast.root)


def test_what_macos_puts_beside_an_image_is_no_image(inbreast, rows):
    path = inbreast.image(regions=[("Mass", corners(*BOX))])
    for file in [inbreast.root / path, *(inbreast.root / "AllXML").iterdir()]:
        file.with_name(f"._{file.name}").write_bytes(b"\0\5\x16\7" + bytes(4000))
    made = rows()
    assert ([*made.rows], made.refused) == ([path], {})
    assert len(made.rows[path]["annotations"]) == 1
    assert "files_doubled" not in made.warnings()


def test_rounded_file_name_is_refused_not_taken_for_a_total(inbreast, labels):
    inbreast.image(**{"File Name": "2.26786E+07"})
    with pytest.raises(ConfigError, match="File Name must be digits, not rounded by a spreadsheet"):
        labels()
    with pytest.raises(ConfigError, match="File Name must be digits"):
        InbreastSource().verify(inbreast.root)
