"""While every core is busy, an answer that needs no work does not wait for those that do."""

import os
from pathlib import Path

import pytest

from mgray.recipes.bench.memory import descendants, titled
from serve.niceness import LESS

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("client")]
NICEST = 19


def niceness(pid: int) -> set[int]:
    """Of each thread of a process: on Linux every one has its own."""
    threads = [int(thread.name) for thread in Path(f"/proc/{pid}/task").iterdir()]
    return {os.getpriority(os.PRIO_PROCESS, thread) for thread in threads}


def replica(part: str) -> int:
    return titled(f"ray::ServeReplica:mgray:{part}")[0]


def busiest(pid: int) -> int:
    """The thread of a process that has computed longest."""
    stats = {task: (task / "stat").read_text() for task in Path(f"/proc/{pid}/task").iterdir()}
    times = {task: int(stat.rpartition(")")[2].split()[11]) for task, stat in stats.items()}
    return int(max(times, key=times.__getitem__).name)


@pytest.mark.parametrize("part", ["Decoder", "Detector"])
def test_who_computes_gives_way_to_who_answers(part: str) -> None:
    (answers,) = niceness(replica("Endpoint"))
    assert max(niceness(replica(part))) == min(answers + LESS, NICEST)


def test_it_is_the_detectors_working_thread_that_gives_way() -> None:
    """It imports Torch, loads and runs the model: nothing there takes longer."""
    detector = replica("Detector")
    worker = os.getpriority(os.PRIO_PROCESS, busiest(detector))
    assert worker == max(niceness(detector)) > min(niceness(detector))


def test_the_process_that_decodes_gives_way_too() -> None:
    decoder = replica("Decoder")
    children = descendants(decoder)
    assert children
    assert all(niceness(child) == {max(niceness(decoder))} for child in children)
