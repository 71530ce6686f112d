import asyncio

import httpx
import pytest

from mgray.recipes.stow import NotStoredError, archive_settings, related, store, store_async
from serve.intake import split_parts


def archive(answer):
    return httpx.Client(base_url="http://x/dicom-web", transport=httpx.MockTransport(answer))


def test_objects_are_parts_of_one_request():
    seen = []

    def answer(request):
        seen.append(request)
        return httpx.Response(200)

    store(archive(answer), [b"one", b"two\r\n"])
    (request,) = seen
    assert request.url.path == "/dicom-web/studies"
    kind, boundary = request.headers["content-type"].split("; boundary=")
    assert kind == 'multipart/related; type="application/dicom"'
    assert split_parts(request.content, boundary, 9) == [b"one", b"two\r\n"]


@pytest.mark.parametrize("status", [202, 401, 409, 500])
def test_anything_but_200_is_an_error_that_tells_the_status_alone(status):
    reply = archive(lambda request: httpx.Response(status, text="MARKER"))
    with pytest.raises(NotStoredError, match=rf"^[^\n]*status {status}$"):
        store(reply, [b"one"])


def test_an_archive_that_does_not_answer_is_one_line():
    async def ask():
        async with httpx.AsyncClient(**archive_settings("http://127.0.0.1:1")) as client:
            await store_async(client, [b"one"])

    with pytest.raises(NotStoredError, match="does not answer: ConnectError"):
        asyncio.run(ask())


def test_two_bodies_have_two_boundaries():
    assert related([b"x"])[0] != related([b"x"])[0]


def test_the_header_comes_from_the_environment(monkeypatch):
    monkeypatch.setenv("MGRAY_RESULTS_AUTHORIZATION", "Basic abc")
    assert archive_settings("http://x")["headers"]["Authorization"] == "Basic abc"
