"""Predictions of a run's models on held-out pairs; those that are done are reused."""

import hashlib
import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from mgray.data.table import ImageTable, read_content
from mgray.errors import ConfigError, NotFoundError
from mgray.files import whole
from mgray.licence import UNKNOWN, tags_of
from mgray.models.folder import model_sha256, read_meta
from mgray.reports.config import EvaluateConfig
from mgray.schema import PREDICTION

MODELS: Final = ("untrained", "sm", "ffdm", "fused", "upper_bound")
FILE: Final = "predictions.parquet"
LICENCES: Final = "licence_tags"
"""Key of the schema's metadata: tags with commas between them."""
Predict = Callable[[Mapping[str, Path], Path, Sequence[str]], Iterator[tuple[str, pa.Table]]]
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
        predict: Model folders by name, image table, splits -> each model's name and predictions;
            by default ``mgray.inference.batch.predict_models`` with the config's workers.
    """
    splits: list[str] = sorted({"val", config.split})
    parts = _parts(config, splits)
    loaded = {name: load_predictions(part) for name, part in parts.items()}
    done = {name: table for name, table in loaded.items() if table is not None}
    for name in done:
        log.info("%s: predictions are done", name)
    todo = {name: config.run / "models" / name for name in parts if name not in done}
    if todo:
        for name, rows in (predict or _on_ray(config))(todo, config.data, splits):
            done[name] = rows.cast(PREDICTION)
            write_predictions(done[name], parts[name])
    table = pa.concat_tables([done[name] for name in parts])
    write_predictions(
        table.replace_schema_metadata({LICENCES: ",".join(licences(config))}), config.out / FILE
    )
    return table


def write_predictions(table: pa.Table, path: Path) -> None:
    """Write predictions whole, with checksums."""
    with whole(path) as draft:
        pq.write_table(table, draft, write_page_checksum=True)


def load_predictions(path: Path) -> pa.Table | None:
    """Read predictions and check their bytes; ``None`` if there are none, or damaged ones."""
    if not path.is_file():
        return None
    try:
        return pq.read_table(path, schema=PREDICTION, page_checksum_verification=True)
    except (OSError, pa.ArrowException):
        log.warning("predictions of a model are damaged: made again")
        return None


def licences(config: EvaluateConfig) -> tuple[str, ...]:
    """List the licence tags of the images and of all that the models have seen."""
    index = ImageTable.open(config.data).index
    metas = (read_meta(config.run / "models" / name) for name in run_models(config))
    learnt = (tag for meta in metas for tag in meta.data_licences or (UNKNOWN,))
    return tags_of(*index["licence_tag"].unique().to_pylist(), *learnt)


def _parts(config: EvaluateConfig, splits: list[str]) -> dict[str, Path]:
    """Each model's own file, named by all that its predictions depend on."""
    folder = config.out / "predictions"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise ConfigError(
            f"out={str(config.out)!r}: a file is in its place, expected a folder: give another"
        ) from None
    rest = [read_content(config.data), splits, config.gpu]
    return {
        name: folder / f"{name}-{_fingerprint(config.run / 'models' / name, rest)}.parquet"
        for name in run_models(config)
    }


def _on_ray(config: EvaluateConfig) -> Predict:
    from mgray.inference.batch import predict_models

    return partial(predict_models, workers=config.workers, gpu=config.gpu)


def _fingerprint(folder: Path, rest: Sequence[Any]) -> str:
    meta = read_meta(folder).model_dump(mode="json", exclude={"thresholds", "notes", "measured"})
    facts = json.dumps([model_sha256(folder), meta, *rest], sort_keys=True)
    return hashlib.sha256(facts.encode()).hexdigest()[:12]
