"""The whole bench: make what it needs with the jobs themselves, measure, write, tell."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from mgray.progress import track
from mgray.recipes.bench.config import BenchConfig
from mgray.recipes.bench.figures import Measured, comparison_table, memory_table
from mgray.recipes.bench.full_size import SYNTAXES, full_size_archive, make_full_size
from mgray.recipes.bench.ingest import ingest_words, large_table, measure_ingest, phantom_words
from mgray.recipes.bench.memory import check_proc
from mgray.recipes.bench.process import peak_of
from mgray.recipes.bench.startup import entry_points, measure_startup

RESULTS: Final = "bench.json"
LOG: Final = "bench.log"


def run_bench(config: BenchConfig) -> str:
    """Measure, write ``bench.json``, and return the tables as text.

    Archives, tables and models are made in a folder of their own and removed at the end; the
    full-size archives are kept in ``out/full``. Memory is sampled in runs that are not timed.

    Raises:
        MgrayError: A job failed, or this is not Linux.
    """
    check_proc()
    out = config.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    (out / LOG).write_bytes(b"")
    config = config.model_copy(update={"out": out})
    about = _about(config)
    with TemporaryDirectory(prefix="work_", dir=out) as work:
        measured = [_made(config, Path(work)), *_measured(config, Path(work))]
    write_results(out / RESULTS, about, measured)
    return f"{_head(about)}\n\n{_tables(measured)}\n\nall values: {out / RESULTS}"


def write_results(path: Path, about: Mapping[str, Any], measured: Sequence[Measured]) -> None:
    """Write strict JSON: a value that is not finite is a fault."""
    results = {
        **about,
        "comparisons": [one.as_json() for part in measured for one in part.comparisons],
        "notes": [note for part in measured for note in part.notes],
        "peak_memory_bytes": {k: v for part in measured for k, v in part.peaks.items()},
    }
    path.write_text(json.dumps(results, indent=2, allow_nan=False) + "\n")


def _made(config: BenchConfig, work: Path) -> Measured:
    """Make archive, table and models with the jobs, and watch their memory."""
    commands = dict(_commands(config, work))
    titled = track(commands.items(), "make inputs", len(commands), "jobs")
    return Measured(peaks={name: peak_of(words, config.out / LOG) for name, words in titled})


def _commands(config: BenchConfig, work: Path) -> Iterator[tuple[str, list[str]]]:
    if not set(config.which) & {"ingest", "reader", "nodes", "train", "serve", "load"}:
        return
    yield "phantom", phantom_words(config, work / "archive", config.exams)
    if set(config.which) <= {"codecs", "nodes", "sampler", "catalog", "gpu", "bootstrap", "help"}:
        return
    yield "ingest", ingest_words(config, work / "archive", work / "table")
    if {"train", "serve", "load"} & set(config.which):
        from mgray.recipes.bench.training import training_words

        yield "train", training_words(config, work)


def _measured(config: BenchConfig, work: Path) -> Iterator[Measured]:
    if "ingest" in config.which:
        yield measure_ingest(config, work, config.out / LOG)
    if "codecs" in config.which:
        from mgray.recipes.bench.codecs import measure_codecs

        make_full_size(config, config.out / LOG, SYNTAXES[:1])
        yield measure_codecs(config, full_size_archive(config, SYNTAXES[0]))
    yield from _measured_feed(config, work)
    if "catalog" in config.which:
        from mgray.recipes.bench.catalog import measure_catalog

        yield measure_catalog(config, work)
    if "nodes" in config.which:
        from mgray.recipes.bench.nodes import measure_nodes

        yield measure_nodes(config, work, config.out / LOG)
    yield from _measured_steps(config, work)
    if "serve" in config.which:
        from mgray.recipes.bench.serving import measure_serving

        yield measure_serving(config, work)
    if "load" in config.which:
        from mgray.recipes.bench.load import measure_load

        yield measure_load(config, work)
    if "bootstrap" in config.which:
        from mgray.recipes.bench.bootstrap import measure_bootstrap

        yield measure_bootstrap(config)
    if "help" in config.which:
        yield measure_startup(entry_points(Path.cwd()))


def _measured_steps(config: BenchConfig, work: Path) -> Iterator[Measured]:
    if "train" in config.which:
        from mgray.recipes.bench.training import measure_training

        yield measure_training(config, work, config.out / LOG)
    if "gpu" in config.which:
        from mgray.recipes.bench.gpu import measure_gpu

        yield measure_gpu(config, work, config.out / LOG)


def _measured_feed(config: BenchConfig, work: Path) -> Iterator[Measured]:
    if "reader" in config.which:
        from mgray.recipes.bench.reader import measure_reader
        from mgray.recipes.bench.sampling import measure_batches

        yield measure_reader(config, [work / "table", large_table(config, work, config.out / LOG)])
        yield measure_batches(config, work / "table")
    if "sampler" in config.which:
        from mgray.recipes.bench.sampling import measure_sampler

        yield measure_sampler(config)


def _about(config: BenchConfig) -> dict[str, Any]:
    from mgray.recipes.bench.machine import describe_code, describe_machine

    settings = config.model_dump(mode="json", exclude={"out"})
    return {**describe_code(), "machine": describe_machine(), "config": settings}


def _head(about: Mapping[str, Any]) -> str:
    machine, settings = about["machine"], about["config"]
    commit = (about["commit"] or "unknown")[:12] + (" with changes" if about["changed"] else "")
    return (
        f"commit {commit}, seed {settings['seed']}, {about['date']}\n"
        f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB, "
        f"GPU {machine['gpu'] or 'none'}; load {machine['load']} at the start\n"
        f"{settings['exams']} exams, {8 * settings['full_exams']} images of "
        f"{settings['full_rows']} rows; {settings['repeats']} turns, {settings['steps']} steps, "
        f"{settings['requests']} requests in a turn"
    )


def _tables(measured: Sequence[Measured]) -> str:
    comparisons = [one for part in measured for one in part.comparisons]
    peaks = {k: v for part in measured for k, v in part.peaks.items()}
    notes = "".join(f"\n{note}" for part in measured for note in part.notes)
    return f"{comparison_table(comparisons)}\n\n{memory_table(peaks)}\n{notes}".rstrip()
