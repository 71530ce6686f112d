"""The C-STORE listener, against an endpoint and an archive of a few lines."""

import io
import logging
import re
import socket
import struct
import time
from contextlib import ExitStack

import httpx
import numpy as np
import pydicom
import pytest
from pydantic import ValidationError
from pynetdicom import AE

from mgray.dicom.example import example_file
from mgray.errors import ConfigError, MgrayError
from mgray.recipes import listen
from mgray.recipes.listen import CANNOT_UNDERSTAND, OUT_OF_RESOURCES, SUCCESS, ListenConfig

MAMMOGRAM = "1.2.840.10008.5.1.4.1.1.1.2"
CT = "1.2.840.10008.5.1.4.1.1.2"
BODY = example_file(np.zeros((64, 48), np.uint16), PatientName="MARKER", PatientID="MARKER")


class World:
    """What the endpoint and the archive answer, and what they were sent."""

    def __init__(self):
        self.detected = httpx.Response(200, content=b"report")
        self.stored = httpx.Response(200)
        self.requests = []

    def answer(self, request):
        self.requests.append((request.url.path, request.read()))
        reply = self.detected if request.url.path == "/v1/detect" else self.stored
        if isinstance(reply, Exception):
            raise reply
        return httpx.Response(reply.status_code, content=reply.content)


@pytest.fixture
def world(monkeypatch):
    world, real = World(), httpx.Client
    monkeypatch.setattr(
        listen.httpx,
        "Client",
        lambda **told: real(**told, transport=httpx.MockTransport(world.answer)),
    )
    return world


def config(**changes):
    return ListenConfig(results="http://archive/dicom-web", port=0, **changes)


def send(port, body=BODY, sop_class=MAMMOGRAM, called="MGRAY", title="SENDER"):
    """Status of one C-STORE; None if there was no association or it was aborted."""
    dataset = pydicom.dcmread(io.BytesIO(body))
    sender = AE(ae_title=title)
    sender.add_requested_context(sop_class, dataset.file_meta.TransferSyntaxUID)
    association = sender.associate("127.0.0.1", port, ae_title=called)
    if not association.is_established:
        return None
    status = association.send_c_store(dataset).get("Status")
    association.release()
    return status


def test_success_means_that_the_report_is_stored(world):
    with listen.listening(config()) as port:
        assert send(port) == SUCCESS
    (detect, asked), (studies, stored) = world.requests
    assert (detect, studies) == ("/v1/detect", "/dicom-web/studies")
    assert pydicom.dcmread(io.BytesIO(asked)).PatientName == "MARKER"
    assert b"report" in stored


@pytest.mark.parametrize(
    ("reply", "status"),
    [
        (httpx.Response(422, json={"code": "no_pixels"}), CANNOT_UNDERSTAND),
        (httpx.Response(415, text="no problem"), CANNOT_UNDERSTAND),
        (httpx.Response(400, json={"code": "empty"}), CANNOT_UNDERSTAND),
        (httpx.Response(413, json={"code": "too_large"}), CANNOT_UNDERSTAND),
        *((httpx.Response(status), OUT_OF_RESOURCES) for status in (302, 403, 404, 406, 421, 431)),
        (httpx.Response(503, json={"code": "busy"}), OUT_OF_RESOURCES),
        (httpx.Response(401, json={"code": "unauthorized"}), OUT_OF_RESOURCES),
        (httpx.Response(500, json={"code": "internal"}), OUT_OF_RESOURCES),
        (httpx.Response(502, text="bad gateway"), OUT_OF_RESOURCES),
        (httpx.ConnectError("MARKER"), OUT_OF_RESOURCES),
        (httpx.DecodingError("MARKER"), OUT_OF_RESOURCES),
    ],
)
def test_what_the_endpoint_does_not_answer_is_no_success(world, reply, status):
    world.detected = reply
    with listen.listening(config()) as port:
        assert send(port) == status
    assert [path for path, _ in world.requests] == ["/v1/detect"]


