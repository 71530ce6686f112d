import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve.intake import only_part
from serve.problems import Problem

HEAD = b"Content-Type: application/dicom\r\n\r\n"


def multipart(*parts, boundary=b"frontier"):
    body = b"".join(b"--" + boundary + b"\r\n" + HEAD + part + b"\r\n" for part in parts)
    return body + b"--" + boundary + b"--\r\n"


def code(body, boundary="frontier"):
    with pytest.raises(Problem) as refused:
        only_part(body, boundary)
    assert refused.value.status == 400
    return refused.value.code


@given(st.binary(max_size=200))
def test_the_content_comes_out_as_it_went_in(content):
    if b"--frontier" not in content:
        assert only_part(multipart(content), "frontier") == content


def test_line_ends_inside_the_content_stay():
    content = b"\r\na\nb\r\n\r\nc\r\n"
    assert only_part(multipart(content), "frontier") == content


def test_text_before_the_first_boundary_is_ignored():
    assert only_part(b"preamble\r\n" + multipart(b"x"), "frontier") == b"x"


def test_several_parts_are_refused():
    assert code(multipart(b"a", b"b")) == "several_parts"


def test_no_part_is_refused():
    assert code(b"--frontier--\r\n") == "several_parts"


def test_a_missing_end_is_refused():
    assert code(multipart(b"a").removesuffix(b"--\r\n")) == "malformed_multipart"


def test_a_part_without_end_of_headers_is_refused():
    assert code(b"--frontier\r\nno blank line\r\n--frontier--") == "malformed_multipart"


@pytest.mark.parametrize("boundary", ["", "x" * 71, "\u00fc"])
def test_a_boundary_outside_the_standard_is_refused(boundary):
    assert code(multipart(b"a"), boundary) == "malformed_multipart"


def outcome(body, boundary):
    try:
        return only_part(body, boundary)
    except Problem as refused:
        return refused.status


@given(st.binary(max_size=100), st.text(max_size=75))
def test_any_bytes_end_as_content_or_as_400(body, boundary):
    ended = outcome(body, boundary)
    assert isinstance(ended, bytes) or ended == 400
