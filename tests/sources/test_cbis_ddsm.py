import json

import numpy as np
import pytest

from mgray.dicom.pixels import read_stored
from mgray.errors import ConfigError, NotFoundError
from mgray.sources.cbis_ddsm import CbisDdsmSource
from tests.sources.kit import MARK, put_table
from tests.sources.mini_cbis import Cbis

BOX = (8, 40, 18, 52)
LAYOUTS = ("nbia", "series", "jpeg")


@pytest.fixture
def cbis(tmp_path):
    return Cbis(tmp_path / "cbis")


@pytest.fixture
def catalog(cbis):
    return lambda: CbisDdsmSource().catalog(cbis.write())


@pytest.fixture
def labels(catalog):
    """Labels of the only image."""

    def read():
        ((one,),) = ([row.labels for row in catalog().rows],)
        return one

    return read


@pytest.fixture
def rows(ingest_source, tmp_path):
    return lambda cbis: ingest_source("cbis_ddsm", cbis.write(), tmp_path / "table")


def marked(row, tolerance=0):
    """Where the finding really is; a JPEG's values are near those of the film."""
    stored = read_stored(row)
    high = MARK * 16 if row["bits_stored"] == 16 else MARK // 16
    ys, xs = np.nonzero(np.abs(stored - high) <= tolerance)
    return [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]


@pytest.mark.parametrize("described", [True, False])
@pytest.mark.parametrize("one_series", [True, False])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_mask_becomes_a_box_in_every_layout(tmp_path, rows, layout, one_series, described):
    cbis = Cbis(tmp_path / "cbis", layout, described)
    cbis.abnormality(cbis.film(boxes=[BOX]), BOX, one_series=one_series, pathology="MALIGNANT")
    made = rows(cbis)
    (row,) = made.rows.values()
    (one,) = row["annotations"]
    assert one["coords"] == list(BOX)
    assert one["coords"] == marked(row, 40 if layout == "jpeg" else 0)
    assert (row["image_kind"], row["laterality"], row["view"]) == ("film", "L", "CC")
    assert (row["pathology"], row["cancer"], one["pathology"]) == ("malignant", 1, "malignant")
    nameless = (layout, one_series, described) == ("nbia", False, False)  # then any order is one
    assert nameless or "crop_mask_swapped" not in row["qc_flags"]
    assert made.refused == {}


@pytest.mark.parametrize("described", [True, False])
@pytest.mark.parametrize("one_series", [True, False])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_mask_and_cutout_under_each_others_name_are_told(
    tmp_path, rows, layout, one_series, described
):
    """By description where one names the mask alone, else by pixels, which is flagged."""
    cbis = Cbis(tmp_path / "cbis", layout, described)
    cbis.abnormality(cbis.film(boxes=[BOX]), BOX, one_series=one_series, swapped=True)
    (row,) = rows(cbis).rows.values()
    assert [one["coords"] for one in row["annotations"]] == [list(BOX)]
    told = described and (layout == "jpeg" or (layout == "nbia" and not one_series))
    nameless = (layout, one_series, described) == ("nbia", False, False)  # then any order is one
    assert nameless or ("crop_mask_swapped" in row["qc_flags"]) == (not told)


@pytest.mark.parametrize("layout", ["series", "jpeg"])
def test_cutout_alone_is_no_mask(tmp_path, rows, layout):
    """Of a partial download the mask's series may be lacking: no box is better than a wrong one."""
    cbis = Cbis(tmp_path / "cbis", layout, described=False)
    cbis.abnormality(cbis.film(boxes=[BOX]), BOX, one_series=False)
    cell = cbis.lines["mass", "train"][0]["ROI mask file path"]
    (folder,) = cbis.root.rglob(cell.split("/")[2])
    for file in folder.iterdir():
        file.unlink()
    made = rows(cbis)
    (row,) = made.rows.values()
    assert row["annotations"] == []
    assert made.warnings()["mask_unreadable"] == 1


def test_mask_of_another_aspect_is_brought_to_the_image_by_each_axis(cbis, rows):
    """As Mass-Test_P_00145: 3 times as high, one and a half times as wide."""
    cbis.abnormality(cbis.film(boxes=[BOX]), (12, 120, 27, 156), shape=(288, 96))
    (row,) = rows(cbis).rows.values()
    assert [one["coords"] for one in row["annotations"]] == [marked(row)] == [list(BOX)]
    assert "mask_resized" in row["qc_flags"]


@pytest.mark.parametrize("bits", [8, 16])
def test_masks_have_8_or_16_bits(cbis, rows, bits):
    cbis.abnormality(cbis.film(boxes=[BOX]), BOX, bits=bits)
    (row,) = rows(cbis).rows.values()
    assert [one["coords"] for one in row["annotations"]] == [marked(row)]


