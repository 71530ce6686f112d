from pathlib import Path

import pytest

from mgray.training.port import LocalPort


def write_state(folder: Path) -> None:
    (folder / "state.pt").write_text("state")


def test_nothing_to_resume_at_first(tmp_path: Path) -> None:
    assert LocalPort(tmp_path).resume() is None


def test_the_newest_state_is_resumed_and_the_newest_two_are_kept(tmp_path: Path) -> None:
    port = LocalPort(tmp_path)
    for step in (5, 10, 100):
        port.report(step, write_state)
    assert port.resume() == tmp_path / "checkpoints" / "step_0000100"
    assert len(list((tmp_path / "checkpoints").iterdir())) == 2


def test_a_half_written_state_is_never_resumed(tmp_path: Path) -> None:
    def die(folder: Path) -> None:
        write_state(folder)
        raise KeyboardInterrupt

    port = LocalPort(tmp_path)
    port.report(5, write_state)
    with pytest.raises(KeyboardInterrupt):
        port.report(10, die)
    assert port.resume() == tmp_path / "checkpoints" / "step_0000005"
