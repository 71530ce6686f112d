from pathlib import Path

from mgray.reports.run import flat, run_facts, settings, versions, without_paths


def test_paths_are_dropped_at_any_depth() -> None:
    assert without_paths({"a": "/x", "b": {"c": "d\\e", "f": 1}, "g": ["h/i", "j"]}) == {
        "b": {"f": 1},
        "g": ["j"],
    }


def test_folders_are_dropped_even_when_they_do_not_look_like_paths() -> None:
    assert settings({"data": "table", "out": "x", "seed": 1}) == {"seed": 1}


def test_a_run_folder_tells_its_record_and_config(world: object) -> None:
    facts = run_facts(world.config.run)
    assert facts["record"]["seed"] == 5
    assert facts["config"] == {"seed": 5}


def test_a_run_folder_without_records_is_empty(tmp_path: Path) -> None:
    assert run_facts(tmp_path) == {"record": {}, "config": {}}


def test_nested_settings_become_dotted() -> None:
    assert list(flat({"a": {"b": 1}, "c": 2})) == [("a.b", 1), ("c", 2)]


def test_versions_name_python_and_mgray() -> None:
    assert {"python", "mgray"} <= versions().keys()
