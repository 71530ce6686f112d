import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mgray.config import replace
from mgray.data.table import read_content
from mgray.errors import ConfigError, DataError, NotFoundError
from mgray.models.folder import read_meta, update_meta
from mgray.reports.predictions import collect_predictions, run_models
from mgray.schema import PREDICTION


def test_all_models_of_a_run_are_evaluated_in_the_reports_order(world: object) -> None:
    assert run_models(world.config) == ["untrained", "sm", "ffdm", "fused", "upper_bound"]


def test_named_models_are_evaluated_alone(world: object) -> None:
    assert run_models(replace(world.config, {"models": ["fused", "sm"]})) == ["sm", "fused"]


def test_an_unknown_model_names_the_known_ones(world: object) -> None:
    with pytest.raises(ConfigError, match="'b' is not one of untrained, sm"):
        run_models(replace(world.config, {"models": ["b"]}))


def test_a_run_without_models_is_one_line(world: object, tmp_path: object) -> None:
    with pytest.raises(NotFoundError, match=r"run python -m jobs\.train first"):
        run_models(replace(world.config, {"run": tmp_path}))


def test_predictions_of_val_and_the_split_are_one_table(world: object) -> None:
    table = collect_predictions(world.config, world.predict)
    written = pq.read_table(world.config.out / "predictions.parquet")
    assert written.equals(table)
    assert set(table["split"].to_pylist()) == {"val", "test"}
    assert table.schema.equals(PREDICTION)
    assert written.schema.metadata[b"licence_tags"] == b"EMBED,unknown"


def test_predictions_that_are_done_are_reused(world: object) -> None:
    first = collect_predictions(world.config, world.predict)
    again = collect_predictions(world.config, world.predict)
    assert len(world.calls) == 5
    assert again.equals(first)


def test_a_threshold_in_the_model_folder_does_not_ask_for_new_predictions(world: object) -> None:
    config = replace(world.config, {"models": ["sm"]})
    collect_predictions(config, world.predict)
    folder = config.run / "models" / "sm"
    meta = read_meta(folder)
    update_meta(folder, meta.model_copy(update={"thresholds": {"x": 0.5}}))
    collect_predictions(config, world.predict)
    update_meta(folder, meta)
    assert world.calls == ["sm"]


def test_another_preprocessing_asks_for_new_predictions(world: object) -> None:
    config = replace(world.config, {"models": ["sm"]})
    collect_predictions(config, world.predict)
    folder = config.run / "models" / "sm"
    meta = read_meta(folder)
    update_meta(folder, meta.model_copy(update={"preprocess": {"net_height": 99}}))
    collect_predictions(config, world.predict)
    update_meta(folder, meta)
    assert world.calls == ["sm", "sm"]


def test_another_table_asks_for_new_predictions(
    world: object, changed_table: Callable[..., Path]
) -> None:
    def relabel(row: dict[str, Any]) -> None:
        row["density"] = "d"

    config = replace(world.config, {"models": ["sm"]})
    collect_predictions(config, world.predict)
    collect_predictions(replace(config, {"data": changed_table(relabel)}), world.predict)
    assert world.calls == ["sm", "sm"]


def test_new_content_in_shards_of_the_old_size_asks_for_new_predictions(
    world: object, tmp_path: Path
) -> None:
    config = replace(world.config, {"models": ["sm"]})
    collect_predictions(config, world.predict)
    data = tmp_path / "again"
    shutil.copytree(config.data, data)
    collect_predictions(replace(config, {"data": data}), world.predict)
    assert world.calls == ["sm"], "the same rows elsewhere"
    manifest = json.loads((data / "manifest.json").read_text())
    (data / "manifest.json").write_text(json.dumps(manifest | {"content_sha256": "other"}))
    collect_predictions(replace(config, {"data": data}), world.predict)
    assert world.calls == ["sm", "sm"]


@pytest.mark.parametrize("text", ["{", "[]", "{}", None])
def test_a_manifest_without_its_hash_is_one_line(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(DataError, match=r"manifest\.json in .* names no content_sha256: run"):
        read_content(tmp_path)


def test_the_configs_workers_and_gpu_reach_the_predictors(
    world: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def predict_models(*args: object, **how: object) -> Iterator[tuple[str, pa.Table]]:
        asked.append(how)
        return world.predict(*args)

    monkeypatch.setattr("mgray.inference.batch.predict_models", predict_models)
    collect_predictions(replace(world.config, {"models": ["sm"], "workers": 8, "gpu": True}))
    assert asked == [{"workers": 8, "gpu": True}]


def test_another_split_asks_for_new_predictions(world: object) -> None:
    config = replace(world.config, {"models": ["sm"]})
    collect_predictions(config, world.predict)
    only_val = collect_predictions(replace(config, {"split": "val"}), world.predict)
    assert world.calls == ["sm", "sm"]
    assert set(only_val["split"].to_pylist()) == {"val"}


def test_an_interrupted_model_leaves_the_finished_ones(world: object) -> None:
    def fail_late(
        folders: dict[str, Path], data: Path, splits: list[str]
    ) -> Iterator[tuple[str, pa.Table]]:
        yield from world.predict(
            {name: folders[name] for name in ("untrained", "sm")}, data, splits
        )
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        collect_predictions(world.config, fail_late)
    assert not (world.config.out / "predictions.parquet").exists()
    collect_predictions(world.config, world.predict)
    assert world.calls == ["untrained", "sm", "ffdm", "fused", "upper_bound"]


def test_only_whole_files_are_left_behind(world: object) -> None:
    collect_predictions(world.config, world.predict)
    files = [path.name for path in world.config.out.rglob("*") if path.is_file()]
    assert len(files) == 6
    assert not any(name.startswith(".") for name in files)


def test_predictions_of_another_schema_are_refused(world: object) -> None:
    def predict_less(*_: object) -> Iterator[tuple[str, pa.Table]]:
        yield "sm", pa.table({"model": ["sm"]})

    with pytest.raises(ValueError, match="field names"):
        collect_predictions(world.config, predict_less)


def test_damaged_predictions_are_made_again(
    world: object, caplog: pytest.LogCaptureFixture
) -> None:
    config = replace(world.config, {"models": ["sm"]})
    made = collect_predictions(config, world.predict)
    (part,) = (config.out / "predictions").glob("sm-*.parquet")
    column = pq.ParquetFile(part).metadata.row_group(0).column(0)
    data = bytearray(part.read_bytes())
    data[column.data_page_offset + column.total_compressed_size - 1] ^= 1
    part.write_bytes(data)
    assert collect_predictions(config, world.predict).equals(made)
    part.write_bytes(b"")
    assert collect_predictions(config, world.predict).equals(made)
    assert world.calls == ["sm"] * 3
    assert caplog.text.count("predictions of a model are damaged: made again") == 2


@pytest.mark.parametrize("below", ["", "deeper"])
def test_a_file_in_the_place_of_out_is_one_line(world: object, tmp_path: Path, below: str) -> None:
    (tmp_path / "taken").write_text("")
    config = replace(world.config, {"out": tmp_path / "taken" / below})
    with pytest.raises(ConfigError, match=r"^out='.*': a file is in its place, expected a folder"):
        collect_predictions(config, world.predict)
    assert world.calls == []
