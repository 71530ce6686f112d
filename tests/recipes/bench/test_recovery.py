from pathlib import Path

import pytest

from mgray.recipes.bench import recovery
from mgray.recipes.bench.recovery import recovery_note
from mgray.recipes.endpoint import Served


@pytest.fixture
def nobody(tmp_path: Path) -> Served:
    """An address at which nothing listens."""
    (tmp_path / "token").write_text("sesame")
    return Served("http://127.0.0.1:9", tmp_path / "token")


def test_no_answer_is_told_as_one(nobody: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recovery, "GIVE_UP_S", 0.3)
    found = recovery_note(nobody, b"x", "Decoder")
    assert found.startswith("Decoder killed: no answer in 0 s (goal 10); before: 0: ")
