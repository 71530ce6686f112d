"""The running endpoint, over HTTP."""

import gzip
import io
import itertools
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

from mgray.config import fingerprint
from mgray.dicom.record import read_record
from mgray.errors import ConfigError, NotFoundError
from mgray.inference.predictor import Predictor
from mgray.models.folder import WEIGHTS, model_sha256, read_meta
from mgray.models.saved import load_model, save_model
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


def told(answer, number=0):
    """The detections of an answer, as far as the library has them."""
    image = (answer if isinstance(answer, dict) else answer.json())["images"][number]
    return [{name: one[name] for name in ("box", "score", "label")} for one in image["detections"]]


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
    assert told(good) == offline(make_dicom())
    assert len(told(good)) > 1


def test_concurrent_answers_are_the_offline_predictors_too(detect, offline, make_dicom):
    bodies = [make_dicom(seed, 300 + 10 * seed) for seed in range(6)]
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(detect, bodies))
    assert list(map(told, answers)) == list(map(offline, bodies))


def as_exam(client, bodies, **query):
    files = [("file", (f"{number}.dcm", body)) for number, body in enumerate(bodies)]
    return client.post("/v1/detect", files=files, params=query)


def test_an_exam_is_answered_image_by_image_bit_for_bit(client, offline, make_dicom):
    bodies = [
        make_dicom(seed, 300 + 10 * seed, ImageLaterality=side, ViewPosition=view)
        for seed, (side, view) in enumerate(itertools.product("LR", ("CC", "MLO")))
    ]
    answer = as_exam(client, bodies).json()
    assert [told(answer, number) for number in range(4)] == list(map(offline, bodies))
    sides = [(image["image"]["laterality"], image["image"]["view"]) for image in answer["images"]]
    assert sides == [("L", "CC"), ("L", "MLO"), ("R", "CC"), ("R", "MLO")]
    breasts = answer["exam"]["breasts"]
    assert [breast["images"] for breast in breasts] == [[0, 1], [2, 3]]
    assert answer["exam"]["score"] == max(breast["score"] for breast in breasts)


def test_one_bad_image_refuses_the_exam_and_is_named(client, make_dicom):
    answer = as_exam(client, [make_dicom(), b"just text\n" * 100])
    assert problem(answer) == (415, "not_dicom")
    assert answer.json()["detail"].startswith("image 2 of 2: ")


def test_too_many_images_are_413(client):
    assert problem(as_exam(client, [b"x"] * 17)) == (413, "too_many_parts")


def test_a_gzipped_body_is_read(detect, good, make_dicom):
    answer = detect(gzip.compress(make_dicom()), Content_Encoding="gzip")
    assert told(answer) == told(good)


def test_a_gzip_bomb_is_413(detect):
    answer = detect(gzip.compress(bytes(10**7)), Content_Encoding="gzip")
    assert problem(answer) == (413, "too_large")


def test_contributions_come_only_when_asked_for(detect, client, good, make_dicom):
    assert good["images"][0]["contributions"] is None
    (image,) = as_exam(client, [make_dicom()], contributions="true").json()["images"]
    halves = image["contributions"]
    assert image["detections"] == good["images"][0]["detections"]
    assert halves["a"] != halves["b"]
    assert {*halves["a"][0]} == {"box", "box_mm", "score", "label"}


def test_a_parameter_with_an_impossible_value_is_400_and_not_repeated(client, make_dicom):
    answer = as_exam(client, [make_dicom()], contributions="MARKER")
    assert problem(answer) == (400, "invalid_parameter")
    assert "MARKER" not in answer.text


def test_image_size_is_the_files(good):
    image = good["images"][0]["image"]
    assert (image["rows"], image["columns"]) == (300, 200)


def test_pixel_spacing_is_the_files(detect, make_dicom):
    answer = detect(make_dicom(ImagerPixelSpacing=[0.1, 0.2]))
    (image,) = answer.json()["images"]
    assert image["image"]["pixel_spacing_mm"] == [0.1, 0.2]
    x0, y0, x1, y1 = image["detections"][0]["box"]
    assert image["detections"][0]["box_mm"] == [x0 * 0.2, y0 * 0.1, x1 * 0.2, y1 * 0.1]


def test_the_preprocessing_is_told(good, detect, make_dicom):
    shown = good["images"][0]["preprocessing"]
    x0, y0, x1, y1 = shown["crop"]
    assert 0 <= x0 < 100 <= x1 <= 200
    assert 0 < y0 < 60
    assert 240 < y1 < 300
    assert (shown["mirrored"], shown["inverted"], shown["window"]) == (False, False, None)
    assert shown["net_size"] == [128, 128]
    window = {"WindowCenter": 700, "WindowWidth": 500}
    (image,) = detect(make_dicom(**window)).json()["images"]
    told = {"center": 700.0, "width": 500.0, "function": "LINEAR"}
    assert image["preprocessing"]["window"] == told


def test_the_model_is_told_with_version_and_hash(good, model_folder):
    sha256 = model_sha256(model_folder)
    assert good["model"] == {
        "id": "fused",
        "version": "1",
        "sha256": sha256,
        "config_fingerprint": fingerprint(read_meta(model_folder)),
    }


def test_the_operating_thresholds_are_the_folders(good):
    assert good["thresholds"] == {"0.5": 0.5, "1": 0.25}


def test_timings_add_up(good):
    image, whole = good["images"][0]["timing_ms"], good["timing_ms"]
    assert 0 < whole["read"] + image["decode"] + image["detect"] < whole["total"]


def test_the_expected_kind_has_no_warning(good):
    codes = {warning["code"] for warning in good["images"][0]["warnings"]}
    assert not codes & {"image_kind", "out_of_distribution"}


def test_another_kind_is_answered_with_a_warning(detect, offline, make_dicom):
    body = make_dicom(ImageType=["ORIGINAL", "PRIMARY"])
    answer = detect(body).json()
    assert answer["images"][0]["warnings"][0]["code"] == "image_kind"
    assert told(answer) == offline(body)


def test_an_image_unlike_the_training_images_is_answered_with_a_warning(detect, make_dicom):
    (image,) = detect(make_dicom(ImagerPixelSpacing=[0.9, 0.9])).json()["images"]
    said = {warning["code"]: warning["detail"] for warning in image["warnings"]}
    assert said["out_of_distribution"] == "unlike the training images in pixel spacing mm"


def test_implant_and_spot_view_are_warned_of(detect, make_dicom):
    body = make_dicom(BreastImplantPresent="YES", PaddleDescription="SPOT")
    codes = {warning["code"] for warning in detect(body).json()["images"][0]["warnings"]}
    assert {"implant", "spot_or_mag"} <= codes


def test_octet_stream_is_read_as_dicom(detect, good, make_dicom):
    answer = detect(make_dicom(), "application/octet-stream")
    assert told(answer) == told(good)


def test_a_form_upload_is_read(client, good, make_dicom):
    answer = client.post("/v1/detect", files={"file": ("x.dcm", make_dicom())})
    assert told(answer) == told(good)


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
    assert told(detect(make_dicom())) == told(good)


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
            assert told(answer) == told(good)
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
    schemas = document["components"]["schemas"]
    assert {"exam", "images", "model", "thresholds"} <= schemas["Answer"]["properties"].keys()
    assert schemas["Found"]["properties"]["box"]["description"].startswith("``x0, y0, x1, y1``")
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
