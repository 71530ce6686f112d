"""The client, against an endpoint that is ten lines long."""

import json

import httpx
import pytest

from mgray.errors import MgrayError, NotFoundError
from mgray.recipes import detect
from mgray.recipes.detect import DetectConfig, RefusedError, ask, run_detect, table
from tests.console import run_job

BOXES = [(0.9, "malignant"), (0.6, "benign"), (0.5, "malignant"), (0.2, "malignant")]
IMAGE = {
    "score": 0.9,
    "warnings": [{"code": "image_kind", "detail": "words"}],
    "detections": [{"box": [1, 2, 3, 4.5], "score": s, "label": label} for s, label in BOXES],
}
ANSWER = {"exam": {"score": 0.7}, "images": [IMAGE], "thresholds": {"1": 0.5}}
PROBLEM = {"code": "no_pixels", "detail": "the object holds no pixel data"}


@pytest.fixture
def files(tmp_path):
    paths = [tmp_path / name for name in ("a.dcm", "b.dcm")]
    for path in paths:
        path.write_bytes(path.name.encode())
    return paths


@pytest.fixture
def served(monkeypatch):
    """Answer here instead of over a socket; returns the requests."""
    seen = []

    def answer(request):
        seen.append(request)
        body = request.read()
        if b"b.dcm" in body and b"a.dcm" not in body:
            return httpx.Response(422, json=PROBLEM)
        if request.headers["accept"] == "application/dicom":
            return httpx.Response(200, content=b"report")
        images = [IMAGE] * body.count(b".dcm\r\n")
        return httpx.Response(200, json=ANSWER | {"images": images})

    real = httpx.Client
    transport = httpx.MockTransport(answer)
    monkeypatch.setattr(detect.httpx, "Client", lambda **told: real(transport=transport, **told))
    return seen


def test_the_table_shows_scores_and_boxes_at_the_operating_point():
    assert list(table(["x.dcm"], ANSWER, "1")) == [
        "x.dcm  score 0.900  image_kind",
        "    0.900  box      1.0      2.0      3.0      4.5",
        "    0.500  box      1.0      2.0      3.0      4.5",
    ]


@pytest.mark.parametrize("thresholds", [{"1": 0.5}, {}])
def test_without_a_measured_point_every_malignant_box_is_shown_and_it_is_said(thresholds):
    _, said, *boxes = table(["x.dcm"], ANSWER | {"thresholds": thresholds}, "2")
    assert said == "    not measured at 2 FP / image: all malignant boxes"
    assert [line.split()[0] for line in boxes] == ["0.900", "0.500", "0.200"]


def test_a_measured_point_of_score_0_is_a_measured_point():
    lines = list(table(["x.dcm"], ANSWER | {"thresholds": {"1": 0.0}}, "1"))
    assert len(lines) == 4
    assert "not measured" not in "".join(lines)


def test_an_exam_has_a_line_of_its_own():
    lines = list(table(["x", "y"], ANSWER | {"images": [IMAGE, IMAGE]}, "1"))
    assert lines[-1] == "exam  score 0.700"


def test_refused_files_are_lines_on_stderr_and_the_rest_is_answered(files, served, capsys):
    assert run_detect(DetectConfig(files=files[::-1])) == 1
    told = capsys.readouterr()
    assert told.err == f"{files[1]}: 422 no_pixels: the object holds no pixel data\n"
    assert told.out.startswith(f"{files[0]}  score 0.900")


def test_json_holds_the_whole_answer_of_each_file(files, served, capsys):
    assert run_detect(DetectConfig(files=files[:1], format="json")) == 0
    (one,) = json.loads(capsys.readouterr().out)
    assert one == {"files": [str(files[0])], "answer": ANSWER}


def test_the_token_goes_into_the_header_alone(files, served, capsys, monkeypatch):
    monkeypatch.setenv("MGRAY_TOKEN", "secret-token\n")
    run_detect(DetectConfig(files=files[:1]))
    assert served[0].headers["authorization"] == "Bearer secret-token"
    assert "secret" not in "".join(capsys.readouterr())


def test_the_files_of_an_exam_are_one_request_without_their_names(files, served):
    run_detect(DetectConfig(files=files, exam=True))
    (request,) = served
    assert b'filename="0.dcm"' in request.content
    assert b'filename="1.dcm"' in request.content


def test_reports_are_saved(files, served, tmp_path):
    run_detect(DetectConfig(files=files[:1], sr=tmp_path / "sr", fppi="0.5"))
    assert (tmp_path / "sr" / "report-0001.dcm").read_bytes() == b"report"
    assert served[1].url.params["fppi"] == "0.5"


def test_a_missing_file_is_one_line(tmp_path):
    with pytest.raises(NotFoundError, match="no file"):
        run_detect(DetectConfig(files=[tmp_path / "none"]))


def test_nobody_at_the_address_is_one_line(files):
    with pytest.raises(MgrayError, match=r"^no answer from [^\n]*: is the endpoint running"):
        run_detect(DetectConfig(files=files[:1], endpoint="http://127.0.0.1:1"))


def test_an_answer_that_is_no_problem_is_told_by_its_status(files):
    transport = httpx.MockTransport(lambda request: httpx.Response(502, text="<html>"))
    client = httpx.Client(base_url="http://x", transport=transport)
    with pytest.raises(RefusedError, match="502: the address answers"):
        ask(client, files[:1], {})


def test_names_beyond_the_basic_plane_are_files_too(tmp_path):
    name = tmp_path / "\U00020bb7.dcm"
    name.write_bytes(b"no DICOM")
    done = run_job("detect", name, "endpoint=http://127.0.0.1:1")
    assert done.returncode == 1
    assert done.stderr.startswith("error: no answer from")
