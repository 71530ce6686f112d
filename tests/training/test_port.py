from pathlib import Path

import pytest
import torch

from mgray.training.checkpoint import STATE_FILE
from mgray.training.port import LOCAL, RAY, LocalPort, newest_state, state_name


def write_state(folder: Path) -> None:
    torch.save({}, folder / STATE_FILE)


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


@pytest.mark.parametrize(("local", "ray", "newest"), [(20, 5, LOCAL), (5, 20, RAY)])
def test_the_newest_state_is_found_whoever_kept_it(
    tmp_path: Path, local: int, ray: int, newest: str
) -> None:
    for place, step in ((LOCAL, local), (RAY, ray)):
        folder = tmp_path / place / state_name(step)
        folder.mkdir(parents=True)
        write_state(folder)
    assert (
        LocalPort(tmp_path).resume()
        == newest_state(tmp_path, LOCAL, RAY)
        == tmp_path / newest / "step_0000020"
    )


def test_a_state_that_was_cut_off_is_passed_over(tmp_path: Path) -> None:
    for step in (1, 2):
        folder = tmp_path / RAY / state_name(step)
        folder.mkdir(parents=True)
        write_state(folder)
    torn = folder / STATE_FILE
    torn.write_bytes(torn.read_bytes()[:-30])
    assert newest_state(tmp_path, RAY) == tmp_path / RAY / state_name(1)
