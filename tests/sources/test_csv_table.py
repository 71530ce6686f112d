import json

import pytest

from mgray.errors import ConfigError, NotFoundError
from mgray.sources.csv_table import CsvSource


@pytest.fixture
def labels(tmp_path):
    """Catalog a table and give the labels by path."""

    def read(text):
        (tmp_path / "catalog.csv").write_text(text)
        return {row.path: dict(row.labels) for row in CsvSource().catalog(tmp_path).rows}

    return read


def test_path_alone_is_enough(labels):
    assert labels("path\nb.dcm\na.dcm\n") == {"a.dcm": {}, "b.dcm": {}}


def test_paths_are_sorted_and_one_row_each(labels):
    assert list(labels("path\nb.dcm\n./a.dcm\na.dcm\n")) == ["a.dcm", "b.dcm"]


def test_words_are_translated(labels):
    table = "path,laterality,view,density,birads,age,cancer\na.dcm,left,mlo,3,0,51,1\n"
    told = {"laterality": "L", "view": "MLO", "density": "c", "birads": 0, "age": 51, "cancer": 1}
    assert labels(table)["a.dcm"] == told


def test_several_lines_of_one_path_are_several_boxes(labels):
    table = "path,x0,y0,x1,y1,finding_type\na,1,2,3,4,mass;spiculated\na,5,6,7,8,\n"
    boxes = labels(table)["a"]["annotations"]
    assert [one["coords"] for one in boxes] == [[1, 2, 3, 4], [5, 6, 7, 8]]
    assert [one["categories"] for one in boxes] == [["mass", "spiculated"], []]


def test_line_without_box_says_something_of_the_image_only(labels):
    assert "annotations" not in labels("path,x0,y0,x1,y1\na,,,,\n")["a"]


def test_image_has_the_worst_of_its_lines(labels):
    told = labels("path,cancer,pathology\na,0,benign\na,1,malignant\na,,\n")["a"]
    assert (told["cancer"], told["pathology"]) == (1, "malignant")


def test_cancer_is_never_derived_from_pathology(labels):
    assert "cancer" not in labels("path,pathology\na,malignant\n")["a"]


def test_zero_cancer_is_not_unknown(labels):
    told = labels("path,cancer\na,0\nb,\n")
    assert (told["a"], told["b"]) == ({"cancer": 0}, {})


def test_lines_that_contradict_each_other_are_an_error(labels):
    with pytest.raises(ConfigError, match=r"contradict each other in 'view', from line 2"):
        labels("path,view\na,CC\na,MLO\n")


def test_other_columns_are_kept_as_json(labels):
    told = labels("path,site\na,north\n")["a"]
    assert json.loads(told["extra_json"]) == [{"site": "north"}]


@pytest.mark.parametrize(
    ("column", "meant"),
    [("latarality", "laterality"), ("patientid", "patient_id"), ("View", "view"), ("X0", "x0")],
)
def test_misspelt_column_names_the_nearest(labels, column, meant):
    with pytest.raises(ConfigError, match=f"unknown column '{column}': did you mean '{meant}'"):
        labels(f"path,{column}\na,1\n")


def test_missing_path_column_names_the_place_of_the_nearest(labels):
    with pytest.raises(ConfigError, match=r"has no column 'path': is it column 1\? rename it"):
        labels("file_path,view\na,CC\n")


@pytest.mark.parametrize("line", ["img/jane_doe.dcm,12345", "jane_doe_path,1", "patho,Jane Doe"])
def test_missing_header_shows_no_cell(labels, line):
    with pytest.raises(ConfigError, match="has no column 'path'") as error:
        labels(f"{line}\n")
    said = str(error.value).lower()
    assert not any(secret in said for secret in ("jane", "12345", "patho,", "'patho'"))


@pytest.mark.parametrize(
    ("column", "cell", "message"),
    [
        ("cancer", "maybe", "line 2 of the table: cancer must be 0 or 1"),
        ("laterality", "B", "laterality must be one of l, left, r, right or empty"),
        ("image_kind", "dm", "image_kind must be one of ffdm"),
        ("split", "training", "split must be one of train, val, test"),
        ("age", "nan", "age must be a number"),
        ("birads", "7", "birads must be one of 0, 1"),
        ("x0", "1", "a box needs all of x0, y0, x1, y1"),
        ("density", "5", "density must be one of 1, 2, 3, 4, a, b, c, d or empty"),
    ],
)
def test_cell_that_cannot_be_understood_names_line_and_column(labels, column, cell, message):
    with pytest.raises(ConfigError, match=message):
        labels(f"path,{column}\na,{cell}\n")


