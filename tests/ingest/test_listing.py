from dataclasses import replace

import pytest

from mgray.ingest.ledger import MISSING
from mgray.ingest.listing import Files
from mgray.sources.source import CatalogRow
from mgray.sources.spool import Rows, Spool

LABELS = {"b.dcm": {"view": "CC"}, "a.dcm": {"view": "MLO"}, "gone.dcm": {}}


@pytest.fixture(params=["list", "spool"])
def files(request, tmp_path, ids):
    for name in ("a.dcm", "b.dcm"):
        (tmp_path / name).write_text(name * 3)
    if request.param == "list":
        rows = [CatalogRow(path, labels) for path, labels in LABELS.items()]
    else:
        held = Spool()
        for path, labels in LABELS.items():
            held.add(path, labels)
        rows = Rows(held, lambda values: values[0])
    return Files(tmp_path, rows, ids)


def test_files_come_in_the_order_of_paths_with_labels_and_state(files, tmp_path):
    assert [(one.path, one.labels, one.size) for one in files] == [
        ("a.dcm", {"view": "MLO"}, 15), ("b.dcm", {"view": "CC"}, 15), ("gone.dcm", {}, MISSING)
    ]  # fmt: skip
    assert files[0].mtime_ns == (tmp_path / "a.dcm").stat().st_mtime_ns
    assert files[1:] == [files[1], files[2]]


def test_file_is_found_by_its_pseudonym_alone(files, ids):
    assert files.ranks == {ids.file(path): at for at, path in enumerate(sorted(LABELS))}
    assert files.get(ids.file("b.dcm")) == files[1]
    assert files.get("b.dcm") is files.get(replace(ids, key=b"x").file("b.dcm")) is None


def test_files_are_looked_at_once(files, tmp_path):
    (tmp_path / "a.dcm").unlink()
    assert files[0].size == 15
