"""The experiment with a known answer: does stage II carry what only FFDM shows?

Phantoms, a table, for each seed the full method and its arms, predictions, one report. Everything
that is finished is kept and found again; an arm takes the stages that its changes do not touch from
the full run, and other doses take C, whose FFDM are the same ones::

    out/dose-1/archive, table                phantoms and their image table
    out/dose-1/seed-1/full/models/sm …       a run as jobs.train writes it
    out/dose-1/seed-1/mismatched/models/…    links to the full run's, and its own
    out/results.csv, results.md, experiment.html
"""

import json
import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa

from mgray.config import parse_overrides, replace
from mgray.data.table import ImageTable
from mgray.inference.batch import PairPredictor, build_tasks, collect
from mgray.models.folder import model_sha256
from mgray.processes import worker_processes
from mgray.progress import Bar
from mgray.recipes.arms import ARMS, FULL
from mgray.recipes.catalog import load_recipe
from mgray.recipes.experiment_config import PHANTOMS, ExperimentConfig
from mgray.recipes.fusion import run_fusion
from mgray.recipes.fusion_config import TRAINED, FusionRun
from mgray.recipes.job import run_job
from mgray.reports.cases import Cases, build_cases
from mgray.reports.experiment import measure
from mgray.reports.experiment_page import verdict, write_report
from mgray.reports.predictions import load_predictions, write_predictions
from mgray.training.journal import read_rows
from mgray.training.stages import MODELS, STAGES

SECOND: Final = 1000
"""Added to the seed of the second A."""
ALL: Final = 1.0
"""Dose of the controls: every FFDM-only finding leaves its trace."""
MEASURED: Final = ("sm", "ffdm", "fused", "upper_bound")
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Run:
    """One arm on one dose with one seed."""

    dose: float
    seed: int
    arm: str

    def folder(self, config: ExperimentConfig) -> Path:
        """Where it lives."""
        return dose_folder(config, self.dose) / f"seed-{self.seed}" / self.arm


def run_experiment(config: ExperimentConfig) -> Path:
    """Do what is not yet done and write the report.

    Returns:
        The HTML page.

    Raises:
        ConfigError: ``out`` holds another experiment.
        MgrayError: A step failed; its own last line says why.
    """
    config = config.model_copy(update={"out": config.out.resolve()})
    for dose in doses(config):
        make_table(config, dose)
    runs = plan(config)
    with Bar("experiment", len(runs), "runs") as bar:
        for _ in _each(config, runs):
            bar.advance()
    rows = [row for dose in doses(config) for row in measured(config, dose)]
    titles = {name: arm.title for name, arm in ARMS.items()}
    page = write_report(config.out, rows, titles, config.model_dump(mode="json"))
    log.info("%s\nReport: %s", verdict(rows), page)
    return page


def doses(config: ExperimentConfig) -> list[float]:
    """List the shares of FFDM-only findings that leave a trace, that of the controls first."""
    return list(dict.fromkeys((ALL, *config.doses)))


def dose_folder(config: ExperimentConfig, dose: float) -> Path:
    """Where all of one dose lies."""
    return config.out / f"dose-{dose:g}"


def make_table(config: ExperimentConfig, dose: float) -> None:
    """Make phantoms and their image table, by the jobs that do so."""
    folder = dose_folder(config, dose)
    asked = {"visibility.trace": config.trace, "visibility.trace_share": dose}
    settings = {**PHANTOMS[config.recipe], **asked, "seed": config.archive_seed}
    settings |= {"exams": config.exams} if config.exams else {}
    settings |= parse_overrides(config.phantom)
    record, told = folder / "made.json", json.dumps(settings, sort_keys=True)
    if record.is_file() and record.read_text() == told:
        return
    workers = f"workers={config.processes}"
    archive, table = folder / "archive", folder / "table"
    made = [f"{key}={value}" for key, value in settings.items()]
    run_job(["jobs.phantom", f"out={archive}", workers, *made])
    where = [f"archive={archive}", f"out={table}", f"split_seed={config.archive_seed}"]
    run_job(["jobs.ingest", "phantom", *where, workers, "images_per_shard=64"])
    record.write_text(told)


def plan(config: ExperimentConfig) -> list[Run]:
    """List the runs; those that others take stages from come first."""
    seeds = range(config.first_seed, config.first_seed + config.seeds)
    main, *others = doses(config)
    first = [Run(main, seed, FULL) for seed in seeds]
    arms = [Run(main, seed, arm) for seed in seeds for arm in config.arms]
    return first + arms + [Run(dose, seed, FULL) for dose in others for seed in seeds]


def origin(config: ExperimentConfig, run: Run) -> Run | None:
    """Name the run that another takes stages from; the full runs of the first dose need none."""
    full = full_run(config, run.seed)
    return None if run == full else full


def full_run(config: ExperimentConfig, seed: int) -> Run:
    """Name the full run of the first dose."""
    return Run(ALL, seed, FULL)


