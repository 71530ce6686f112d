"""The running endpoint, over HTTP."""

import io
import json
import random
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pydicom
import pytest

from mgray.dicom.record import read_record
from mgray.errors import ConfigError, NotFoundError
from mgray.inference.predictor import Predictor
from mgray.models.folder import WEIGHTS, load_model, model_sha256, read_meta, save_model
from serve.app import build

pytestmark = pytest.mark.ray
CT = "1.2.840.10008.5.1.4.1.1.2"


@pytest.fixture(scope="module")
def offline(model_folder):
    """What the endpoint must answer: the library's own detections."""
    predictor = Predictor.load(model_folder)

    def detections(body):
        (found,) = predictor.predict([{"sm": read_record(body).columns}])
        return [{"box": list(d.box), "score": d.score, "label": d.label} for d in found]

    return detections


@pytest.fixture(scope="module")
def good(detect, make_dicom):
    answer = detect(make_dicom())
    assert answer.status_code == 200, answer.text
    return answer.json()


def problem(answer):
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert set(body) == {"type", "title", "status", "code", "detail"}
    assert body["status"] == answer.status_code
    return answer.status_code, body["code"]


def test_the_answer_is_the_offline_predictors_bit_for_bit(good, offline, make_dicom):
    assert good["detections"] == offline(make_dicom())
    assert len(good["detections"]) > 1


def test_concurrent_answers_are_the_offline_predictors_too(detect, offline, make_dicom):
    bodies = [make_dicom(seed, 300 + 10 * seed) for seed in range(6)]
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(detect, bodies))
    assert [answer.json()["detections"] for answer in answers] == list(map(offline, bodies))


def test_image_size_is_the_files(good):
    assert (good["image"]["rows"], good["image"]["columns"]) == (300, 200)


def test_pixel_spacing_is_the_files(detect, make_dicom):
    answer = detect(make_dicom(ImagerPixelSpacing=[0.1, 0.2]))
    assert answer.json()["image"]["pixel_spacing_mm"] == [0.1, 0.2]


def test_the_model_is_named_by_folder_and_hash(good, model_folder):
    assert good["model"] == {"id": "fused", "sha256": model_sha256(model_folder)}


def test_the_operating_threshold_is_the_folders(good):
    assert good["threshold"] == 0.25


def test_timings_add_up(good):
    timing = good["timing_ms"]
    assert 0 < timing["decode"] + timing["detect"] < timing["total"]


def test_the_expected_kind_has_no_warning(good):
    assert [w for w in good["warnings"] if w["code"] == "image_kind"] == []


def test_another_kind_is_answered_with_a_warning(detect, offline, make_dicom):
    body = make_dicom(ImageType=["ORIGINAL", "PRIMARY"])
    answer = detect(body).json()
    assert answer["warnings"][0]["code"] == "image_kind"
    assert answer["detections"] == offline(body)


def test_octet_stream_is_read_as_dicom(detect, good, make_dicom):
    answer = detect(make_dicom(), "application/octet-stream")
    assert answer.json()["detections"] == good["detections"]


def test_a_form_upload_is_read(client, good, make_dicom):
    answer = client.post("/v1/detect", files={"file": ("x.dcm", make_dicom())})
    assert answer.json()["detections"] == good["detections"]


def test_a_request_id_is_echoed(detect, make_dicom):
    answer = detect(make_dicom(), X_Request_ID="abc-123")
    assert answer.headers.get_list("x-request-id") == ["abc-123"]


def test_a_request_without_an_id_gets_one(client):
    assert client.get("/livez").headers["x-request-id"]


def test_an_empty_body_is_400(detect):
    assert problem(detect(b"")) == (400, "empty")


def test_a_broken_multipart_body_is_400(detect):
    answer = detect(b"--x\r\nno end", "multipart/form-data; boundary=x")
    assert problem(answer) == (400, "malformed_multipart")


def test_another_content_type_is_415(detect, make_dicom):
    assert problem(detect(make_dicom(), "image/png")) == (415, "unsupported_media_type")


def test_a_text_file_is_415(detect):
    assert problem(detect(b"just text\n" * 100)) == (415, "not_dicom")


def test_an_announced_body_over_the_limit_is_413(detect):
    assert problem(detect(bytes(500_001))) == (413, "too_large")


def test_a_streamed_body_is_cut_off_at_the_limit(client):
    def endless():
        for _ in range(100):
            yield bytes(100_000)

    head = {"Content-Type": "application/dicom"}
    answer = client.post("/v1/detect", content=endless(), headers=head)
    assert problem(answer) == (413, "too_large")


def test_a_ct_is_422(detect, make_dicom):
    body = make_dicom(Modality="CT", SOPClassUID=CT)
    assert problem(detect(body)) == (422, "wrong_modality")


def test_a_file_without_pixels_is_422(detect, make_dicom):
    dataset = pydicom.dcmread(io.BytesIO(make_dicom()))
    del dataset.PixelData
    file = io.BytesIO()
    dataset.save_as(file)
    assert problem(detect(file.getvalue())) == (422, "no_pixels")


