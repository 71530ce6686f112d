import stat

import pyarrow.parquet as pq

from mgray.ingest.private import write_paths
from mgray.schema import PATHS


def test_side_table_maps_pseudonyms_to_paths_for_its_owner_alone(tmp_path, ids):
    write_paths(tmp_path, ["b.dcm", "a.dcm"], ids)
    path = tmp_path / "private" / "paths.parquet"
    told = {row["file_id"]: row["source_path"] for row in pq.read_table(path).to_pylist()}
    assert told == {ids.file(name): name for name in ("a.dcm", "b.dcm")}
    assert [stat.S_IMODE(one.stat().st_mode) for one in (path, path.parent)] == [0o600, 0o700]
    assert pq.read_schema(path).equals(PATHS)


def test_side_table_that_is_right_is_left_alone_and_a_damaged_one_is_made_again(tmp_path, ids):
    path = tmp_path / "private" / "paths.parquet"
    write_paths(tmp_path, ["a.dcm"], ids)
    before = path.stat().st_mtime_ns
    write_paths(tmp_path, ["a.dcm"], ids)
    assert path.stat().st_mtime_ns == before
    path.write_bytes(b"cut")
    write_paths(tmp_path, ["a.dcm"], ids)
    assert pq.read_table(path).num_rows == 1


def test_name_that_is_no_unicode_can_be_listed(tmp_path, ids):
    write_paths(tmp_path, ["\udcff.dcm"], ids)
    assert (tmp_path / "private" / "paths.parquet").is_file()


def test_no_path_is_written_unless_asked_for(archive, ingest_here, tmp_path):
    archive.pair(1)
    archive.put("refused-name.dcm", b"text")
    plain, asked = tmp_path / "plain", tmp_path / "asked"
    assert ingest_here(archive, plain) == ingest_here(archive, asked, private_paths=True)
    named = {one.relative_to(asked) for one in asked.rglob("*") if one.is_file()}
    assert {str(one) for one in named if not (plain / one).exists()} == {"private/paths.parquet"}
    told = b"".join(one.read_bytes() for one in plain.rglob("*") if one.is_file())
    assert b"refused-name" not in told
    assert b"001-ffdm" not in told
