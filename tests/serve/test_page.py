"""The page's files as they are served; what they do in a browser is in ``page``."""

import re

import pytest

from serve.page import FOLDER, HEADERS, read_files

pytestmark = pytest.mark.ray
FILES = read_files()


def test_the_page_is_at_the_root(client):
    answer = client.get("/")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.content == FILES["index.html"]


@pytest.mark.parametrize("name", sorted(FILES))
def test_every_file_is_served_with_the_strict_headers(client, name):
    answer = client.get(f"/page/{name}")
    assert answer.content == (FOLDER / name).read_bytes()
    assert {key: answer.headers[key] for key in HEADERS} == HEADERS


@pytest.mark.parametrize("path", ["x.js", "../app.py", "..%2fapp.py", "%2e%2e/app.py", ""])
def test_nothing_else_is(client, path):
    assert client.get(f"/page/{path}").status_code == 404


def test_the_policy_allows_nothing_inline_and_no_other_host():
    policy = HEADERS["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert not re.search(r"unsafe|\*|http|data:", policy)


def test_no_script_or_style_stands_in_the_html():
    html = FILES["index.html"].decode()
    assert re.findall(r"<script(?![^>]* src=)|<style|\sstyle=|\son\w+=|javascript:", html) == []


@pytest.mark.parametrize("name", sorted(FILES))
def test_no_file_names_another_host(name):
    hosts = set(re.findall(rb"(?:https?:)?//[\w.-]+\.\w+[\w./]*", FILES[name]))
    assert hosts <= {b"http://www.w3.org/2000/svg"}


@pytest.mark.parametrize("name", sorted(n for n in FILES if n.endswith(".js")))
def test_no_script_makes_code_or_markup_of_text(name):
    assert not re.search(rb"\beval\b|new Function|innerHTML|outerHTML|insertAdjacent", FILES[name])


def test_the_files_are_small():
    assert sum(map(len, FILES.values())) < 120_000
