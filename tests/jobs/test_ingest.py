import numpy as np
import pytest

from mgray.dicom.example import example_file
from tests.console import run_job


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    tmp_path = tmp_path_factory.mktemp("archive")
    pixels = np.arange(4096, dtype=np.uint16).reshape(64, 64)
    (tmp_path / "a.dcm").write_bytes(example_file(pixels, PatientID="Jane^Doe"))
    (tmp_path / "diary.dcm").write_bytes(b"dear diary")
    (tmp_path / "catalog.csv").write_text("path\na.dcm\ndiary.dcm\n")
    return tmp_path


def test_help_is_fast_and_names_the_keys():
    """Fast, as it loads none of the libraries that take long; ``make bench`` has the seconds."""
    helped = run_job("ingest", "--help", PYTHONPROFILEIMPORTTIME="1")
    assert "max_rejected" in helped.stdout
    loaded = {line.rpartition("|")[2].strip() for line in helped.stderr.splitlines()}
    assert "mgray.ingest.config" in loaded
    assert not loaded & {"ray", "torch", "pandas", "pydicom", "scipy", "matplotlib"}


@pytest.fixture(scope="module")
def refused(archive, ray_cluster):
    """One run that joins the tests' Ray and refuses more than it may."""
    import ray

    words = ("csv", f"archive={archive}", f"out={archive / 'table'}", "max_rejected=0", "workers=1")
    return run_job("ingest", *words, RAY_ADDRESS=ray.get_runtime_context().gcs_address)


@pytest.mark.ray
def test_too_many_refused_exits_with_3_and_says_why_last(refused):
    assert refused.returncode == 3
    assert refused.stderr.splitlines()[-1].startswith("error: 1 of 2 files were refused")


@pytest.mark.ray
def test_job_says_what_it_did_and_names_nobody(refused):
    assert "2 files: 1 images of 1 patients, 0 pairs, 1 refused" in refused.stderr
    for secret in ("Jane", "diary", "a.dcm"):
        assert secret not in refused.stdout + refused.stderr


@pytest.mark.ray
def test_job_ends_with_a_table_of_kinds_and_reasons(refused):
    cells = [line.split() for line in refused.stderr.splitlines()]
    assert ["in", "the", "table", "ffdm", "1"] in cells
    assert ["refused", "not_dicom", "the", "file", "is", "not", "DICOM", "1"] in cells
    assert any(line[:3] == ["this", "run:", "2"] and line[-1] == "images/s" for line in cells)


def test_dry_run_tells_what_would_be_done_without_ray_and_writes_nothing(archive):
    out = archive.parent / "never"
    done = run_job("ingest", "csv", f"archive={archive}", f"out={out}", "--dry-run", "workers=1")
    assert (done.returncode, out.exists()) == (0, False)
    assert (
        "dry run: 2 files: 1 images of 1 patients, 0 pairs, 0 duplicates, 1 refused" in done.stderr
    )
    for secret in ("Jane", "diary", "a.dcm"):
        assert secret not in done.stdout + done.stderr


@pytest.mark.ray
def test_the_table_is_whole_though_files_were_refused(archive, refused):
    done = run_job("ingest", "csv", f"archive={archive}", f"out={archive / 'table'}")
    assert (done.returncode, "ingest:" in done.stderr) == (0, False)
    assert (archive / "table" / "manifest.json").is_file()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["csv", "archive=nowhere", "out=OUT"], "error: no archive folder 'nowhere'"),
        (["csv", "archive=nowhere"], "error: out is missing"),
        (["csv", "archiv=x", "out=OUT"], "error: unknown key 'archiv': did you mean 'archive'?"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(tmp_path, words, message):
    done = run_job("ingest", *(word.replace("OUT", str(tmp_path / "table")) for word in words))
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert done.stderr.startswith(message)