def test_a_truncated_file_is_422(detect, make_dicom):
    body = make_dicom()
    status, _ = problem(detect(body[: len(body) * 2 // 3]))
    assert status == 422


def test_damaged_files_are_answered_or_refused_but_never_500(detect, make_dicom):
    body, draw = make_dicom(), random.Random(0)
    statuses = Counter()
    for _ in range(60):
        damaged = bytearray(body)
        for _ in range(3):
            damaged[draw.randrange(len(body)) % draw.choice([1200, len(body)])] = draw.randrange(
                256
            )
        statuses[detect(bytes(damaged)).status_code] += 1
    assert set(statuses) <= {200, 413, 415, 422}
    assert statuses[422] > 5


def test_a_refusal_does_not_hurt_the_next_request(detect, good, make_dicom):
    detect(b"just text\n" * 100)
    assert detect(make_dicom()).json()["detections"] == good["detections"]


def test_no_answer_holds_a_value_of_the_header(detect, make_dicom):
    marked = {"PatientName": "MARKER^A", "PatientID": "MARKER-B", "StudyDescription": "MARKER C"}
    good = detect(make_dicom(**marked))
    bad = detect(make_dicom(**marked, Modality="CT", SOPClassUID=CT))
    assert (good.status_code, bad.status_code) == (200, 422)
    assert "MARKER" not in good.text + bad.text + str(good.headers) + str(bad.headers)


def test_an_unknown_path_is_404(client):
    assert problem(client.get("/nothing")) == (404, "not_found")


def test_another_method_is_405(client):
    assert problem(client.get("/v1/detect")) == (405, "method_not_allowed")


def test_too_many_at_once_get_503_and_the_rest_are_right(client, good, make_dicom):
    body, head = make_dicom(), {"Content-Type": "application/dicom", **client.headers}

    def post(_):
        return httpx.post(
            client.base_url.join("/v1/detect"), content=body, headers=head, timeout=60
        )

    with ThreadPoolExecutor(40) as pool:
        answers = list(pool.map(post, range(40)))
    assert set(Counter(answer.status_code for answer in answers)) == {200, 503}
    for answer in answers:
        if answer.status_code == 200:
            assert answer.json()["detections"] == good["detections"]
        else:
            assert problem(answer) == (503, "busy")
            assert int(answer.headers["retry-after"]) >= 1


def test_it_lives(client):
    assert client.get("/livez").text == "ok\n"


def test_it_is_ready(client):
    assert client.get("/readyz").text == "ok\n"


def test_metrics_count_answers_and_refusals(client, detect, good):
    before = client.get("/metrics").text
    detect(b"just text\n" * 100)
    after = client.get("/metrics").text
    name = 'mgray_refused_total{code="not_dicom"} '

    def value(text):
        return float(text.split(name)[1].split("\n")[0]) if name in text else 0.0

    assert value(after) == value(before) + 1
    assert 'mgray_requests_total{route="/v1/detect",status="200"}' in after
    assert 'mgray_stage_seconds_count{stage="detect"}' in after


def test_openapi_documents_request_answer_and_errors(client):
    document = client.get("/openapi.json").json()
    post = document["paths"]["/v1/detect"]["post"]
    assert "application/dicom" in post["requestBody"]["content"]
    assert {"200", "400", "413", "415", "422", "503", "504"} <= set(post["responses"])
    assert "timing_ms" in document["components"]["schemas"]["Answer"]["properties"]
    assert "not_dicom" in json.dumps(post["responses"]["415"])
    assert post["security"] == [{"HTTPBearer": []}]


def test_the_served_folder_holds_no_ffdm_part(model_folder):
    from safetensors import safe_open

    meta = read_meta(model_folder)
    with safe_open(model_folder / WEIGHTS, "pt") as weights:
        parts = {name.split(".")[0] for name in weights.keys()}  # noqa: SIM118 - not a dict
    assert meta.inputs == ("sm",)
    assert parts == {"trunk_a", "trunk_b", "class_head", "box_head"}


def test_a_model_that_needs_two_images_is_refused(tmp_path, model_folder):
    model, meta = load_model(model_folder)
    both = meta.model_copy(update={"kind": "upper_bound", "inputs": ("sm", "ffdm")})
    save_model(tmp_path / "both", model, both)
    with pytest.raises(ConfigError, match="takes sm and ffdm: serve fused or sm"):
        build({"model": str(tmp_path / "both")})


def test_a_missing_model_is_refused_before_anything_starts(tmp_path):
    with pytest.raises(NotFoundError, match="no model folder"):
        build({"model": str(tmp_path / "none")})


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("model=/nowhere", "Error: no model folder '/nowhere'"),
        ("modle=/nowhere", "Error: unknown key 'modle': did you mean 'model'?"),
    ],
)
def test_serve_run_says_in_one_line_what_is_wrong(word, says):
    command = [Path(sys.executable).with_name("serve"), "run", "serve.app:build", word]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    assert "Traceback" not in ran.stderr
    assert ran.stderr.strip().splitlines()[-1].startswith(says)