def test_same_texts_on_another_line_name_the_first(labels):
    with pytest.raises(ConfigError, match="line 3 of the table: cancer must be"):
        labels("path,cancer\na,1\nb,maybe\nc,maybe\n")


def test_same_texts_give_each_image_its_own_ids(labels):
    told = labels("path,patient_id,exam_id,view\na,p,e,CC\nb, q,,CC\nc\n")
    assert told == {
        "a": {"patient_id": "p", "exam_id": "e", "view": "CC"},
        "b": {"patient_id": "q", "view": "CC"},
        "c": {},
    }


def test_lines_of_one_path_need_not_be_neighbours_nor_all_say_something(labels):
    table = "path,view,patient_id,cancer,x0,y0,x1,y1\na,CC,,0,1,2,3,4\nb,,,,,,,\na,,p,1,5,6,7,8\n"
    told = labels(table)["a"]
    assert (told["view"], told["patient_id"], told["cancer"]) == ("CC", "p", 1)
    assert [one["coords"] for one in told["annotations"]] == [[1, 2, 3, 4], [5, 6, 7, 8]]


def test_cell_is_not_in_the_message(labels):
    with pytest.raises(ConfigError) as error:
        labels("path,cancer\na,Jane Doe\n")
    assert "Jane" not in str(error.value)


def test_empty_path_names_the_line(labels):
    with pytest.raises(ConfigError, match="line 3 of the table: path is empty"):
        labels("path,view\na,CC\n,CC\n")


def test_split_of_one_line_holds_for_the_patient(labels):
    told = labels("path,patient_id,split\na,p,val\nb,p,\nc,q,\n")
    assert [one.get("split_official") for one in told.values()] == ["val", "val", None]


def test_patient_in_two_splits_is_an_error(labels):
    with pytest.raises(ConfigError, match="puts one patient into two splits"):
        labels("path,patient_id,split\na,p,val\nb,p,test\n")


def test_byte_order_mark_and_blanks_do_no_harm(tmp_path):
    (tmp_path / "catalog.csv").write_bytes("\ufeffpath , view\r\n a.dcm , CC \r\n".encode())
    (row,) = CsvSource().catalog(tmp_path).rows
    assert (row.path, row.labels) == ("a.dcm", {"view": "CC"})


def test_table_may_lie_elsewhere(tmp_path):
    (tmp_path / "mine.csv").write_text("path\na\n")
    (tmp_path / "archive").mkdir()
    catalog = CsvSource(tmp_path / "mine.csv").catalog(tmp_path / "archive")
    assert [row.path for row in catalog.rows] == ["a"]


def test_missing_table_is_one_line(tmp_path):
    with pytest.raises(NotFoundError, match=r"no table .* name it with csv=PATH"):
        CsvSource().catalog(tmp_path)


def test_missing_archive_is_one_line(tmp_path):
    with pytest.raises(NotFoundError, match="no archive folder"):
        CsvSource().catalog(tmp_path / "gone")


def test_table_that_is_no_text_is_one_line(tmp_path):
    (tmp_path / "catalog.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not a UTF-8 CSV table: save it as one"):
        CsvSource().catalog(tmp_path)


def test_files_that_are_not_there_are_counted(tmp_path):
    (tmp_path / "catalog.csv").write_text("path\na.dcm\nb.dcm\n")
    (tmp_path / "a.dcm").touch()
    assert [(one.expected, one.found) for one in CsvSource().verify(tmp_path)] == [(2, 1)]


def test_comma_without_quotation_marks_merges_no_women(labels):
    """Both would be the patient Doe."""
    table = "path,patient_id,exam_id\na.dcm,Doe, Jane,E1\nb.dcm,Doe, John,E2\n"
    with pytest.raises(ConfigError, match=r"^line 2 of the table has more cells than its header: "):
        labels(table)


def test_quotation_mark_that_is_not_closed_swallows_no_lines(labels):
    with pytest.raises(ConfigError, match=r"^line 2 of the table is no CSV: "):
        labels('path,cancer,note\na.dcm,0,"5 cm\nb.dcm,1,x\nc.dcm,1,y\n')


def test_backslashes_of_paths_are_slashes(labels):
    assert labels("path,cancer\nimages\\a.dcm,1\n.\\b.dcm,0\n") == {
        "images/a.dcm": {"cancer": 1}, "b.dcm": {"cancer": 0},
    }  # fmt: skip


def test_numbers_that_became_floats_are_read(labels):
    told = labels("path,birads,density,cancer\na,4.0,2.0,1.0\n")["a"]
    assert told == {"birads": 4, "density": "b", "cancer": 1}
