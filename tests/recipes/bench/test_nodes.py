from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from mgray.recipes.bench import nodes
from mgray.recipes.bench.config import BenchConfig
from mgray.recipes.bench.nodes import measure_nodes

RATES = {"nodes_2_0": 9.0, "nodes_1_0": 10.0, "nodes_2_1": 9.8, "nodes_1_1": 10.0}


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Clusters that are only named, jobs that only leave their address and table."""
    ran: list[tuple[str, str]] = []

    @contextmanager
    def cluster(cpus: Sequence[int]) -> Iterator[str]:
        yield "+".join(map(str, cpus))

    def job(words: Sequence[str], log: Path, **environment: str) -> float:
        (out,) = (word for word in words if word.startswith("out="))
        ran.append((environment["RAY_ADDRESS"], Path(out).name))
        return 1.0

    monkeypatch.setattr(nodes, "simulated_nodes", cluster)
    monkeypatch.setattr(nodes, "seconds_of", job)
    monkeypatch.setattr(nodes, "steady_rate", lambda table, workers: RATES[table.name])
    return ran


def test_the_same_processors_are_shared_out_in_turns(
    tmp_path: Path, jobs: list[tuple[str, str]]
) -> None:
    measure_nodes(BenchConfig(workers=3, repeats=2), tmp_path, tmp_path / "log")
    assert jobs == [
        ("2+1", "nodes_2_0"), ("3", "nodes_1_0"), ("2+1", "nodes_2_1"), ("3", "nodes_1_1")
    ]  # fmt: skip


def test_ratio_is_the_median_of_turns_beside_its_goal(
    tmp_path: Path, jobs: list[tuple[str, str]]
) -> None:
    measured = measure_nodes(BenchConfig(repeats=2), tmp_path, tmp_path / "log")
    (found,) = measured.comparisons
    assert (list(found.ours), list(found.bare)) == ([9.0, 9.8], [10.0, 10.0])
    assert measured.notes == ["ingest on two simulated nodes / on one: 0.94, goal 0.95 MISSED"]
