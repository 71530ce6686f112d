"""Search a recipe's settings on Ray Tune; run again, it continues.

    python -m tune.sweep RECIPE SPACE data=TABLE out=DIR key=value ...

RECIPE is one of jobs.train, e.g. fusion.smoke. SPACE is two_point (a grid of two) or focal (the
paper's search). Each trial trains stage I-A (A on SM) as a Ray Train run and is judged by FAUC-1 on
the validation images with a finding. Other keys change the recipe, e.g. train.steps.sm=50. The
table of results is printed and written to out/results.csv. Another search (other keys, space,
samples, data or seed) needs another out. Keys of the sweep itself:
"""

import logging
import os
from typing import Any

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
    os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")  # our bar and table instead of Ray's
    from tune.trials import search

    table = search(config, parse_overrides(rest))
    config.out.mkdir(parents=True, exist_ok=True)
    table.to_csv(config.out / "results.csv", index=False)
    print(table.to_string(index=False, float_format=lambda value: f"{value:.4g}"))
    logging.getLogger(__name__).info("results: %s", config.out / "results.csv")
    _fail_if_any(table["error"].tolist())


def _key(word: str) -> str:
    return word.partition("=")[0]


def _fail_if_any(errors: list[Any]) -> None:
    said = [error for error in errors if error]
    if said:
        raise MgrayError(f"{len(said)} of {len(errors)} trials failed, the first with: {said[0]}")


if __name__ == "__main__":
    guard(__doc__ or "", run, field_help(SweepConfig))
