import subprocess
import sys
from pathlib import Path

import imagecodecs
import numpy as np
import pydicom
import pytest
from pydicom.encaps import generate_frames

from mgray.phantom.config import ExamConfig, TransferSyntax
from mgray.phantom.dicom_writer import SYNTAXES, write_picture
from mgray.phantom.exam import Exam, make_exam

DCIODVFY = Path(sys.executable).with_name("dciodvfy")
DECODERS = {"jpeg_ls": imagecodecs.jpegls_decode, "jpeg_lossless": imagecodecs.ljpeg_decode}
UNKNOWN_TO_DCIODVFY = {"deflated"}  # this build of dicom3tools reads no deflated data set


@pytest.fixture(scope="module")
def exam() -> Exam:
    return make_exam(ExamConfig(seed=2, height=256, width=208, pixel_mm=0.5), 1)


@pytest.mark.parametrize("syntax", sorted(set(SYNTAXES) - UNKNOWN_TO_DCIODVFY))
@pytest.mark.parametrize("index", [0, 1, 6, 7], ids=["ffdm LCC", "sm LCC", "ffdm RMLO", "sm RMLO"])
def test_dciodvfy_finds_no_error(
    exam: Exam, tmp_path: Path, syntax: TransferSyntax, index: int
) -> None:
    path = tmp_path / "a.dcm"
    write_picture(path, exam, exam.pictures[index], syntax)
    done = subprocess.run([DCIODVFY, path], capture_output=True, text=True, check=False)
    assert "MammographyImageForPresentation" in done.stderr
    assert "Error" not in done.stderr
    assert "Abort" not in done.stderr
    assert done.returncode == 0


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_every_syntax_is_lossless(exam: Exam, tmp_path: Path, syntax: TransferSyntax) -> None:
    for picture in exam.pictures[:2]:
        path = tmp_path / f"{picture.kind}.dcm"
        write_picture(path, exam, picture, syntax)
        dataset = pydicom.dcmread(path)
        assert dataset.file_meta.TransferSyntaxUID == SYNTAXES[syntax][0]
        if syntax in DECODERS:  # pydicom has no decoder for these without GPL plugins
            found = DECODERS[syntax](next(generate_frames(dataset.PixelData, number_of_frames=1)))
        else:
            found = dataset.pixel_array
        assert np.array_equal(found, picture.pixels)


def test_jpeg_2000_precision_is_bits_stored(exam: Exam, tmp_path: Path) -> None:
    for picture in exam.pictures[:2]:
        path = tmp_path / "a.dcm"
        write_picture(path, exam, picture, "j2k")
        stream = next(generate_frames(pydicom.dcmread(path).PixelData, number_of_frames=1))
        size = stream.index(b"\xff\x51")
        assert stream[size + 40] == picture.bits - 1


def test_jpeg_lossless_is_process_14_with_another_predictor_than_1(
    exam: Exam, tmp_path: Path
) -> None:
    write_picture(tmp_path / "a.dcm", exam, exam.pictures[0], "jpeg_lossless")
    dataset = pydicom.dcmread(tmp_path / "a.dcm")
    stream = next(generate_frames(dataset.PixelData, number_of_frames=1))
    predictor = stream[stream.index(b"\xff\xda") + 7]
    assert predictor != 1
    assert dataset.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.4.57"


def test_no_part_stays_behind(exam: Exam, tmp_path: Path) -> None:
    write_picture(tmp_path / "a.dcm", exam, exam.pictures[0], "j2k")
    assert [path.name for path in tmp_path.iterdir()] == ["a.dcm"]