@pytest.mark.parametrize("reply", [httpx.Response(202), httpx.ConnectError("x")])
def test_what_the_archive_does_not_take_is_sent_again_later(world, reply):
    world.stored = reply
    with listen.listening(config()) as port:
        assert send(port) == OUT_OF_RESOURCES


def test_several_images_of_one_association_are_answered(world):
    dataset = pydicom.dcmread(io.BytesIO(BODY))
    sender = AE()
    sender.add_requested_context(MAMMOGRAM, dataset.file_meta.TransferSyntaxUID)
    with listen.listening(config()) as port:
        association = sender.associate("127.0.0.1", port, ae_title="MGRAY")
        found = [association.send_c_store(dataset).Status for _ in range(3)]
        association.release()
    assert found == [SUCCESS] * 3


def test_an_image_over_the_limit_ends_the_association(world):
    large = example_file(np.zeros((1200, 1000), np.uint16))
    with listen.listening(config(max_bytes=1000)) as port:
        assert send(port, large) is None
    assert world.requests == []


def test_other_objects_and_strangers_are_not_listened_to(world):
    with listen.listening(config(calling=["SENDER"])) as port:
        assert send(port, called="OTHER") is None
        assert send(port, title="STRANGER") is None
        assert send(port) == SUCCESS
        sender = AE()
        sender.add_requested_context(CT)
        assert not sender.associate("127.0.0.1", port, ae_title="MGRAY").is_established


def test_an_open_listener_needs_a_list_of_senders():
    with (
        pytest.raises(ConfigError, match="DICOM has no password"),
        listen.listening(config(host="0.0.0.0")),
    ):
        pass


def test_a_port_that_is_taken_is_one_line(world):
    with listen.listening(config()) as port:
        again = ListenConfig(results="http://archive", port=port)
        with pytest.raises(MgrayError, match=r"^port=\d+: cannot listen"), listen.listening(again):
            pass


def test_nothing_of_the_patient_is_logged(world, caplog):
    caplog.set_level(logging.DEBUG)
    world.detected = httpx.Response(422, json={"code": "MARKER", "detail": "MARKER"})
    with listen.listening(config()) as port:
        send(port)
    told = [record.getMessage() for record in caplog.records]
    assert "refused: 422 unknown" in told
    assert not [line for line in told if re.search("MARKER", line)]


def test_a_pdu_of_gigabytes_is_cut_off_at_its_header(world, caplog):
    with listen.listening(config()) as port, socket.create_connection(("127.0.0.1", port)) as peer:
        peer.settimeout(20)
        peer.sendall(struct.pack(">BBL", 1, 0, 2**32 - 1) + bytes(64))
        assert peer.recv(1) == b""
    assert "cut off: a PDU of more than 1048576 bytes" in caplog.text


@pytest.mark.parametrize("part", [b"\1\0\0", struct.pack(">BBL", 1, 0, 200) + bytes(50)])
def test_senders_that_stand_still_in_a_pdu_give_their_places_back(world, monkeypatch, part):
    """With more of them than places, and while they hold on to their ends."""
    monkeypatch.setattr(listen, "STALLED_S", 1.0)
    with listen.listening(config(max_associations=1)) as port, ExitStack() as held:
        for _ in range(2):
            peer = held.enter_context(socket.create_connection(("127.0.0.1", port)))
            peer.sendall(part)
        tries = (send(port) for _ in range(20) if not time.sleep(0.5))
        assert SUCCESS in tries


@pytest.mark.parametrize("title", ["", "   ", "A" * 17, "A\\B", "\u00e4"])
@pytest.mark.parametrize("field", ["ae_title", "calling"])
def test_titles_that_are_none_are_refused_by_the_config(field, title):
    with pytest.raises(ValidationError, match=field):
        config(**{field: [title] if field == "calling" else title})


@pytest.mark.parametrize("title", ["A" * 16, " A ", "A B"])
def test_titles_of_the_standard_pass(title):
    assert config(calling=[title], ae_title=title).calling == (title,)
