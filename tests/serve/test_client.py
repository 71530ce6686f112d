"""The client's command line against the running endpoint."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pydicom
import pytest

pytestmark = pytest.mark.ray
ROOT = Path(__file__).parents[2]


def job(*words, **env):
    path = f"{ROOT}{os.pathsep}{ROOT / 'platform'}"
    command = [sys.executable, "-m", "jobs.detect", *map(str, words)]
    return subprocess.run(
        command, cwd=ROOT, env=os.environ | {"PYTHONPATH": path, **env},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_files_are_answered_as_json_with_a_report_each(endpoint, make_dicom, tmp_path):
    for number in (1, 2):
        body = make_dicom(number, SeriesInstanceUID="1.2.3.4", PatientName="MARKER")
        (tmp_path / f"{number}.dcm").write_bytes(body)
    files = [tmp_path / "1.dcm", tmp_path / "2.dcm"]
    done = job(*files, f"endpoint={endpoint}", "format=json", f"sr={tmp_path / 'sr'}")
    assert (done.returncode, done.stderr) == (0, "")
    assert [one["files"] for one in json.loads(done.stdout)] == [[str(path)] for path in files]
    reports = sorted((tmp_path / "sr").iterdir())
    assert len(reports) == 2
    assert pydicom.dcmread(reports[0]).PatientName == "MARKER"
    assert "MARKER" not in done.stdout


def test_what_is_no_dicom_is_one_line_and_exit_code_1(endpoint, tmp_path):
    (tmp_path / "x.dcm").write_text("just text\n" * 100)
    done = job(tmp_path / "x.dcm", f"endpoint={endpoint}")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"{tmp_path / 'x.dcm'}: 415 not_dicom: the file is not DICOM\n"