def train_arm(config: ExperimentConfig, run: Run) -> None:
    """Train and predict what is missing of one run."""
    arm, folder = ARMS[run.arm], run.folder(config)
    own = build_run(config, run)
    full = full_run(config, run.seed).folder(config)
    for stage in shared_stages(config, run):
        link(full / MODELS / stage, folder / MODELS / stage)
    if arm.student == "second_a":
        second = folder / "second"
        changes = {"seed": run.seed + SECOND, "out": second}
        run_fusion(replace(own, changes), stages=("sm",))
        link(second / MODELS / "sm", folder / MODELS / "student")
    run_fusion(own, stages=arm.trains)
    predict_missing(config, run)


def build_run(config: ExperimentConfig, run: Run) -> FusionRun:
    """Resolve the config of one run."""
    table = dose_folder(config, run.dose) / "table"
    own = {"data": table, "out": run.folder(config), "seed": run.seed}
    asked = {"batches.boxed_seed": run.seed, **parse_overrides(config.train)}
    return replace(load_recipe(config.recipe, asked), {**own, **ARMS[run.arm].changes})


def shared_stages(config: ExperimentConfig, run: Run) -> list[str]:
    """Stages that a run takes from the full run of the first dose."""
    if run.arm == FULL:
        return [] if run.dose == ALL else ["untrained", "ffdm"]
    arm = ARMS[run.arm]
    kept = [stage for stage in TRAINED if stage not in arm.trains]
    if arm.student != "stage_two":
        kept.remove("student")
    return ["untrained", *kept]


def link(origin: Path, target: Path) -> None:
    """Let ``target`` be the finished model folder ``origin``."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.exists():
        target.unlink(missing_ok=True)
        target.symlink_to(origin.resolve())


def predict_missing(config: ExperimentConfig, run: Run) -> None:
    """Predict the measured split with each model that the run has trained itself."""
    for model, path in predictions(config, run).items():
        if load_predictions(path) is not None:
            continue
        folder = run.folder(config) / MODELS / model
        data = dose_folder(config, run.dose) / "table"
        name = f"{run.seed}/{run.arm}/{model}"
        device = "cuda" if build_run(config, run).train.gpu else "cpu"
        predictor = PairPredictor({name: folder}, data, device)
        found = [predictor(task) for task in build_tasks([name], data, [config.split])]
        write_predictions(collect(found), path)


def predictions(config: ExperimentConfig, run: Run) -> dict[str, Path]:
    """Where the predictions of each measured model are that the run has trained itself.

    The weights are in the name: those of a model trained again are made again.
    """
    folders = {model: run.folder(config) / MODELS / model for model in MEASURED}
    return {
        model: run.folder(config)
        / "predictions"
        / f"{config.split}-{model}-{model_sha256(folder)[:12]}.parquet"
        for model, folder in folders.items()
        if folder.is_dir() and not folder.is_symlink()
    }


def measured(config: ExperimentConfig, dose: float) -> list[dict[str, object]]:
    """Rows of the report on one dose."""
    runs = [run for run in plan(config) if run.dose == dose]
    cases = build_dose(config, dose, runs)
    similarity: dict[str, list[float]] = {}
    for run in runs:
        rows = read_rows(run.folder(config) / STAGES / "student" / "metrics.jsonl")
        reached = [row["val_similarity"] for row in rows if "val_similarity" in row]
        similarity.setdefault(run.arm, []).extend(reached[-1:])
    return [
        {"dose": dose, **row, "similarity": similarity.get(str(row["arm"]), [])}
        for row in measure(cases, config.bootstrap)
    ]


def build_dose(config: ExperimentConfig, dose: float, runs: Sequence[Run]) -> Cases:
    """Join the predictions of all runs of one dose with the truth."""
    parts = [load_predictions(path) for run in runs for path in predictions(config, run).values()]
    found = pa.concat_tables([part for part in parts if part is not None])
    table = ImageTable.open(dose_folder(config, dose) / "table")
    return build_cases(table, found, config.split, config.hit)


def _each(config: ExperimentConfig, runs: Sequence[Run]) -> Iterator[None]:
    """Do runs, several at once, each as soon as what it takes from is there.

    Ctrl-C or a fault loses what is under way since its last checkpoint, nothing finished.
    """
    if config.processes == 1:
        for run in runs:
            train_arm(config, run)
            yield
        return
    waiting, done = list(runs), set[Run]()
    under_way: dict[Future[None], Run] = {}
    with worker_processes(config.processes) as pool:
        while waiting or under_way:
            for run in [one for one in waiting if origin(config, one) in {None, *done}]:
                waiting.remove(run)
                under_way[pool.submit(train_arm, config, run)] = run
            for ended in wait(under_way, return_when=FIRST_COMPLETED).done:
                ended.result()
                done.add(under_way.pop(ended))
                yield
