import pytest

from mgray.data.pairs import build_pairs
from mgray.data.table import ImageTable
from mgray.dicom.pixels import read_stored
from mgray.errors import ConfigError, DataError, MgrayError, NotFoundError, TooManyRejectedError
from mgray.ingest.run import without_values


def test_too_many_refused_is_an_error_after_all_is_written(archive, ingest_here, tmp_path):
    archive.image("m.dcm", 1)
    archive.put("bad.dcm", b"text")
    with pytest.raises(TooManyRejectedError, match="1 of 2 files were refused") as error:
        ingest_here(archive, tmp_path / "table", max_rejected=0)
    assert error.value.exit_code == 3
    assert len(ImageTable.open(tmp_path / "table")) == 1


def test_csv_archive_with_only_paths_lives_from_headers(archive, ingest_here, tmp_path):
    archive.image("a.dcm", 1)
    (archive.root / "catalog.csv").write_text("path\nimages/a.dcm\nimages/gone.dcm\n../x.dcm\n")
    manifest = ingest_here(archive, tmp_path / "table", source="csv")
    assert manifest.quarantined_by_reason == {"unreadable": 2}
    assert manifest.rows_by_kind == {"ffdm": 1}


def test_missing_archive_is_one_line(archive, ingest_here, tmp_path):
    archive.root = tmp_path / "nowhere"
    with pytest.raises(NotFoundError, match="nowhere"):
        ingest_here(archive, tmp_path / "table")


def test_empty_archive_is_one_line(archive, ingest_here, tmp_path):
    archive.tables()
    with pytest.raises(NotFoundError, match="lists no file"):
        ingest_here(archive, tmp_path / "table")


def test_out_that_is_a_file_is_one_line(archive, ingest_here, tmp_path):
    archive.image("a.dcm", 1)
    (tmp_path / "table").write_text("")
    with pytest.raises(MgrayError, match="cannot be read or written: File exists"):
        ingest_here(archive, tmp_path / "table")


def test_misspelt_column_is_found_before_anything_is_decoded(archive, ingest_here, tmp_path):
    (archive.root / "catalog.csv").write_text("path,latarality\nimages/a.dcm,L\n")
    with pytest.raises(ConfigError, match="did you mean 'laterality'"):
        ingest_here(archive, tmp_path / "table", source="csv")


def warned(manifest):
    return {one.code: one.count for one in manifest.warnings}


def test_kind_of_the_table_that_the_header_contradicts_is_named(archive, ingest_here, tmp_path):
    archive.image("a.dcm", 1, "synthetic_2d")
    (archive.root / "catalog.csv").write_text("path,image_kind\nimages/a.dcm,ffdm\n")
    manifest = ingest_here(archive, tmp_path / "table", source="csv")
    assert manifest.rows_by_kind == {"ffdm": 1}
    assert warned(manifest)["image_kind_contradicted"] == 1


def test_images_that_the_tables_of_a_phantom_lack_are_never_paired(archive, ingest_here, tmp_path):
    archive.pair(1)
    archive.pair(2)
    archive.exams = archive.exams[:2]
    archive.tables()
    manifest = ingest_here(archive, tmp_path / "table")
    assert (manifest.rows, manifest.pairs) == (4, 1)
    assert warned(manifest)["images_without_labels"] == 2
    assert len(build_pairs(ImageTable.open(tmp_path / "table"))) == 1


def test_notices_of_patients_and_boxes_reach_the_manifest(archive, ingest_here, tmp_path):
    archive.image("a.dcm", 1, PatientID="")
    (archive.root / "catalog.csv").write_text("path,x0,y0,x1,y1\nimages/a.dcm,9,9,3,3\n")
    found = warned(ingest_here(archive, tmp_path / "table", source="csv"))
    assert (found["patient_unknown"], found["box_empty"]) == (1, 1)


def test_blanking_flags_every_row_and_makes_another_table(archive, ingest_here, tmp_path):
    archive.pair(1)
    plain = ingest_here(archive, tmp_path / "table")
    blanked = ingest_here(archive, tmp_path / "table", blank_outside_breast=True)
    assert (blanked.rows, blanked.stamp) == (2, f"{plain.stamp}-blanked")
    table = ImageTable.open(tmp_path / "table")
    assert all("outside_blanked" in row["qc_flags"] for row in table.records([0, 1]))
    told = ingest_here(archive, tmp_path / "none", blank_outside_breast=True, dry_run=True)
    assert (told.rows, told.quarantined) == (2, 0)


def test_fault_in_a_task_tells_its_type_and_line_but_no_value():
    with pytest.raises(DataError, match=r"unexpected KeyError at test_run.py:\d+") as error:
        fail_with_a_value()
    assert error.value.__suppress_context__
    assert "Jane" not in str(error.value)


def fail_with_a_value():
    with without_values():
        raise KeyError("Jane")


def test_error_of_ours_passes_a_task_as_it_is():
    with pytest.raises(NotFoundError, match="gone"), without_values():
        raise NotFoundError("gone")


def records(out):
    return ImageTable.open(out).records([0, 1])


def test_another_cropper_ingests_all_again(archive, ingest_here, tmp_path):
    archive.pair(1)
    plain = ingest_here(archive, tmp_path / "table")
    assert {row["breast_box"][0] for row in records(tmp_path / "table")} == {0}
    other = ingest_here(archive, tmp_path / "table", cropper="p5")  # which cuts the borders off
    assert (other.rows, other.stamp) == (2, f"{plain.stamp}-p5")
    assert {row["breast_box"][0] for row in records(tmp_path / "table")} == {1}


def test_a_table_of_one_resolution_keeps_sizes_and_boxes_of_the_full_image(
    archive, ingest_here, tmp_path
):
    archive.pair(1)
    plain = ingest_here(archive, tmp_path / "table")
    full = records(tmp_path / "table")
    small = ingest_here(archive, tmp_path / "table", resolution=40)
    assert (small.rows, small.pairs, small.stamp) == (2, 1, f"{plain.stamp}-40px")
    for row, whole in zip(records(tmp_path / "table"), full, strict=True):
        changed = {name for name in row if row[name] != whole[name]}
        assert changed == {"pixels", "pixel_reduce"}
        assert read_stored(row, row["pixel_reduce"]).shape == (48, 32)
    told = ingest_here(archive, tmp_path / "none", resolution=40, dry_run=True)
    assert (told.rows, told.quarantined) == (2, 0)
