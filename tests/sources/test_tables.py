import gzip
import tracemalloc

import openpyxl
import pytest
import xlwt

from mgray.errors import ConfigError
from mgray.sources.tables import as_id, dumps, extra_json, open_table, read_id, without_nones


def cells(path, *required, **more):
    return list(open_table(path, required, release="release 1", **more))


@pytest.fixture
def table(tmp_path):
    def write(data, name="t.csv"):
        path = tmp_path / name
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return path

    return write


def test_every_cell_is_text(table):
    (one,) = cells(table("id,n,e\n9007199254740993,1.50,\n"))
    assert [one.text(name) for name in ("id", "n", "e")] == ["9007199254740993", "1.50", None]


def test_names_of_columns_lose_outer_blanks_and_byte_order_mark(table):
    (one,) = cells(table("\ufeffa, Mass ,b\r\n1,X,2\r\n"), "a", "Mass")
    assert one.text("Mass") == "X"


def test_newline_inside_a_quoted_cell_is_no_new_row(table):
    rows = cells(table('path,view\n"a/b.dcm\n",CC\n"c.dcm\n",MLO\n'))
    assert [(one.text("path"), one.text("view")) for one in rows] == [
        ("a/b.dcm", "CC"),
        ("c.dcm", "MLO"),
    ]


def test_delimiter_is_the_one_of_the_header(table):
    (one,) = cells(table("a;b\r\n1,5;2\r\n"), "a", delimiters=",;")
    assert one.text("a") == "1,5"


def test_other_encoding_is_read(table):
    (one,) = cells(table("a;b\n1;não\n".encode("latin-1")), delimiters=";", encoding="latin-1")
    assert one.text("b") == "não"


def test_rows_tell_their_number(table):
    assert [one.line for one in cells(table("a\n1\n2\n"))] == [2, 3]


def test_fault_names_the_table_and_its_row(table):
    with pytest.raises(ConfigError, match=r"^row 3 of find\.csv: a must be a number or empty"):
        [one.number("a") for one in cells(table("a\n1\nx\n", "find.csv"))]


@pytest.mark.parametrize("name", ["t.xls", "t.xlsx"])
def test_workbooks_are_tables(tmp_path, name):
    rows = [["ID ", "n", "x"], ["D1-0001", 22678622, " "], ["", 4.5, "X"]]
    path = tmp_path / name
    if name == "t.xls":
        book = xlwt.Workbook()
        sheet = book.add_sheet("a")
        for at, row in enumerate(rows):
            for column, cell in enumerate(row):
                sheet.write(at, column, cell)
    else:
        book = openpyxl.Workbook()
        for row in rows:
            book.active.append(row)
    book.save(path)
    first, second = cells(path, "ID")
    assert (first.text("ID"), as_id(first.text("n")), first.text("x")) == (
        "D1-0001",
        "22678622",
        None,
    )
    assert (second.text("ID"), second.number("n"), second.line) == (None, 4.5, 3)


def test_missing_columns_are_named_and_the_first_line_is_not(table):
    with pytest.raises(ConfigError) as error:
        cells(table("Jane Doe,b\n1,2\n"), "a", "b", "c")
    assert str(error.value).startswith("t.csv lacks the columns 'a', 'c' of release 1: it has 2")
    assert "Jane" not in str(error.value)


@pytest.mark.parametrize("data", ["a,b\n1,2,3\n", "a,b\n1\n"])
def test_line_of_another_length_is_one_clear_line(table, data):
    with pytest.raises(ConfigError, match=r"t\.csv is not a table of 2 columns throughout"):
        cells(table(data))


def test_text_of_another_encoding_is_one_clear_line(table):
    for data in (b"a,b\xff\n1,2\n", gzip.compress(b"a,b\n"), "a,b\n".encode("utf-16")):
        with pytest.raises(ConfigError, match=r"t\.csv is not a utf-8 text: get it again, or unp"):
            cells(table(data))


def test_damaged_workbook_is_one_clear_line(table):
    with pytest.raises(ConfigError, match=r"t\.xlsx is not a workbook"):
        cells(table(b"PK nothing", "t.xlsx"))


def test_header_without_an_end_is_one_line(table, monkeypatch):
    monkeypatch.setattr("mgray.sources.tables.MOST_OF_HEADER", 64)
    with pytest.raises(ConfigError, match=r"t\.csv has no header of 64 characters at most"):
        cells(table("a," * 100))


def test_memory_does_not_grow_with_the_rows(table):
    path = table("id,a,b\n" + "1234567890,some words,more words\n" * 40_000)
    opened = open_table(path, ["id"], release="")
    tracemalloc.start()
    assert sum(1 for _ in opened) == 40_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * 2**20


@pytest.mark.parametrize(
    ("text", "found"),
    [("22678622.0", "22678622"), ("12.50", "12.50"), ("D1-0001", "D1-0001"), (None, None)],
)
def test_id_that_became_a_float_is_an_id(text, found):
    assert as_id(text) == found


def test_what_is_not_mapped_is_kept(table):
    (one,) = cells(table("a,b,c\n1,2, \n"))
    assert extra_json(one, {"a"}) == {"b": "2"}
    assert (dumps({"b": "ç"}), dumps({})) == ('{"b": "ç"}', None)
    assert dumps({"b": "\ud800"}) == '{"b": "?"}'


def test_labels_that_are_not_said_are_left_out():
    assert without_nones({"a": None, "b": [], "c": 0}) == {"c": 0}


@pytest.mark.parametrize("text", ['a,b\n1,"x\nq,3\nr,4\n', 'a,b\n1,"x"\n2,5" wide\n'])
def test_quotation_mark_that_is_not_closed_hides_no_rows(table, text):
    with pytest.raises(ConfigError, match=r"^t\.csv has an odd number of quotation marks"):
        cells(table(text))


def test_quotation_marks_are_counted_through_the_whole_table(table, monkeypatch):
    monkeypatch.setattr("mgray.sources.tables.CHUNK", 4)
    assert len(cells(table('a,b\n1,"x""y"\n"2",3\n'))) == 2
    with pytest.raises(ConfigError, match="odd number"):
        cells(table('a,b\n1,"x""y"\n"2,3\n'))


@pytest.mark.parametrize("text", ["4.12346E+15", "4E+15", "4.1e15", "4,12346E+15"])
def test_id_that_a_spreadsheet_rounded_is_refused(table, text):
    (one,) = cells(table(f"id;n\n{text};1\n"), delimiters=";")
    with pytest.raises(ConfigError) as error:
        read_id(one, "id")
    assert str(error.value).startswith("row 2 of t.csv: id must be digits, not rounded by a spread")
    assert text not in str(error.value)


@pytest.mark.parametrize(
    ("text", "found"),
    [("22678622.0", "22678622"), ("12E3", "12E3"), ("1e-5", "1e-5"), ("6c61e4", "6c61e4")],
)
def test_id_that_nobody_rounded_is_an_id(table, text, found):
    (one,) = cells(table(f"id,n\n{text},1\n"))
    assert (read_id(one, "id"), read_id(one, "n"), read_id(one, "x")) == (found, "1", None)
