import asyncio
import gzip
import zlib

import pytest
from fastapi import Request
from hypothesis import given
from hypothesis import strategies as st

from serve.intake import read_images, split_parts
from serve.problems import Problem

HEAD = b"Content-Type: application/dicom\r\n\r\n"


def multipart(*parts, boundary=b"frontier"):
    body = b"".join(b"--" + boundary + b"\r\n" + HEAD + part + b"\r\n" for part in parts)
    return body + b"--" + boundary + b"--\r\n"


def code(body, boundary="frontier", status=400):
    with pytest.raises(Problem) as refused:
        split_parts(body, boundary, 3)
    assert refused.value.status == status
    return refused.value.code


@given(st.lists(st.binary(max_size=200), min_size=1, max_size=3))
def test_the_contents_come_out_as_they_went_in(contents):
    if not any(b"--frontier" in content for content in contents):
        assert split_parts(multipart(*contents), "frontier", 3) == contents


def test_line_ends_inside_the_content_stay():
    content = b"\r\na\nb\r\n\r\nc\r\n"
    assert split_parts(multipart(content), "frontier", 3) == [content]


def test_text_before_the_first_boundary_is_ignored():
    assert split_parts(b"preamble\r\n" + multipart(b"x"), "frontier", 3) == [b"x"]


def test_too_many_parts_are_refused():
    assert code(multipart(b"a", b"b", b"c", b"d"), status=413) == "too_many_parts"


def test_as_many_parts_as_allowed_are_read():
    assert split_parts(multipart(b"a", b"b", b"c"), "frontier", 3) == [b"a", b"b", b"c"]


def test_no_part_is_refused():
    assert code(b"--frontier--\r\n") == "malformed_multipart"


def test_a_missing_end_is_refused():
    assert code(multipart(b"a").removesuffix(b"--\r\n")) == "malformed_multipart"


def test_a_part_without_end_of_headers_is_refused():
    assert code(b"--frontier\r\nno blank line\r\n--frontier--") == "malformed_multipart"


@pytest.mark.parametrize("boundary", ["", "x" * 201, "\u00fc"])
def test_a_boundary_outside_the_standard_is_refused(boundary):
    assert code(multipart(b"a"), boundary) == "malformed_multipart"


def outcome(body, boundary):
    try:
        return split_parts(body, boundary, 3)
    except Problem as refused:
        return refused.status


@given(st.binary(max_size=100), st.text(max_size=75))
def test_any_bytes_end_as_contents_or_as_a_refusal(body, boundary):
    ended = outcome(body, boundary)
    assert isinstance(ended, list) or ended in (400, 413)


def read(body, limit=1000, chunk=7, **headers):
    """Read a request that comes in chunks; returns the images and how many bytes were taken."""
    taken = 0

    async def receive():
        nonlocal taken
        part, rest = body[taken : taken + chunk], body[taken + chunk :]
        taken += len(part)
        return {"type": "http.request", "body": part, "more_body": bool(rest)}

    told = {"content-type": "application/dicom"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    raw = [(name.encode(), value.encode()) for name, value in told.items()]
    request = Request({"type": "http", "headers": raw}, receive)
    try:
        return asyncio.run(read_images(request, limit, 3)), taken
    except Problem as refused:
        return refused.code, taken


def test_a_body_is_an_image():
    assert read(b"x" * 100) == ([b"x" * 100], 100)


def test_parts_are_images():
    body = multipart(b"one", b"two")
    assert read(body, content_type="multipart/related; boundary=frontier")[0] == [b"one", b"two"]


def test_an_empty_part_is_refused():
    body = multipart(b"one", b"")
    assert read(body, content_type="multipart/related; boundary=frontier")[0] == "empty"


def test_reading_stops_at_the_limit():
    assert read(b"x" * 10_000, limit=70) == ("too_large", 77)


def test_gzip_is_inflated():
    assert read(gzip.compress(b"x" * 900), content_encoding="gzip")[0] == [b"x" * 900]


def test_gzip_of_parts_is_inflated():
    body = gzip.compress(multipart(b"one", b"two"))
    told = {"content_type": "multipart/related; boundary=frontier", "content_encoding": "GZIP"}
    assert read(body, **told)[0] == [b"one", b"two"]


def test_a_bomb_ends_at_the_limit_and_takes_no_memory():
    import tracemalloc

    deflate = zlib.compressobj(9, wbits=31)
    bomb = b"".join(deflate.compress(bytes(2**20)) for _ in range(64)) + deflate.flush()
    tracemalloc.start()
    ended, taken = read(bomb, limit=2**20, chunk=4096, content_encoding="gzip")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert ended == "too_large"
    assert taken < len(bomb)
    assert peak < 6 * 2**20


@pytest.mark.parametrize("length", [0, 1, 10, 30])
def test_gzip_that_is_cut_off_is_refused(length):
    whole = gzip.compress(bytes(range(256)) * 3)
    assert read(whole[:length], content_encoding="gzip")[0] == "malformed_gzip"


def test_bytes_after_the_end_of_gzip_are_refused():
    assert read(gzip.compress(b"x") + b"more", content_encoding="gzip")[0] == "malformed_gzip"


def test_what_is_no_gzip_is_refused():
    assert read(b"plain text", content_encoding="gzip")[0] == "malformed_gzip"


def test_another_encoding_is_refused():
    assert read(b"x", content_encoding="br")[0] == "unsupported_media_type"


@given(st.binary(max_size=300))
def test_any_bytes_as_gzip_end_as_an_image_or_as_a_code(body):
    ended, _ = read(gzip.compress(b"some content")[:12] + body, content_encoding="gzip")
    assert isinstance(ended, list) or ended in {"malformed_gzip", "too_large", "empty"}


@pytest.mark.parametrize(
    "boundary", [f"boundary*{'0' * 4400}=x", "boundary*1=x; boundary*=y"], ids=["long", "mixed"]
)
def test_a_boundary_in_parts_that_have_no_order_is_refused(boundary):
    told = {"content_type": f"multipart/form-data; {boundary}"}
    assert read(multipart(b"one"), **told)[0] == "malformed_multipart"


@pytest.mark.parametrize(("length", "ended"), [("0" * 5000, [b"x"]), ("9" * 5000, "too_large")])
def test_an_announced_length_of_thousands_of_digits_is_a_number(length, ended):
    assert read(b"x", content_length=length)[0] == ended
