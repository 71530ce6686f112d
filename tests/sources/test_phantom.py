import pytest

from mgray.errors import ConfigError, NotFoundError
from mgray.sources.phantom import PhantomSource

EXAMS = "path,sop_instance_uid,patient_id,exam_id,laterality,view,image_kind,density,cancer\n"
FINDINGS = (
    "sop_instance_uid,image_kind,laterality,view,finding_id,type,malignant,density,"
    "x0,y0,x1,y1,visible\n"
)


@pytest.fixture
def archive(tmp_path):
    (tmp_path / "images" / "deep").mkdir(parents=True)
    (tmp_path / "images" / "deep" / "b.dcm").touch()
    (tmp_path / "images" / "a").touch()
    (tmp_path / "exams.csv").write_text(EXAMS + "images/a,1.2,p,e,R,CC,ffdm,b,1\n")
    rows = "1.2,ffdm,R,CC,f,mass,1,b,1,2,3,4,0\n9.9,ffdm,R,CC,f,mass,0,b,1,2,3,4,1\n"
    (tmp_path / "annotations.csv").write_text(FINDINGS + rows)
    return tmp_path


def test_every_file_under_images_counts(archive):
    paths = [row.path for row in PhantomSource().catalog(archive).rows]
    assert paths == ["images/a", "images/deep/b.dcm"]


def test_labels_go_by_object_not_by_file(archive):
    told = PhantomSource().catalog(archive).by_uid["1.2"]
    assert told["patient_id"] == "p"
    assert (told["laterality"], told["image_kind"], told["density"]) == ("R", "ffdm", "b")
    assert (told["cancer"], told["pathology"], told["label_source"]) == (
        1,
        "malignant",
        "simulation",
    )


def test_findings_carry_box_truth_and_visibility(archive):
    (one,) = PhantomSource().catalog(archive).by_uid["1.2"]["annotations"]
    assert one["coords"] == [1, 2, 3, 4]
    assert (one["finding_id"], one["categories"], one["visible"]) == ("f", ["mass"], False)


def test_finding_of_an_unlisted_image_is_kept(archive):
    assert len(PhantomSource().catalog(archive).by_uid["9.9"]["annotations"]) == 1


def test_image_without_findings_is_negative(archive):
    (archive / "annotations.csv").write_text(FINDINGS)
    assert PhantomSource().catalog(archive).by_uid["1.2"]["pathology"] == "negative"


def test_tables_describe_every_image(archive):
    assert PhantomSource().catalog(archive).described


def test_archive_without_tables_is_named_unfinished_with_the_remedy(archive):
    (archive / "exams.csv").unlink()
    with pytest.raises(NotFoundError, match=r"not finished: run the same python -m jobs\.phantom"):
        PhantomSource().catalog(archive)


@pytest.mark.parametrize("name", ["images", "exams.csv", "annotations.csv"])
def test_what_is_missing_is_named(archive, name):
    (archive / name).rename(archive / "elsewhere")
    with pytest.raises(NotFoundError, match=name):
        PhantomSource().catalog(archive)


def test_missing_column_is_named(archive):
    (archive / "exams.csv").write_text("path,sop_instance_uid\n")
    with pytest.raises(ConfigError, match="has no column 'patient_id'"):
        PhantomSource().catalog(archive)


def test_images_are_counted_against_the_table(archive):
    assert [(one.expected, one.found) for one in PhantomSource().verify(archive)] == [(1, 2)]
