"""Workbooks of datasets, XLS and XLSX; a hostile one is refused before it swells."""

import re
import zipfile
from pathlib import Path
from typing import Any, Final

from mgray.errors import ConfigError

MOST_BYTES: Final = 256 * 2**20
"""Of a workbook, unpacked."""
MOST_CELLS: Final = 20_000_000
"""Of one sheet, from the first to the last one that is set."""
PLACE: Final = re.compile(rb'<c\b[^>]*?\br="([A-Z]{1,3})(\d{1,7})"')


def read_sheet(path: Path) -> list[list[Any]]:
    """Read the first sheet, row by row.

    Raises:
        ConfigError: Not a workbook, or one that is far larger than any of a dataset.
    """
    from python_calamine import CalamineWorkbook

    try:
        _check(path)
        return CalamineWorkbook.from_path(str(path)).get_sheet_by_index(0).to_python()
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException:  # a panic of the reader is no Exception
        raise ConfigError(
            f"{path.name} is not a workbook, or far too large: get it again"
        ) from None


def _check(path: Path) -> None:
    """Refuse what would swell: the reader makes a cell of every place up to the last one set.

    Raises:
        ValueError: It is larger than any of a dataset.
    """
    if path.stat().st_size > MOST_BYTES:
        raise ValueError
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as book:
        if sum(part.file_size for part in book.infolist()) > MOST_BYTES:
            raise ValueError
        for name in book.namelist():
            if name.startswith("xl/worksheets/"):
                places = PLACE.findall(book.read(name))
                rows = max((int(row) for _, row in places), default=0)
                columns = max((_column(letters) for letters, _ in places), default=0)
                if rows * columns > MOST_CELLS:
                    raise ValueError


def _column(letters: bytes) -> int:
    """Number a column: A is 1, AA is 27."""
    number = 0
    for letter in letters:
        number = 26 * number + letter - ord("A") + 1
    return number
