"""Search a recipe's loss and learning rate on Ray Tune; run again, it goes on where it was.

    python -m tune.sweep RECIPE SPACE data=TABLE out=DIR key=value ...

RECIPE is one of jobs.train, e.g. fusion.smoke. SPACE is focal (Optuna's TPE draws alpha_positive,
gamma_0, gamma_1 and the learning rate), grid (the paper's 750 points) or two_point. Each trial
trains stage I-A (A on SM) as a Ray Train run with workers of its own and is judged by FAUC-1 on the
validation images with a finding, with a bootstrap interval, at each of its validations
(train.validate_every); a trial that is worse by its interval, not by noise, is stopped early. Other
keys change the recipe that all trials share, e.g. train.steps.sm=50.

    python -m tune.sweep fusion.base focal data=/storage/table out=/storage/sweep samples=60

Killed at any moment, driver or workers, the same command continues every trial from its last
checkpoint; failed ones are tried again; more samples extend a search. Another recipe, space, table
or seed needs another out. out holds:

    results.csv   a row for each trial, best first; also printed
    report.html   parallel coordinates, response surface, best so far, the table; self-contained
    winner.yaml   the recipe with the best setting: python -m jobs.train out/winner.yaml
    ledger.jsonl  every event of the search
    trials/0000   the run folder of a trial
    tune/         what Tune writes: tensorboard --logdir out/tune

With RAY_ADDRESS set, the trials run on that cluster, and its dashboard shows them: trials under
Jobs and Actors, FAUC-1 and losses as metrics mgray_search_... and mgray_train_.... Without, a Ray
of this process alone is started, with as many CPUs as concurrent trials need. Keys:
"""

import logging

from mgray.cli import field_help, guard, parse
from mgray.config import parse_overrides
from mgray.errors import ConfigError, MgrayError
from tune.config import SweepConfig


def run(words: list[str]) -> None:
    """Split the words between sweep and recipe, search, show the table."""
    own = [word for word in words if "=" not in word or _key(word) in SweepConfig.model_fields]
    rest = [word for word in words if word not in own]
    config = parse(SweepConfig, own, ["recipe", "space"])
    from tune.spaces import SPACES

    if config.space not in SPACES:
        raise ConfigError(f"unknown space {config.space!r}: expected {' or '.join(SPACES)}")
    from tune.fusion import sweep

    table = sweep(config, parse_overrides(rest))
    print(table.to_string(index=False, float_format=lambda value: f"{value:.4g}"))
    for name in ("results.csv", "report.html", "winner.yaml"):
        if (config.out / name).is_file():
            logging.getLogger(__name__).info("%s", config.out / name)
    _fail_if_any([error for error in table["error"] if error], len(table))


def _key(word: str) -> str:
    return word.partition("=")[0]


def _fail_if_any(errors: list[str], trials: int) -> None:
    if errors:
        raise MgrayError(f"{len(errors)} of {trials} trials failed, the first with: {errors[0]}")


if __name__ == "__main__":
    guard(__doc__ or "", run, field_help(SweepConfig))