def test_tables_in_two_folders_are_all_read(cbis):
    cbis.abnormality(cbis.film("P_00001", kind="mass"), BOX)
    cbis.abnormality(cbis.film("P_00002", kind="calc"), BOX)
    cbis.write()
    (cbis.root / "csv").mkdir()
    name = "calc_case_description_train_set.csv"
    (cbis.root / name).rename(cbis.root / "csv" / name)
    assert len(CbisDdsmSource().catalog(cbis.root).rows) == 2
    (cbis.root / name).write_bytes((cbis.root / "csv" / name).read_bytes())
    again = CbisDdsmSource().catalog(cbis.root)
    assert [len(row.labels["annotations"]) for row in again.rows] == [1, 1]
    assert {one.code: one.count for one in again.notices}["tables_doubled"] == 1


def test_mask_of_another_size_is_brought_to_the_image(cbis, rows):
    cbis.abnormality(cbis.film(), (16, 120, 36, 156), shape=(288, 128))
    made = rows(cbis)
    (row,) = made.rows.values()
    assert [one["coords"] for one in row["annotations"]] == [list(BOX)]
    assert "mask_resized" in row["qc_flags"]


def test_path_cells_with_a_newline_are_found(cbis, labels):
    cbis.abnormality(cbis.film(), BOX)
    (line,) = cbis.lines["mass", "train"]
    line["image file path"] += "\n"
    assert labels()["annotations"][0]["mask_files"]


def test_numbers_of_tables_and_disk_differ_and_do_not_matter(cbis, labels):
    cbis.abnormality(cbis.film(), BOX)
    (line,) = cbis.lines["mass", "train"]
    line["image file path"] = line["image file path"].replace("000000", "000099")
    assert labels()["view"] == "CC"


def test_retrievers_metadata_tell_the_series_of_a_folder(cbis, rows):
    """The folders' names may be anything then."""
    case = cbis.film(boxes=[BOX])
    cbis.abnormality(case, BOX)
    root = cbis.root / "manifest-1"
    told = []
    for folder in sorted(path.parent for path in root.rglob("1-1.dcm")):
        uid = f"1.3.6.1.4.1.9590.100.1.2.2.{int(folder.name[-5:])}"
        told.append({"Series UID": uid, "File Location": f".\\files\\{uid[-1]}"})
        (root / "files").mkdir(exist_ok=True)
        folder.rename(root / "files" / uid[-1])
    put_table(root / "metadata.csv", told)
    (row,) = rows(cbis).rows.values()
    assert [one["coords"] for one in row["annotations"]] == [list(BOX)]


def test_finding_whose_mask_is_not_here_has_no_box_and_is_counted(cbis, catalog):
    cbis.abnormality(cbis.film(), None)
    made = catalog()
    assert "annotations" not in made.rows[0].labels
    assert {one.code: one.count for one in made.notices}["masks_not_here"] == 1


def test_cutouts_and_masks_are_no_mammograms(cbis, catalog):
    cbis.abnormality(cbis.film(), BOX)
    assert len(catalog().rows) == 1


def test_image_has_the_worst_of_its_findings(cbis, labels):
    case = cbis.film()
    cbis.abnormality(case, BOX, number=1, pathology="BENIGN", assessment=3)
    cbis.abnormality(case, BOX, number=2, pathology="MALIGNANT", assessment=0)
    told = labels()
    assert (told["pathology"], told["cancer"], told["birads"]) == ("malignant", 1, 0)
    assert [one["pathology"] for one in told["annotations"]] == ["benign", "malignant"]
    assert (told["label_source"], told["label_level"]) == ("pathology", "image")


def test_view_that_is_stored_twice_has_the_worst_of_both_tables(cbis, catalog):
    cbis.abnormality(cbis.film(kind="mass"), BOX, pathology="BENIGN")
    cbis.abnormality(cbis.film(kind="calc"), BOX, pathology="MALIGNANT")
    told = [row.labels for row in catalog().rows]
    assert [(one["cancer"], one["qc_flags"]) for one in told] == [(1, ["dup_view"])] * 2
    assert sorted(one["annotations"][0]["pathology"] for one in told) == ["benign", "malignant"]


def test_benign_without_callback_is_benign_without_proof(cbis, labels):
    cbis.abnormality(cbis.film(), BOX, pathology="BENIGN_WITHOUT_CALLBACK")
    told = labels()
    assert (told["pathology"], told["cancer"]) == ("benign", 0)
    assert (told["label_source"], told["qc_flags"]) == ("registry", ["no_biopsy"])


@pytest.mark.parametrize("kind", ["mass", "calc"])
@pytest.mark.parametrize(("cell", "density"), [(3, "c"), (0, None), ("", None)])
def test_density_0_is_unknown_under_both_names(cbis, labels, kind, cell, density):
    name = {"mass": "breast_density", "calc": "breast density"}[kind]
    cbis.abnormality(cbis.film(kind=kind), BOX, **{name: cell})
    assert labels().get("density") == density


