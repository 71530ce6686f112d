import pytest

from mgray.errors import LicenceError
from mgray.licence import TERMS, check_sharing, tags_of


def test_free_licences_forbid_nothing():
    check_sharing(["CC-BY-4.0", "Apache-2.0"], "data")
    check_sharing(["CC-BY-NC-4.0", "RSNA"], "models")


@pytest.mark.parametrize("what", ["data", "models"])
@pytest.mark.parametrize("tags", [(), ("unknown",), tags_of(None, "CC0-1.0"), tags_of("")])
def test_what_nobody_told_is_refused_unless_named(tags, what):
    with pytest.raises(LicenceError) as error:
        check_sharing(tags, what)
    assert str(error.value).endswith("say allow=[unknown]")
    check_sharing(tags, what, allow=["unknown"])


def test_tags_are_told_once_each_in_order():
    assert tags_of("EMBED", None, "CC0-1.0", "EMBED") == ("CC0-1.0", "EMBED", "unknown")


def test_weights_trained_on_embed_are_not_handed_on():
    with pytest.raises(LicenceError) as error:
        check_sharing(["CC0-1.0", "EMBED"], "models")
    assert "licence EMBED forbids handing on weights trained on data under it" in str(error.value)
    assert str(error.value).endswith("say allow=[EMBED]")


def test_permission_is_given_by_name():
    check_sharing(["EMBED"], "models", allow=["EMBED"])
    with pytest.raises(LicenceError, match="EMBED"):
        check_sharing(["EMBED"], "models", allow=["all"])


@pytest.mark.parametrize("tag", ["embed", "EMBED ", " Embed"])
def test_tag_is_meant_in_any_case(tag):
    with pytest.raises(LicenceError, match="licence EMBED forbids"):
        check_sharing([tag], "models")
    check_sharing(["EMBED"], "models", allow=[tag])


def test_tag_that_nobody_knows_is_refused_unless_named():
    with pytest.raises(LicenceError, match="licence EMBDE is none that is known") as error:
        check_sharing(["EMBDE", "CC0-1.0"], "data")
    assert str(error.value).endswith("say allow=[EMBDE]")
    check_sharing(["EMBDE"], "data", allow=["EMBDE"])


@pytest.mark.parametrize("tag", ["EMBED", "VinDr-Mammo", "CSAW-CC", "OMI-DB"])
def test_restricted_data_are_not_handed_on(tag):
    with pytest.raises(LicenceError, match=f"licence {tag} forbids handing on data"):
        check_sharing([tag], "data")


@pytest.mark.parametrize("tag", ["EMBED", "RSNA", "CC-BY-NC-4.0"])
def test_non_commercial_is_said(tag):
    assert not TERMS[tag].commercial
