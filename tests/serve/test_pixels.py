"""``POST /v1/pixels``: grey levels for a screen, by the same isolated door as detection."""

import gzip
import json

import cv2
import numpy as np
import pytest

from mgray.dicom.pixels import read_stored
from mgray.dicom.record import read_record

pytestmark = pytest.mark.ray


@pytest.fixture(scope="module")
def pixels(client):
    def post(body, side=None, content_type="application/dicom"):
        asked = {} if side is None else {"side": side}
        return client.post(
            "/v1/pixels", content=body, params=asked, headers={"Content-Type": content_type}
        )

    return post


def image_of(answer):
    return cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_UNCHANGED)


def frame_of(answer):
    return json.loads(answer.content.split(b"\n")[1].removeprefix(b"# "))


def test_the_greys_are_the_files_values(pixels, make_dicom):
    found = image_of(pixels(make_dicom()))
    stored = read_stored(read_record(make_dicom()).columns)
    np.testing.assert_array_equal(found, np.rint(stored * (65535 / 1023)))


def test_a_smaller_side_is_obeyed_and_its_affine_told(pixels, make_dicom):
    answer = pixels(make_dicom(), side=256)
    assert image_of(answer).shape == (150, 100)
    assert frame_of(answer)["affine"] == [[2.0, 0.0, -0.5], [0.0, 2.0, -0.5]]
    assert (frame_of(answer)["rows"], frame_of(answer)["columns"]) == (300, 200)


def test_it_comes_packed_and_plain(client, make_dicom):
    head = {"Content-Type": "application/dicom", "Accept-Encoding": "identity"}
    plain = client.post("/v1/pixels", content=make_dicom(), headers=head)
    assert "content-encoding" not in plain.headers
    assert plain.content.startswith(b"P5\n")
    with client.stream(
        "POST", "/v1/pixels", content=make_dicom(), headers=head | {"Accept-Encoding": "gzip"}
    ) as packed:
        raw = b"".join(packed.iter_raw())
    assert len(raw) < len(plain.content) / 1.5
    assert gzip.decompress(raw) == plain.content


@pytest.mark.parametrize(
    ("body", "status", "code"), [(b"", 400, "empty"), (b"no DICOM", 415, "not_dicom")]
)
def test_what_is_no_image_is_refused(pixels, body, status, code):
    answer = pixels(body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_another_content_type_is_415(pixels, make_dicom):
    assert pixels(make_dicom(), content_type="text/plain").status_code == 415


@pytest.mark.parametrize("side", [0, 255, 8193, "x"])
def test_a_side_out_of_range_is_400(pixels, make_dicom, side):
    answer = pixels(make_dicom(), side)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_parameter")
