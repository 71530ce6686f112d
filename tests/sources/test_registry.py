import pytest

from mgray.config import build
from mgray.errors import ConfigError, DataError
from mgray.ingest.config import IngestConfig
from mgray.licence import TERMS
from mgray.schema import QC_FLAGS
from mgray.sources.embed import EmbedSource
from mgray.sources.registry import SOURCES, known
from mgray.sources.source import Source


@pytest.mark.parametrize("name", SOURCES)
def test_every_source_is_one_under_its_own_name(name):
    assert isinstance(SOURCES[name], Source)
    assert SOURCES[name].name == name


@pytest.mark.parametrize("name", SOURCES)
def test_every_licence_has_terms(name):
    assert SOURCES[name].licence_tag in TERMS


@pytest.mark.parametrize("name", SOURCES)
def test_every_description_is_complete_and_fits_a_table(name):
    told = SOURCES[name].describe()
    facts = (told.title, told.kind, told.size, told.labels, told.boxes, told.pairs, told.obtain)
    assert all(facts)
    assert not any("|" in fact or "\n" in fact for fact in facts)
    assert told.layout


def test_unknown_name_is_answered_with_the_nearest_and_all():
    with pytest.raises(
        ConfigError, match=r"source='embd': did you mean 'embed'.* Known: phantom, "
    ):
        build(IngestConfig, {"source": "embd", "archive": "a", "out": "b"})


def test_known_name_is_given_back():
    assert known("embed") == "embed"


def test_flags_are_unique():
    assert len(set(QC_FLAGS)) == len(QC_FLAGS)


def test_fault_in_a_catalog_tells_no_value(ingest_source, tmp_path, monkeypatch):
    def catalog(self, archive):
        raise KeyError("Jane Doe")

    monkeypatch.setattr(EmbedSource, "catalog", catalog)
    with pytest.raises(DataError, match=r"unexpected KeyError at test_registry\.py") as error:
        ingest_source("embed", tmp_path, tmp_path / "table")
    assert "Doe" not in str(error.value)
