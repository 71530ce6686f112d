import sqlite3
import tracemalloc
from multiprocessing import get_context

import pytest

from mgray.errors import DataError
from mgray.sources import csv_table, embed_clinical, spool, tables
from mgray.sources import embed as embed_module
from mgray.sources.csv_table import CsvSource
from mgray.sources.embed import EmbedSource
from mgray.sources.source import CatalogRow
from mgray.sources.spool import Rows, Spool
from tests.sources.kit import put_table
from tests.sources.mini_embed import CLINICAL, METADATA, SERVER

WIDE = [f"tag {number}" for number in range(30)]
CELLS = dict.fromkeys(WIDE, "a text of some length")


@pytest.fixture(params=[1, 4096])
def held(request, monkeypatch):
    """A spool that writes every value at once, and one that lets them wait."""
    monkeypatch.setattr(spool, "AT_ONCE", request.param)
    made = Spool()
    for key, value in [("b", {"n": 1}), ("a", [2.5, None]), ("b", "é"), ("ü\udcff", (True,))]:
        made.add(key, value)
    return made


def test_values_of_a_key_are_what_was_added_in_its_order(held):
    assert held.get("b") == [{"n": 1}, "é"]
    held.add("b", 3)
    assert (held.get("b"), held.get("c")) == ([{"n": 1}, "é", 3], [])


def test_groups_come_in_the_order_of_keys_whatever_bytes_a_name_has(held):
    assert list(held.groups()) == [
        ("a", [[2.5, None]]), ("b", [{"n": 1}, "é"]), ("ü\udcff", [(True,)])
    ]  # fmt: skip


def test_keys_of_several_values_are_found_and_a_dropped_key_is_gone(held):
    assert list(held.repeated()) == [[{"n": 1}, "é"]]
    held.drop("b")
    assert ([key for key, _ in held.groups()], held.get("b")) == (["a", "ü\udcff"], [])


def test_rows_are_made_when_they_are_read(held):
    held.drop("ü\udcff")
    rows = Rows(held, lambda values: {"count": len(values)})
    assert [*rows] == rows[:] == [CatalogRow("a", {"count": 1}), CatalogRow("b", {"count": 2})]
    assert (len(rows), rows[-1]) == (2, CatalogRow("b", {"count": 2}))
    with pytest.raises(IndexError):
        rows[2]


def test_full_disk_is_one_line_that_names_no_value(held, monkeypatch):
    class Full:
        def executemany(self, *_):
            raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(held, "_base", Full())
    with pytest.raises(DataError, match="TMPDIR") as error:
        [held.add("patient 7", 1) for _ in range(spool.AT_ONCE)]
    assert "patient 7" not in str(error.value)


def embed(folder, count):
    """Write wide tables of so many images, eight to an exam; none of the files."""
    paths = [f"cohort_1/{n // 32}/1.2.{n // 8}/1.3.{n}/1.4.{n}.dcm" for n in range(count)]
    images = [
        {
            "empi_anon": 10**7 + n // 32, "acc_anon": 10**15 + n // 8, "FinalImageType": "2D",
            "ImageLateralityFinal": "LR"[n % 2], "ViewPosition": "CC", "num_roi": 0,
            "SeriesTime": n % 60, "anon_dicom_path": SERVER + path, **CELLS,
        }
        for n, path in enumerate(paths)
    ]  # fmt: skip
    findings = [
        {
            "empi_anon": 10**7 + n // 4, "acc_anon": 10**15 + n, "numfind": 1, "side": "L",
            "desc": "bilat", "asses": "A", "path_severity": n % 5, "age_at_study": 50,
            "study_date_anon": f"2013-05-{n % 28 + 1:02}", **CELLS,
        }
        for n in range(count // 8)
    ]  # fmt: skip
    put_table(folder / "tables/EMBED_OpenData_metadata.csv", images, [*METADATA, *WIDE])
    put_table(folder / "tables/EMBED_OpenData_clinical.csv", findings, [*CLINICAL, *WIDE])
    return EmbedSource(), [f"images/{path}" for path in paths]


def csv(folder, count):
    """Write a wide catalog of so many images with boxes of their own."""
    rows = [
        {
            "path": f"{n}.dcm", "patient_id": f"p{n}", "split": "test", "age": 50 + n / count,
            "x0": n, "y0": 0, "x1": n + 9, "y1": 9, **CELLS,
        }
        for n in range(count)
    ]  # fmt: skip
    put_table(folder / "catalog.csv", rows)
    return CsvSource(), []


def peaks(folder):
    """Peak bytes of reading two tables of each kind; in a process whose calls nobody checks."""
    spool.AT_ONCE, tables.AT_ONCE, csv_table.MOST_SAID, embed_clinical.REMEMBERED = 16, 16, 16, 2
    found = []
    for write in (embed, csv):
        for count in (160, 480):
            source, paths = write(folder / f"{write.__name__} {count}", count)
            embed_module.files_below = lambda *_, paths=paths: iter(paths)
            tracemalloc.start()
            rows = source.catalog(folder / f"{write.__name__} {count}").rows
            assert sum("extra_json" in row.labels for row in rows) == len(rows) == count
            found.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
    return found


def test_memory_does_not_grow_with_the_rows_of_wide_tables(tmp_path):
    with get_context("spawn").Pool(1) as pool:
        found = pool.apply(peaks, (tmp_path,))
    for few, many in (found[:2], found[2:]):
        assert many - few < 300 * 320  # each row has more than 1,000 bytes
