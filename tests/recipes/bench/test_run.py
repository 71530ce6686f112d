import json
from pathlib import Path

import pytest

from mgray.recipes.bench.config import BenchConfig
from mgray.recipes.bench.figures import Comparison, Measured
from mgray.recipes.bench.run import run_bench, write_results


def read_strictly(path: Path) -> dict[str, object]:
    """Read JSON as other languages do: NaN and Infinity are no JSON."""
    results = json.loads(path.read_text(), parse_constant=pytest.fail)
    assert isinstance(results, dict)
    return results


def test_a_bench_of_nothing_says_where_it_ran(tmp_path: Path) -> None:
    text = run_bench(BenchConfig(out=tmp_path / "bench", which=(), seed=4))
    results = read_strictly(tmp_path / "bench" / "bench.json")
    assert results["config"]["seed"] == 4
    assert {"cpu", "cores", "memory_gib", "gpu", "load"} == set(results["machine"])
    assert results["comparisons"] == []
    assert f"all values: {tmp_path / 'bench' / 'bench.json'}" in text
    assert "commit" in text.splitlines()[0]


def test_nothing_but_results_and_logs_is_left(tmp_path: Path) -> None:
    run_bench(BenchConfig(out=tmp_path, which=()))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bench.json", "bench.log"]


def test_parts_are_written_together(tmp_path: Path) -> None:
    parts = [
        Measured(peaks={"phantom": 1}),
        Measured([Comparison("step", "s", [2.0], [1.0])], {"serve": 2}),
    ]
    write_results(tmp_path / "bench.json", {"commit": None}, parts)
    results = read_strictly(tmp_path / "bench.json")
    assert results["peak_memory_bytes"] == {"phantom": 1, "serve": 2}
    assert [one["what"] for one in results["comparisons"]] == ["step"]


def test_a_figure_that_is_not_finite_is_a_fault(tmp_path: Path) -> None:
    broken = Measured([Comparison("step", "s", [float("inf")], [1.0])])
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_results(tmp_path / "bench.json", {}, [broken])
    assert not (tmp_path / "bench.json").exists()
