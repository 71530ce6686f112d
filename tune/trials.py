"""Trials of a search: each a Ray Train run of stage I-A, judged on validation images."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import pandas as pd
import pyarrow as pa
from ray import tune

from mgray.cluster import start_ray
from mgray.config import Config, replace
from mgray.data.table import ImageTable
from mgray.metrics.config import BootstrapConfig
from mgray.progress import Bar
from mgray.recipes.catalog import load_recipe
from mgray.recipes.fusion import FusionRun, check_data, run_fusion
from mgray.reports.config import EvaluateConfig
from tune.config import SweepConfig
from tune.spaces import SPACES, count_points, flatten

STAGE: Final = "sm"
METRIC: Final = "fauc_1_plus"
NAME: Final = "search"
WHERE: Final = {"gpu", "cpus_per_worker", "threads", "max_failures"}  # of ``train``: where it runs
TRIAL_CPUS: Final = 0.01  # a trial only waits for its Train workers


class Search(Config):
    """What decides a search's results; a folder holds those of one."""

    settings: dict[str, Any]
    """Full config of the recipe that all trials share."""
    space: str
    """Name of the search space."""
    samples: int
    """Draws from it."""
    seed: int
    """Of the draws."""

    @classmethod
    def of(cls, config: SweepConfig, base: FusionRun) -> "Search":
        """Describe a search, less what changes no result."""
        settings = base.model_dump(mode="json", exclude={"out": True, "train": WHERE})
        return cls(settings=settings, space=config.space, samples=config.samples, seed=config.seed)


def search(config: SweepConfig, changes: Mapping[str, Any]) -> pd.DataFrame:
    """Run all trials that are not yet done.

    Args:
        config: The search.
        changes: Dotted keys of the recipe that all trials share.

    Returns:
        One row per trial, best first: the sampled keys, the metrics, the error if it failed.

    Raises:
        MgrayError: The recipe, a key or the table does not exist; said before any trial starts.
        ConfigError: ``out`` holds another search.
    """
    from mgray.training.run import claim
    from mgray.training.worker import cpus_of

    out = config.out.resolve()
    own = {"data": str(config.data.resolve()), "seed": config.seed}
    base = load_recipe(config.recipe, {**changes, **own})
    check_data(config.data, base.batches)
    claim(out, Search.of(config, base))
    start_ray(config.concurrent * cpus_of(base.train) + 1)  # one for the trials themselves
    results = _tuner(config, base, out).fit()
    return _table(results)


def _tuner(config: SweepConfig, base: FusionRun, out: Path) -> tune.Tuner:
    logging.getLogger("ray.tune").setLevel(logging.WARNING)
    trainable = tune.with_resources(partial(_trial, base=base, out=out), {"CPU": TRIAL_CPUS})
    if tune.Tuner.can_restore(str(out / NAME)):
        return tune.Tuner.restore(
            str(out / NAME), trainable, resume_unfinished=True, resume_errored=True
        )
    return tune.Tuner(
        trainable,
        param_space=SPACES[config.space](),
        tune_config=tune.TuneConfig(
            metric=METRIC,
            mode="max",
            num_samples=config.samples,
            max_concurrent_trials=config.concurrent,
            search_alg=_search_algorithm(config),
        ),
        run_config=tune.RunConfig(
            name=NAME, storage_path=str(out), verbose=0, callbacks=[TrialsDone(config)]
        ),
    )


class TrialsDone(tune.Callback):
    """A bar of finished trials with its ETA.

    Args:
        config: Tells how many trials there will be.
    """

    def __init__(self, config: SweepConfig) -> None:
        self.total = config.samples * count_points(SPACES[config.space]())

    def setup(
        self,
        stop: Any = None,
        num_samples: int | None = None,
        total_num_samples: int | None = None,
        **info: Any,
    ) -> None:
        """Start the clock."""
        self.bar = Bar("sweep", self.total, "trials").__enter__()

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **_: Any) -> None:
        """Count one."""
        best = max(t.last_result.get(METRIC, 0.0) for t in trials)
        self.bar.advance(note=f"best {METRIC} {best:.3f}")

    def on_experiment_end(self, trials: list[Any], **_: Any) -> None:
        """Stop the clock."""
        self.bar.__exit__(None, None, None)


def _search_algorithm(config: SweepConfig) -> Any:
    """Grids are walked; everything else is searched by Optuna's seeded TPE."""
    if config.space == "two_point":
        return None
    from ray.tune.search.optuna import OptunaSearch

    return OptunaSearch(seed=config.seed)


def _trial(sample: dict[str, Any], *, base: FusionRun, out: Path) -> None:
    """Train and judge one setting; a restarted trial finds its run folder and continues."""
    folder = out / "trials" / tune.get_context().get_trial_id()
    config = replace(base, {**flatten(sample), "out": str(folder)})
    run_fusion(config, stages=(STAGE,))
    tune.report(judge(folder, config.data))


def judge(run: Path, data: Path) -> dict[str, float]:
    """Measure a run's SM detector on the validation split.

    Returns:
        ``fauc_1`` on all images and ``fauc_1_plus`` on those with a malignant finding.
    """
    from mgray.reports.cases import build_cases
    from mgray.reports.predictions import collect_predictions
    from mgray.reports.summary import summarise_split

    config = EvaluateConfig(
        run=run,
        data=data,
        out=run / "report",
        split="val",
        models=(STAGE,),
        bootstrap=BootstrapConfig(replicates=0),
    )
    predictions = collect_predictions(config, predict_here)
    cases = build_cases(ImageTable.open(data), predictions, "val", config.hit)
    facts = summarise_split(cases, config)["models"][STAGE]
    return {"fauc_1": facts["fauc_1"], METRIC: facts["fauc_1_plus"]}


def predict_here(
    folders: Mapping[str, Path], data: Path, splits: Sequence[str]
) -> Iterator[tuple[str, pa.Table]]:
    """Predict in this process: a trial must not wait for CPUs that other trials hold."""
    from mgray.inference.batch import PairPredictor, build_tasks, collect

    predictor = PairPredictor(folders, data)
    for name in folders:
        yield name, collect([predictor(task) for task in build_tasks([name], data, splits)])


def _table(results: tune.ResultGrid) -> pd.DataFrame:
    rows = [
        {
            **flatten(dict(result.config or {})),
            "fauc_1": (result.metrics or {}).get("fauc_1"),
            METRIC: (result.metrics or {}).get(METRIC),
            "error": _last_line(result.error),
        }
        for result in (results[number] for number in range(len(results)))
    ]
    keys = sorted(set(rows[0]) - {"fauc_1", METRIC, "error"})  # equal scores stand in one order
    falling = [False] + [True] * len(keys)
    return pd.DataFrame(rows).sort_values([METRIC, *keys], ascending=falling, na_position="last")


def _last_line(error: BaseException | None) -> str:
    return str(error).strip().splitlines()[-1] if error else ""
