"""The experiment with a known answer: phantoms, runs of several seeds and arms, one report.

    python -m jobs.experiment fusion.tiny out=DIR seeds=3
    python -m jobs.experiment fusion.tiny out=DIR arms=[a21_from_c] doses=[0.0,0.5]

Findings that show in FFDM only leave a shadow in the synthetic 2D (trace); few patients have boxes.
Does the fused model find more than SM alone, and is it stage II that helps? Each arm trains only
what it changes. The same command continues; with more seeds, arms or doses it adds them. Choose
with split=val, measure split=test once.
"""

from mgray.cli import field_help, guard, parse
from mgray.recipes.arms import ARMS
from mgray.recipes.experiment_config import ExperimentConfig


def run(words: list[str]) -> None:
    """Run what the words ask for."""
    config = parse(ExperimentConfig, words, ("recipe",))
    from mgray.recipes.experiment import run_experiment

    run_experiment(config)


def _help() -> str:
    arms = "\n".join(f"  {name:<14} {arm.title}" for name, arm in ARMS.items())
    return f"Arms:\n{arms}\n\nKeys:\n{field_help(ExperimentConfig)}"


if __name__ == "__main__":
    guard(__doc__ or "", run, _help())