def test_descriptors_are_categories(cbis, labels):
    told = {"mass shape": "IRREGULAR-ARCHITECTURAL_DISTORTION", "mass margins": "N/A"}
    cbis.abnormality(cbis.film(), BOX, **told)
    assert labels()["annotations"][0]["categories"] == [
        "mass", "irregular", "architectural_distortion",
    ]  # fmt: skip


def test_patient_in_two_official_splits_is_train_and_said(cbis, rows):
    cbis.abnormality(cbis.film("P_00001", kind="mass", split="train"), BOX)
    cbis.abnormality(cbis.film("P_00001", kind="calc", split="test"), BOX)
    cbis.abnormality(cbis.film("P_00002", kind="calc", split="test"), BOX)
    made = rows(cbis)
    told = sorted((row["split"], row["split_official"]) for row in made.rows.values())
    assert told == [("test", "test"), ("train", "test"), ("train", "train")]
    assert made.manifest.patients == 2
    assert made.warnings()["split_leak"] == 2


def test_columns_that_are_not_mapped_survive(cbis, labels):
    cbis.abnormality(cbis.film(), BOX, subtlety=2)
    (kept,) = json.loads(labels()["extra_json"])
    assert (kept["subtlety"], kept["abnormality id"]) == ("2", "1")


def test_cells_of_every_finding_survive_with_or_without_its_mask(cbis, labels):
    case = cbis.film()
    raw = {"pathology": "BENIGN_WITHOUT_CALLBACK", "assessment": 2, "breast_density": 0}
    cbis.abnormality(case, None, number=1, **raw)
    cbis.abnormality(case, BOX, number=2, pathology="MALIGNANT")
    one, other = json.loads(labels()["extra_json"])
    assert {name: one[name] for name in raw} == {name: str(cell) for name, cell in raw.items()}
    assert (one["mass shape"], other["pathology"]) == ("OVAL", "MALIGNANT")


def test_partial_download_is_said(cbis):
    cbis.abnormality(cbis.film("P_00001"), BOX)
    cbis.abnormality(cbis.film("P_00002", file=False), BOX)
    source = CbisDdsmSource()
    made = source.catalog(cbis.write())
    assert len(made.rows) == 1
    assert {one.code: one.count for one in made.notices}["files_not_here"] == 1
    counts = {one.what: (one.expected, one.found) for one in source.verify(cbis.root)}
    assert counts["mass, train: rows"] == (1_318, 2)
    assert counts["full mammograms here"] == (3_103, 1)
    assert counts["findings with a mask or cut-out here"] == (3_568, 2)


def test_wrong_folder_and_other_columns_are_one_line(cbis):
    cbis.root.mkdir()
    with pytest.raises(NotFoundError, match=r"looked for \*_case_description_\*_set\.csv or csv/"):
        CbisDdsmSource().catalog(cbis.root)
    put_table(cbis.root / "mass_case_description_train_set.csv", [{"patient_id": 1}])
    with pytest.raises(ConfigError, match="lacks the columns 'left or right breast', "):
        CbisDdsmSource().catalog(cbis.root)


def test_table_of_another_split_is_one_line(cbis):
    cbis.root.mkdir()
    put_table(cbis.root / "mass_case_description_all_set.csv", [{"patient_id": 1}])
    with pytest.raises(ConfigError, match="is of none of train, test: move it out"):
        CbisDdsmSource().catalog(cbis.root)


def test_row_that_stands_twice_adds_no_box(cbis, catalog):
    film = cbis.film(boxes=[BOX])
    cbis.abnormality(film, BOX)
    cbis.abnormality(film, BOX, number=2)
    cbis.lines["mass", "train"].append(dict(cbis.lines["mass", "train"][0]))
    made = catalog()
    ((labels,),) = ([row.labels for row in made.rows],)
    assert [one["finding_id"] for one in labels["annotations"]] == ["CC mass 1", "CC mass 2"]
    assert len(json.loads(labels["extra_json"])) == 2
    assert {one.code: one.count for one in made.notices}["rows_doubled"] == 1


def test_what_macos_puts_beside_files_is_no_image_no_mask_and_no_table(cbis, rows):
    cbis.abnormality(cbis.film(boxes=[BOX]), BOX)
    for path in [*cbis.write().rglob("*.dcm"), *cbis.root.glob("*.csv")]:
        path.with_name(f"._{path.name}").write_bytes(b"\0\5\x16\7" + bytes(4000))
    made = rows(cbis)
    (row,) = made.rows.values()
    assert [one["coords"] for one in row["annotations"]] == [list(BOX)]
    assert (made.refused, made.manifest.files) == ({}, 1)


def test_rounded_abnormality_is_refused(cbis, catalog):
    cbis.abnormality(cbis.film(), None, **{"abnormality id": "1E+15"})
    with pytest.raises(ConfigError, match="abnormality id must be digits, not rounded by a spread"):
        catalog()
