import numpy as np
import pytest

from mgray.dicom.example import example_file
from tests.console import run_job


@pytest.fixture
def file(tmp_path):
    y, x = np.mgrid[:96, :64]
    pixels = np.where((y - 48) ** 2 + x**2 < 900, 2000, 0).astype(np.uint16)
    path = tmp_path / "image.dcm"
    path.write_bytes(example_file(pixels, PatientID="MRN-4711", PatientName="Doe^Jane"))
    return path


def test_steps_verdict_and_picture(file, tmp_path):
    done = run_job("inspect", file, f"out={tmp_path / 'picture.png'}")
    assert (done.returncode, done.stderr) == (0, "")
    lines = [line.split(maxsplit=1) for line in done.stdout.splitlines()]
    assert ["verdict", "a row"] in lines
    assert ["side", "L, told by ImageLaterality"] in lines
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")
    assert not {"MRN-4711", "Jane"} & set(done.stdout.replace("^", " ").split())


def test_refused_file_exits_with_3_and_its_reason_last(tmp_path):
    (tmp_path / "a.dcm").write_bytes(b"dear diary" * 99)
    done = run_job("inspect", tmp_path / "a.dcm", f"out={tmp_path / 'picture.png'}")
    assert done.returncode == 3
    assert "refused, not_dicom: the file is not DICOM" in done.stdout.splitlines()[-1]
    assert not (tmp_path / "picture.png").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "error: file is missing"),
        (["nowhere.dcm"], "error: no file 'nowhere.dcm'"),
        (["a.dcm", "otu=b.png"], "error: unknown key 'otu': did you mean 'out'?"),
        (["a.dcm", "kind=scan"], "error: kind='scan'"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(words, message):
    done = run_job("inspect", *words)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert done.stderr.startswith(message)


def test_help_teaches():
    text = run_job("inspect", "--help").stdout
    for word in ("python -m jobs.inspect FILE.dcm out=PICTURE.png", "stored values", "volumes"):
        assert word in text
