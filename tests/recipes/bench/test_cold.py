import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mgray.dicom.example import example_file
from mgray.errors import MgrayError
from mgray.models.saved import save_model
from mgray.recipes.bench import cold
from mgray.recipes.bench.cold import from_zero_note, wait_until_asleep
from tests.networks import small_meta, spread_model


def test_an_endpoint_whose_last_detector_went_answers_the_next_image(tmp_path: Path) -> None:
    meta, stored = small_meta(), np.zeros((300, 200), np.uint16)
    save_model(tmp_path / "model", spread_model(meta, 0), meta)
    stored[40:-40, :100] = np.random.default_rng(0).integers(500, 1000, (220, 100))
    note = from_zero_note(tmp_path / "model", example_file(stored, "j2k"), tmp_path)
    assert re.fullmatch(r"first answer from zero detectors: \d+\.\d s \(goal 10\)", note)


def test_a_detector_that_stays_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cold, "ASLEEP_WITHIN_S", 0.3)
    named = "ray::ServeReplica:detect:Detector"
    asked = [named, "-c", "import time; print(flush=True); time.sleep(60)"]
    with subprocess.Popen(asked, executable=sys.executable, stdout=subprocess.PIPE) as child:
        assert child.stdout
        child.stdout.readline()
        with pytest.raises(MgrayError, match="still there"):
            wait_until_asleep()
        child.kill()
