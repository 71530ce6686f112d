"""The paper's search from end to end: checks, trials, table, report, the winner's recipe."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pandas as pd

from mgray.cluster import start_ray
from mgray.config import Config, replace, save_yaml
from mgray.data.pairs import build_pairs
from mgray.data.storage import absolute
from mgray.data.table import ImageTable, read_content
from mgray.errors import DataError
from mgray.files import only_writer
from mgray.recipes.catalog import load_recipe
from mgray.recipes.fusion import FusionRun, check_data
from mgray.reports.search import SearchPage, write_page
from tune.config import SweepConfig
from tune.ledger import OBJECTIVE, Ledger
from tune.rungs import Rungs
from tune.search import Plan, run_search
from tune.spaces import RATE, SPACES
from tune.table import build_rows, rivals_of, winner_of
from tune.trials import STAGE, FusionTrial

WHERE: Final = {"gpu", "cpus_per_worker", "min_workers", "threads", "max_failures"}  # of ``train``
FREE: Final = {"data", "out", "recipe", "samples", "concurrent"}  # of the sweep: change no trial


class Search(Config):
    """What decides a search's results; a folder holds those of one."""

    settings: dict[str, Any]
    """Full config of the recipe that all trials share."""
    sweep: dict[str, Any]
    """Space, seed, and what stops trials."""


def sweep(config: SweepConfig, changes: Mapping[str, Any]) -> pd.DataFrame:
    """Run all trials that are not yet done, and write what came of them.

    Args:
        config: The search.
        changes: Dotted keys of the recipe that all trials share.

    Returns:
        One row for each trial, best first.

    Raises:
        MgrayError: The recipe, a key or the table does not exist, said before any trial starts;
            or trials have not ended, and nothing is written.
        ConfigError: ``out`` holds another search, or one on a table of other rows.
    """
    from mgray.training.run import claim, claim_data
    from mgray.training.worker import cpus_of

    out = config.out.resolve()
    own = {
        "data": str(absolute(config.data)),
        "seed": config.seed,
        "train.judge": OBJECTIVE,
        "train.intervals.replicates": config.replicates,
    }
    base = load_recipe(config.recipe, {**changes, **own})
    check_data(base.data, base.batches)
    _check_positives(base.data)
    settings = base.model_dump(mode="json", exclude={"out": True, "train": WHERE})
    search = Search(settings=settings, sweep=config.model_dump(mode="json", exclude=FREE))
    content = read_content(base.data)
    claim(out, search)
    claim_data(out, search, content)
    with only_writer(out):
        start_ray(config.concurrent * cpus_of(base.train) + 1)  # one for the trials themselves
        ledger = run_search(_plan(config, base), FusionTrial(base), out)
        return _write(config, base, ledger, out)


def _check_positives(data: Path) -> None:
    pairs = build_pairs(ImageTable.open(data))
    if not any(pair.split == "val" and pair.drawn for pair in pairs):
        raise DataError("no validation pair has a malignant box: a search has nothing to judge by")


def _plan(config: SweepConfig, base: FusionRun) -> Plan:
    space = SPACES[config.space]()
    count = 0 if space.points else config.rungs
    rungs = Rungs(base.train.steps[STAGE], count, config.reduction)
    return Plan(space, config.samples, config.concurrent, config.seed, rungs)


def _write(config: SweepConfig, base: FusionRun, ledger: Ledger, out: Path) -> pd.DataFrame:
    rows = build_rows(ledger)
    table = pd.DataFrame(rows)
    table.to_csv(out / "results.csv", index=False)
    trials = ledger.trials.values()
    winner = winner_of(trials)
    if winner:
        best = replace(base, {**winner.sample, "out": str(out / "winner")})
        save_yaml(best, out / "winner.yaml")
    page = SearchPage(
        rows=rows,
        keys=sorted(next(iter(trials)).sample),
        logarithmic=frozenset({RATE}),
        objective=OBJECTIVE,
        rivals=rivals_of(trials, winner) if winner else 0,
        steps=base.train.steps[STAGE],
        grid=len(SPACES["grid"]().points),
        settings=config.model_dump(mode="json", exclude={"data", "out"}),
    )
    write_page(page, out / "report.html")
    return table
