"""Predictions for a whole image table: one row of ``schema.PREDICTION`` per pair and model.

Ray Data carries row numbers only; each worker reads its images from the table by random access.
"""

import logging
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import ray
from ray.util.annotations import RayDeprecationWarning

from mgray.cluster import start_ray
from mgray.data.pairs import build_pairs
from mgray.data.storage import absolute, shown
from mgray.data.table import ImageTable
from mgray.data.transforms import levels_spared
from mgray.errors import DataError, MgrayError, NotFoundError
from mgray.inference.predictor import Predictor
from mgray.models.folder import read_meta
from mgray.progress import Bar
from mgray.schema import PREDICTION

PAIRS_PER_TASK: Final = 4  # small, so that the bar moves and the end is even
_TASK: Final = pa.schema(
    [
        ("model", pa.string()),
        ("pair_key", pa.string()),
        ("sm", pa.int64()),
        ("ffdm", pa.int64()),
    ]
)
WRONG: Final = "wrong"
"""Column of what a worker says of pairs that it could not predict."""
_ANSWER: Final = PREDICTION.append(pa.field(WRONG, pa.string()))


def predict_models(
    folders: Mapping[str, Path],
    data: Path,
    splits: Sequence[str],
    workers: int = 2,
    gpu: bool = False,
) -> Iterator[tuple[str, pa.Table]]:
    """Predict every pair of some splits with each model, with one pool of workers for all.

    Args:
        folders: Model folders by name; the name goes into the column ``model``.
        data: Folder of the image table.
        splits: Subset of ``schema.SPLITS``.
        workers: Predictors that run at once.
        gpu: One GPU for each of them; else a CPU core.

    Yields:
        A model's name and its ``schema.PREDICTION``, sorted by ``pair_key``, as soon as it is
        complete; the same for any number of workers.

    Raises:
        NotFoundError: No model, no table, or no pair in these splits.
        DataError: A damaged table or model, or a network that gives no numbers.
        MgrayError: The cluster of ``RAY_ADDRESS`` cannot be joined.
    """
    for folder in folders.values():
        read_meta(folder)
    tasks = build_tasks(folders, data, splits)
    pairs = sum(map(len, tasks)) // len(folders)
    found: dict[str, list[pa.Table]] = {name: [] for name in folders}
    start_ray(workers)
    whole = {name: folder.resolve() for name, folder in folders.items()}
    make = (whole, absolute(data), "cuda" if gpu else "cpu")
    with Bar(f"predict with {', '.join(folders)}", pairs * len(folders), "pairs") as bar:
        for rows in _stream(make, tasks, workers, gpu).iter_batches(
            batch_size=None, batch_format="pyarrow"
        ):
            assert isinstance(rows, pa.Table)
            if said := rows[WRONG].drop_null().to_pylist():
                raise DataError(said[0])
            bar.advance(len(rows))
            for name in pc.unique(rows["model"]).to_pylist():
                found[name].append(rows.filter(pc.field("model") == name))
                if sum(map(len, found[name])) == pairs:
                    yield name, collect(found.pop(name))


def build_tasks(models: Iterable[str], data: Path, splits: Sequence[str]) -> list[pa.Table]:
    """List the pairs of some splits for one model after the other, a few pairs to a task.

    They come in the order in which their images lie in the table, for storage that reads ahead.

    Raises:
        NotFoundError: No table, or no pair in these splits.
    """
    pairs = [pair for pair in build_pairs(ImageTable.open(data)) if pair.split in splits]
    if not pairs:
        raise NotFoundError(f"no pair in split {' or '.join(splits)} of {shown(data)!r}")
    pairs.sort(key=lambda pair: sorted(pair.rows.values()))
    rows = [{"pair_key": pair.pair_key, **pair.rows} for pair in pairs]
    few = [rows[start : start + PAIRS_PER_TASK] for start in range(0, len(rows), PAIRS_PER_TASK)]
    return [
        pa.Table.from_pylist([{"model": model, **row} for row in some], schema=_TASK)
        for model in models
        for some in few
    ]


def collect(found: Sequence[pa.Table]) -> pa.Table:
    """Put a model's answers, in any order, into one table of ``schema.PREDICTION``."""
    return pa.concat_tables(found).sort_by("pair_key").select(PREDICTION.names).cast(PREDICTION)


class _Telling:
    """A worker that says what went wrong, in a row with the one line of it.

    An exception would reach the driver as Ray's, with a page of traceback and without its text.
    """

    def __init__(self, *make: Any) -> None:
        self._make = make
        self._predictor: PairPredictor | None = None

    def __call__(self, tasks: pa.Table) -> pa.Table:
        """Predict some pairs."""
        try:
            self._predictor = self._predictor or PairPredictor(*self._make)
            found = self._predictor(tasks)
        except MgrayError as error:
            return pa.Table.from_pylist([{WRONG: str(error)}], schema=_ANSWER)
        return found.append_column(WRONG, pa.nulls(len(found), pa.string()))


class PairPredictor:
    """One worker: the image table, and the predictor of the model that was asked for last.

    Args:
        folders: Model folders by name.
        data: Folder of the image table.
        device: Of the model.
    """

    def __init__(self, folders: Mapping[str, Path], data: Path, device: str = "cpu") -> None:
        self.folders, self.device = folders, device
        self.table = ImageTable.open(data)
        self._name = ""

    def __call__(self, tasks: pa.Table) -> pa.Table:
        """Predict some pairs."""
        rows = [self._row(task) for task in tasks.to_pylist()]
        return pa.Table.from_pylist(rows, schema=PREDICTION)

    def _row(self, task: dict[str, Any]) -> dict[str, Any]:
        predictor = self._predictor_of(task["model"])
        inputs = predictor.meta.inputs
        spared = partial(levels_spared, config=predictor.preprocess)
        records = self.table.records([task[kind] for kind in inputs], reduce=spared)
        (detections,) = predictor.predict([dict(zip(inputs, records, strict=True))])
        return {
            "model": task["model"],
            "image_id": records[0]["image_id"],
            "pair_key": task["pair_key"],
            "patient_id": records[0]["patient_id"],
            "split": records[0]["split"],
            "detections": [asdict(detection) for detection in detections],
        }

    def _predictor_of(self, name: str) -> Predictor:
        if name != self._name:
            self._predictor = Predictor.load(self.folders[name], self.device)
            self._name = name
        return self._predictor


def _stream(
    make: tuple[Mapping[str, Path], Path, str], tasks: list[pa.Table], workers: int, gpu: bool
) -> ray.data.Dataset:
    """Plan the work of workers made from ``make``; it runs while the result is read."""
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    ray.data.DataContext.get_current().enable_progress_bars = False
    with warnings.catch_warnings():
        # Ray 2.60 calls the last two deprecated and has no other way to say them yet.
        warnings.simplefilter("ignore", RayDeprecationWarning)
        return ray.data.from_arrow(tasks).map_batches(
            _Telling,
            fn_constructor_args=make,
            batch_size=None,
            batch_format="pyarrow",
            compute=ray.data.ActorPoolStrategy(size=min(workers, len(tasks))),
            num_cpus=0.5,  # a predictor uses one core; a pool must also start on a small machine
            num_gpus=1 if gpu else None,
            max_restarts=2,
            max_task_retries=2,  # Ray's default is without end
        )
