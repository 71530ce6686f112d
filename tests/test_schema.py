"""Tests of mgray.schema."""

import pyarrow as pa
import pytest

from mgray import schema
from mgray.errors import SchemaError

TABLES = [schema.IMAGE, schema.QUARANTINE, schema.PREDICTION]


@pytest.mark.parametrize("table", TABLES)
def test_every_column_says_what_it_means(table):
    assert all(field.metadata[b"meaning"] for field in table)


@pytest.mark.parametrize("table", TABLES)
def test_names_are_unique(table):
    assert len(set(table.names)) == len(table.names)


def test_pixels_are_large_binary():
    """Arrow's 2 GiB limit of plain binary is reached by 78 uncompressed mammograms."""
    assert schema.IMAGE.field("pixels").type == pa.large_binary()


@pytest.mark.parametrize("table", TABLES)
def test_own_version_is_accepted(table):
    schema.check_version(table, "table")


@pytest.mark.parametrize("metadata", [None, {schema.VERSION_KEY: b"0"}])
def test_other_version_is_one_line(metadata):
    with pytest.raises(
        SchemaError,
        match=r"image table has format version .*, expected 7: ingest the archive again",
    ):
        schema.check_version(pa.schema([], metadata=metadata), "image table")
