"""The ingress as an object, between decoders and detectors of a few lines."""

import asyncio
import time

import pytest

from mgray.errors import DataError
from mgray.models.shelf import Shelf
from serve.answers import (
    Detected,
    ImageAnswer,
    ImageFacts,
    ImageTiming,
    ModelFacts,
    Preprocessing,
    Refusal,
)
from serve.args import Args
from serve.counts import render
from serve.endpoint import Endpoint
from serve.filing import Wanted
from serve.model_card import model_card
from serve.pixels import pixels
from serve.problems import Problem

DETECTED = Detected(
    ImageAnswer(
        image=ImageFacts(
            rows=8,
            columns=8,
            pixel_spacing_mm=None,
            kind="ffdm",
            laterality="L",
            view="CC",
            view_modifiers=[],
        ),
        score=0.0,
        detections=[],
        warnings=[],
        preprocessing=Preprocessing(
            crop=(0, 0, 8, 8), mirrored=False, inverted=False, window=None, net_size=(8, 8)
        ),
        timing_ms=ImageTiming(decode=1.0, detect=1.0),
    ),
    ModelFacts(id="fused", version="1", sha256="0", config_fingerprint="0"),
    {},
    "study",
)
NEVER = object()


class Reply:
    """Of a call: a value, a failure, or nothing at all."""

    def __init__(self, value):
        self.value, self.cancelled = value, False

    def __await__(self):
        return self._wait().__await__()

    async def _wait(self):
        if self.value is NEVER:
            await asyncio.Event().wait()
        if isinstance(self.value, Exception):
            raise self.value
        return self.value

    def cancel(self):
        self.cancelled = True
        if isinstance(self.value, Exception):
            raise self.value


class Handle:
    """Of a deployment that answers every call alike; one name of a method is the handle's too."""

    def __init__(self, value):
        self.value, self.replies = value, []
        self.write = self.pixels = self.card = self

    def options(self, **options):
        return self

    def remote(self, *told):
        self.replies.append(Reply(self.value))
        return self.replies[-1]

    @property
    def cancelled(self):
        return [one.cancelled for one in self.replies]


@pytest.fixture
def make_endpoint(tmp_path):
    """Build an endpoint whose first version answered once; the second one is current."""
    for version in "12":
        (tmp_path / "fused" / version).mkdir(parents=True)
        (tmp_path / "fused" / version / "config.json").write_text("{}")
    shelf = Shelf(tmp_path)
    shelf.choose("fused", "2")
    plain = Endpoint.__bases__[0]  # without what Serve adds

    def make(decoder, detector):
        args = Args(model=str(tmp_path), deadline_s=0.05)
        return plain(Handle(decoder), Handle(detector), shelf, args)

    return make


def code(call):
    with pytest.raises(Problem) as refused:
        asyncio.run(call)
    return refused.value.code


def ask(endpoint, images=2, form=None):
    return endpoint.answer([b"x"] * images, form, Wanted(), time.perf_counter())


@pytest.mark.parametrize(
    ("detector", "expected"), [(NEVER, "deadline"), (DataError("x"), "unavailable")]
)
def test_decoders_do_not_go_on_for_a_request_that_failed(make_endpoint, detector, expected):
    endpoint = make_endpoint(b"decoded", detector)
    assert code(ask(endpoint)) == expected
    assert endpoint.decoder.cancelled == [True, True]


def test_a_decoder_that_cannot_be_called_off_hides_no_failure(make_endpoint):
    endpoint = make_endpoint(RuntimeError("never assigned"), NEVER)
    assert code(ask(endpoint)) == "deadline"
    assert endpoint.decoder.cancelled == [True, True]


def test_what_was_decoded_is_kept_for_the_report(make_endpoint):
    endpoint = make_endpoint("written", DETECTED)
    _, written = asyncio.run(ask(endpoint, form="sr"))
    assert written == "written"
    assert endpoint.decoder.cancelled == [False] * 3


def test_writing_is_called_off_at_the_deadline(make_endpoint):
    endpoint = make_endpoint(NEVER, DETECTED)
    assert code(ask(endpoint, images=1, form="sr")) == "deadline"
    assert endpoint.decoder.cancelled == [False, True]


def test_pixels_are_called_off_at_the_deadline(make_endpoint):
    endpoint = make_endpoint(NEVER, None)

    async def read(request, most):
        return [b"x"]

    endpoint.read = read
    assert code(pixels(None, endpoint)) == "deadline"
    assert endpoint.decoder.cancelled == [True]


def test_a_refusal_at_writing_is_counted(make_endpoint):
    endpoint = make_endpoint(Refusal("burned_in", ""), DETECTED)
    assert code(ask(endpoint, images=1, form="sr")) == "burned_in"
    assert b'mgray_refused_total{code="burned_in"} 1.0' in render()


def test_two_versions_that_cannot_be_loaded_are_unavailable(make_endpoint):
    endpoint = make_endpoint(b"decoded", DataError("x"))
    endpoint.models.answered("fused/1", None)
    assert code(ask(endpoint)) == "unavailable"
    assert code(model_card(endpoint)) == "unavailable"
    assert len(endpoint.detector.replies) == 6


def test_a_version_that_only_passed_a_refusal_on_did_not_answer(make_endpoint):
    endpoint = make_endpoint(b"decoded", Refusal("no_pixels", ""))
    endpoint.models.answered("fused/1", None)
    assert code(ask(endpoint)) == "no_pixels"
    assert endpoint.models.fallback("fused/2", None) == "fused/1"
