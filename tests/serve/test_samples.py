import pytest

from mgray.dicom.pixels import read_display
from mgray.dicom.record import read_record
from serve.samples import SAMPLES, VIEWS, make_view

ROWS = 320


@pytest.fixture(scope="module")
def view():
    return make_view(("L", "CC"), ROWS)


def test_both_kinds_are_mammograms_of_the_view(view):
    for kind, made in view.items():
        columns = read_record(made.dicom).columns
        assert (columns["laterality"], columns["view"], columns["image_kind"]) == ("L", "CC", kind)
        assert columns["rows"] == ROWS


def test_the_planted_lesion_is_in_the_breast(view):
    for made in view.values():
        (lesion,) = made.lesions
        x0, y0, x1, y1 = (round(edge) for edge in lesion.box)
        assert (lesion.kind, lesion.label) == ("spiculated mass", "malignant")
        assert read_display(read_record(made.dicom).columns)[y0:y1, x0:x1].min() > 0


def test_a_view_is_always_the_same(view):
    assert make_view(("L", "CC"), ROWS) == view


def test_the_other_breast_has_no_lesion():
    assert all(not made.lesions for made in make_view(("R", "CC"), ROWS).values())


@pytest.mark.ray
def test_names_are_answered_with_a_title(client):
    told = client.get("/v1/samples").json()
    assert [sample["id"] for sample in told] == list(SAMPLES)
    assert all(sample["title"] and sample["note"] for sample in told)


@pytest.mark.ray
def test_the_exam_has_four_views_that_the_endpoint_reads(client):
    told = client.get("/v1/samples/exam").json()["images"]
    files = [client.get(image["href"]).content for image in told]
    found = client.post("/v1/detect", files=[("image", (f"{i}", f)) for i, f in enumerate(files)])
    seen = [(one["image"]["laterality"], one["image"]["view"]) for one in found.json()["images"]]
    assert seen == list(VIEWS)
    lesions = [len(image["lesions"]) for image in told]
    assert lesions == [side == "L" for side, _ in VIEWS]


@pytest.mark.ray
@pytest.mark.parametrize("path", ["/v1/samples/x", "/v1/samples/images/x.dcm", "/v1/samples/.."])
def test_another_name_is_404(client, path):
    assert client.get(path).status_code == 404
