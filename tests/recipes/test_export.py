from pathlib import Path

import pytest

from mgray.errors import NotFoundError
from mgray.recipes.export import ExportConfig, export
from mgray.recipes.nyu_export import LIST


def test_a_table_becomes_an_exam_list(phantom_table: Path, tmp_path: Path) -> None:
    told = export(ExportConfig(source=phantom_table, out=tmp_path / "out"))
    assert told == "10 exams, PNG files with an exam list for NYU's networks"
    assert (tmp_path / "out" / LIST).is_file()


def test_anything_else_is_taken_for_a_model(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no model folder"):
        export(ExportConfig(source=tmp_path / "gone", out=tmp_path / "out"))
