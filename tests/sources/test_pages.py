from pathlib import Path

import pytest

from mgray.sources.pages import comparison, document, overview, page
from mgray.sources.registry import SOURCES
from mgray.sources.source import Count

DOCS = Path(__file__).parents[2] / "docs" / "sources.md"


def test_docs_are_current():
    assert DOCS.read_text() == document(), "run: python -m jobs.sources all > docs/sources.md"


@pytest.mark.parametrize("name", SOURCES)
def test_overview_lists_every_source_with_its_licence(name):
    lines = overview().splitlines()
    assert f"  licence  {SOURCES[name].licence_tag}" in lines[lines.index(name) :]


def test_page_tells_what_a_licence_forbids():
    said = page(SOURCES["embed"])
    assert "[non-commercial, data not to be handed on, nor weights trained on it]" in said


def test_comparison_shows_expected_found_and_difference():
    said = comparison("d", [Count("images", 1000, 990), Count("masks", None, 3)])
    assert "1,000" in said
    assert "-10" in said
    assert "not published" in said
    assert said.endswith("a partial download or another release, which is fine")


def test_whole_release_is_called_so():
    assert comparison("d", [Count("images", 2, 2)]).endswith("the pinned release, whole")


def test_verdict_needs_published_numbers():
    assert comparison("x", [Count("a", None, 3)]).endswith(
        "no numbers of a release are published to compare with"
    )
    assert comparison("x", [Count("a", 3, 3), Count("b", None, 1)]).endswith("release, whole")
    own = Count("a", 3, 3, of_release=False)
    assert comparison("x", [own, Count("b", 1, 1)]).endswith("the pinned release, whole")
    assert comparison("x", [own, Count("b", None, 1)]).endswith(
        "all files that the lists name are here; no numbers of a release are published to compare "
        "with"
    )
    assert "not as many files as lists name; no numbers" in comparison(
        "x", [Count("a", 3, 2, of_release=False)]
    )
    assert "not the whole" in comparison("x", [Count("a", 3, 2)])
