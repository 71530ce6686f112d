import zipfile

import openpyxl
import pytest

from mgray.errors import ConfigError
from mgray.sources import workbook
from mgray.sources.workbook import read_sheet

HEAD = b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
FIRST, LAST = (
    b'<row r="%d"><c r="%s"><v>1</v></c></row>' % place
    for place in [(1, b"A1"), (1048576, b"XFD1048576")]
)
TAIL = b"</sheetData></worksheet>"


def book(path, xml):
    """Write a workbook of one sheet."""
    openpyxl.Workbook().save(path)
    with zipfile.ZipFile(path) as old:
        parts = {name: old.read(name) for name in old.namelist()}
    parts["xl/worksheets/sheet1.xml"] = xml
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name, data in parts.items():
            new.writestr(name, data)
    return path


def test_first_sheet_is_read(tmp_path):
    assert read_sheet(book(tmp_path / "t.xlsx", HEAD + FIRST + TAIL)) == [[1.0]]


@pytest.mark.parametrize(
    "xml", [HEAD + FIRST + LAST + TAIL, HEAD + FIRST + b" " * 2**20 + TAIL], ids=["far", "long"]
)
def test_workbook_that_would_swell_is_refused_before_it_is_read(xml, tmp_path, monkeypatch):
    monkeypatch.setattr(workbook, "MOST_BYTES", 2**20)
    read = []
    monkeypatch.setattr("python_calamine.CalamineWorkbook.from_path", read.append, raising=False)
    with pytest.raises(ConfigError, match=r"t\.xlsx is not a workbook, or far too large"):
        read_sheet(book(tmp_path / "t.xlsx", xml))
    assert not read


def test_file_that_is_too_large_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(workbook, "MOST_BYTES", 8)
    (tmp_path / "t.xls").write_bytes(b"x" * 9)
    with pytest.raises(ConfigError, match=r"t\.xls is not a workbook"):
        read_sheet(tmp_path / "t.xls")


def test_panic_of_the_reader_is_one_line_without_its_text(tmp_path, monkeypatch):
    class PanicException(BaseException):
        """As Rust's."""

    class Book:
        @staticmethod
        def from_path(path):
            raise PanicException("Jane Doe")

    monkeypatch.setattr("python_calamine.CalamineWorkbook", Book)
    (tmp_path / "t.xls").write_bytes(b"x")
    with pytest.raises(ConfigError, match=r"t\.xls is not a workbook") as error:
        read_sheet(tmp_path / "t.xls")
    assert "Jane" not in str(error.value)
