"""Predictions for a whole image table: pairs in, one row of ``schema.PREDICTION`` per pair out.

Ray Data carries row numbers only; each worker reads its images from the table by random access.
"""

import logging
import warnings
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import ray
from ray.util.annotations import RayDeprecationWarning

from mgray.cluster import start_ray
from mgray.data.pairs import build_pairs
from mgray.data.table import ImageTable
from mgray.errors import NotFoundError
from mgray.inference.predictor import Predictor
from mgray.models.folder import read_meta
from mgray.progress import Bar
from mgray.schema import PREDICTION

PAIRS_PER_TASK: Final = 4  # small, so that the bar moves and the end is even
_TASK: Final = pa.schema([("pair_key", pa.string()), ("sm", pa.int64()), ("ffdm", pa.int64())])


def predict_table(
    folder: Path,
    data: Path,
    splits: Sequence[str],
    model: str,
    workers: int = 2,
    gpu: bool = False,
) -> pa.Table:
    """Predict every pair of some splits.

    Args:
        folder: Model folder.
        data: Folder of the image table.
        splits: Subset of ``schema.SPLITS``.
        model: Goes into the column ``model``.
        workers: Predictors that run at once.
        gpu: One GPU for each of them; else a CPU core.

    Returns:
        ``schema.PREDICTION``, sorted by ``pair_key``; the same for any number of workers.

    Raises:
        NotFoundError: No model, no table, or no pair in these splits.
        MgrayError: The cluster of ``RAY_ADDRESS`` cannot be joined.
    """
    read_meta(folder)
    tasks = build_tasks(data, splits)
    found: list[pa.Table] = []
    start_ray(workers)
    make = (folder.resolve(), data.resolve(), "cuda" if gpu else "cpu")
    with Bar(f"predict {model}", sum(len(task) for task in tasks), "pairs") as bar:
        for rows in _stream(make, tasks, workers, gpu).iter_batches(
            batch_size=None, batch_format="pyarrow"
        ):
            found.append(rows)
            bar.advance(len(rows))
    return collect(found, model)


def build_tasks(data: Path, splits: Sequence[str]) -> list[pa.Table]:
    """List the pairs of some splits, a few to a task.

    Raises:
        NotFoundError: No table, or no pair in these splits.
    """
    pairs = [pair for pair in build_pairs(ImageTable.open(data)) if pair.split in splits]
    if not pairs:
        raise NotFoundError(f"no pair in split {' or '.join(splits)} of {str(data)!r}")
    rows = [{"pair_key": pair.pair_key, **pair.rows} for pair in pairs]
    return [
        pa.Table.from_pylist(rows[start : start + PAIRS_PER_TASK], schema=_TASK)
        for start in range(0, len(rows), PAIRS_PER_TASK)
    ]


def collect(found: Sequence[pa.Table], model: str) -> pa.Table:
    """Put the tasks' answers, in any order, into one table of ``schema.PREDICTION``."""
    rows = pa.concat_tables(found).sort_by("pair_key")
    columns = dict(zip(rows.column_names, rows.columns, strict=True))
    named = pa.table({"model": pa.array([model] * len(rows)), **columns})
    return named.select(PREDICTION.names).cast(PREDICTION)


class PairPredictor:
    """One worker: a predictor and the image table.

    Args:
        folder: Model folder.
        data: Folder of the image table.
        device: Of the model.
    """

    def __init__(self, folder: Path, data: Path, device: str = "cpu") -> None:
        self.predictor = Predictor.load(folder, device)
        self.table = ImageTable.open(data)

    def __call__(self, tasks: pa.Table) -> pa.Table:
        """Predict some pairs."""
        rows = [self._row(task) for task in tasks.to_pylist()]
        return pa.Table.from_pylist(rows, schema=pa.schema(list(PREDICTION)[1:]))

    def _row(self, task: dict[str, Any]) -> dict[str, Any]:
        inputs = self.predictor.meta.inputs
        records = self.table.records([task[kind] for kind in inputs])
        (detections,) = self.predictor.predict([dict(zip(inputs, records, strict=True))])
        return {
            "image_id": records[0]["image_id"],
            "pair_key": task["pair_key"],
            "patient_id": records[0]["patient_id"],
            "split": records[0]["split"],
            "detections": [asdict(detection) for detection in detections],
        }


def _stream(
    make: tuple[Path, Path, str], tasks: list[pa.Table], workers: int, gpu: bool
) -> ray.data.Dataset:
    """Plan the work of workers made from ``make``; it runs while the result is read."""
    logging.getLogger("ray.data").setLevel(logging.WARNING)
    ray.data.DataContext.get_current().enable_progress_bars = False
    with warnings.catch_warnings():
        # Ray 2.60 calls the last two deprecated and has no other way to say them yet.
        warnings.simplefilter("ignore", RayDeprecationWarning)
        return ray.data.from_arrow(tasks).map_batches(
            PairPredictor,
            fn_constructor_args=make,
            batch_size=None,
            batch_format="pyarrow",
            compute=ray.data.ActorPoolStrategy(size=min(workers, len(tasks))),
            num_cpus=0.5,  # a predictor uses one core; a pool must also start on a small machine
            num_gpus=1 if gpu else None,
            max_restarts=2,
            max_task_retries=2,  # Ray's default is without end
        )
