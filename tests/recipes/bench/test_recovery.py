import subprocess
import sys
from pathlib import Path

import pytest

from mgray.recipes.bench import recovery
from mgray.recipes.bench.recovery import recovery_note, replicas
from mgray.recipes.endpoint import Served

TITLED = "import sys, time; print(flush=True); time.sleep(60)"


@pytest.fixture
def nobody(tmp_path: Path) -> Served:
    """An address at which nothing listens."""
    (tmp_path / "token").write_text("sesame")
    return Served("http://127.0.0.1:9", tmp_path / "token")


def test_no_answer_is_told_as_one(nobody: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recovery, "GIVE_UP_S", 0.3)
    found = recovery_note(nobody, b"x", "Decoder")
    assert found.startswith("Decoder killed: no answer in 0 s (goal 10); before: 0: ")


def test_replicas_are_found_by_their_title_and_killed(nobody: Served) -> None:
    title = "ray::ServeReplica:detect:Decoder"
    command = ["bash", "-c", f"exec -a {title} {sys.executable} -c '{TITLED}'"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as replica:
        assert replica.stdout
        replica.stdout.readline()
        assert replicas("Decoder") == [replica.pid]
        assert replicas("Detector") == []
        replica.kill()
