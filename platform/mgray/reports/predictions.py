"""Predictions of a run's models on held-out pairs; those that are done are reused."""

import hashlib
import json
import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from mgray.errors import ConfigError, NotFoundError
from mgray.models.folder import model_sha256, read_meta
from mgray.reports.config import EvaluateConfig
from mgray.schema import PREDICTION

MODELS: Final = ("untrained", "sm", "ffdm", "fused", "upper_bound")
FILE: Final = "predictions.parquet"
Predict = Callable[[Path, Path, Sequence[str], str], pa.Table]
log = logging.getLogger(__name__)


def run_models(config: EvaluateConfig) -> list[str]:
    """Which models are evaluated, in the order of the report.

    Raises:
        ConfigError: A name that is no model's.
        NotFoundError: A named model is missing, or the run has none at all.
    """
    unknown = [name for name in config.models if name not in MODELS]
    if unknown:
        raise ConfigError(f"models: {unknown[0]!r} is not one of {', '.join(MODELS)}")
    present = [name for name in MODELS if (config.run / "models" / name).is_dir()]
    missing = [name for name in config.models if name not in present]
    if missing or not present:
        what = f"model {missing[0]!r}" if missing else "models"
        raise NotFoundError(f"no {what} in {str(config.run)!r}: run python -m jobs.train first")
    return [name for name in present if not config.models or name in config.models]


def collect_predictions(config: EvaluateConfig, predict: Predict | None = None) -> pa.Table:
    """Predict on val and the reported split with every model, and write them as one table.

    Args:
        config: Names run, data, models and out.
        predict: Model folder, image table, splits, model name -> predictions; by default
            ``mgray.inference.batch.predict_table``.
    """
    splits: list[str] = sorted({"val", config.split})
    names = run_models(config)
    parts = config.out / "predictions"
    parts.mkdir(parents=True, exist_ok=True)
    data, found = _table_fingerprint(config.data, splits), []
    for name in names:
        folder = config.run / "models" / name
        path = parts / f"{name}-{_fingerprint(folder, data)}.parquet"
        if path.is_file():
            log.info("%s: predictions are done", name)
        else:
            rows = (predict or _ray_predict)(folder, config.data, splits, name)
            _write(rows.cast(PREDICTION), path)
        found.append(pq.read_table(path, schema=PREDICTION))
    table = pa.concat_tables(found)
    _write(table, config.out / FILE)
    return table


def _ray_predict(folder: Path, data: Path, splits: Sequence[str], model: str) -> pa.Table:
    from mgray.inference.batch import predict_table

    return predict_table(folder, data, splits, model)


def _fingerprint(folder: Path, table: str) -> str:
    meta = read_meta(folder).model_dump(mode="json", exclude={"thresholds", "notes"})
    facts = json.dumps([model_sha256(folder), meta, table], sort_keys=True)
    return hashlib.sha256(facts.encode()).hexdigest()[:12]


def _table_fingerprint(data: Path, splits: Sequence[str]) -> str:
    shards = sorted((data / "images").glob("part-*.parquet"))
    facts = [[shard.name, _footer(shard)] for shard in shards]
    return hashlib.sha256(json.dumps([facts, [*splits]]).encode()).hexdigest()


def _footer(shard: Path) -> str:
    """Hash a shard's Parquet footer, which holds size and statistics of every column chunk."""
    with shard.open("rb") as file:
        file.seek(-8, os.SEEK_END)
        length = int.from_bytes(file.read(4), "little")
        file.seek(-8 - length, os.SEEK_END)
        return hashlib.sha256(file.read(length)).hexdigest()


def _write(table: pa.Table, path: Path) -> None:
    unfinished = path.with_name(f".{path.name}")
    pq.write_table(table, unfinished, write_page_checksum=True)
    unfinished.replace(path)
