import subprocess
import sys

from mgray.cli import parse
from mgray.reports.config import EvaluateConfig

WORDS = ["run=a", "data=b", "out=c"]


def test_the_demos_words_are_understood() -> None:
    config = parse(EvaluateConfig, [*WORDS, "hit.min_radius_mm=7.0", "models=[sm, fused]"])
    assert config.hit.min_radius_mm == 7.0
    assert config.models == ("sm", "fused")


def test_reading_the_config_imports_nothing_heavy() -> None:
    heavy = "{'torch', 'ray', 'numpy', 'pyarrow', 'matplotlib', 'scipy'}"
    code = f"import sys, jobs.evaluate; sys.exit(bool({heavy} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
