"""Every command and table of ``docs/serving.md``."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from serve.gate import GateConfig

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "serving.md").read_text()
STARTERS = ("ray", "serve")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)


def commands():
    """Commands in their order; a line that ends in a backslash goes on."""
    joined = "".join(blocks("sh")).replace("\\\n", " ")
    return [line for line in joined.splitlines() if line.strip()]


@pytest.mark.parametrize("line", [c for c in commands() if c.split()[0] in STARTERS])
def test_rays_own_commands_are_understood_by_rays_parsers(line):
    """They would start a second Ray; their words are read as if they did."""
    from ray.scripts.scripts import cli as ray_cli
    from ray.serve.scripts import cli as serve_cli

    program, name, *words = shlex.split(line)
    command = {"ray": ray_cli, "serve": serve_cli}[program].commands[name]
    command.make_context(name, words)
    for word in words:
        assert not word.endswith(".yaml") or (ROOT / word).is_file()


@pytest.mark.ray
def test_all_other_commands_run_in_their_order(endpoint, model_folder, make_dicom, tmp_path):
    """In a folder like the repository, against the endpoint of these tests."""
    for name in ("jobs", "platform", "serve"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "image.dcm").write_bytes(make_dicom())
    shutil.copytree(model_folder, tmp_path / "runs/demo/train/models/fused")
    script = "\n".join(c for c in commands() if c.split()[0] not in STARTERS)
    script = script.replace("URL=http://127.0.0.1:8000", f"URL={endpoint}")
    script = script.replace('MODELS="$PWD/models"', f'MODELS="{model_folder.parents[1]}"')
    script = script.replace("version=1 source=runs/demo/train/models/fused", "version=1")
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    made = '> "$MGRAY_TOKEN_FILE")'
    assert made in script
    theirs = f'echo {os.environ["MGRAY_TOKEN"]} > "$MGRAY_TOKEN_FILE"'
    script = script.replace(made, f"{made}\n{theirs}")  # the endpoint has one already
    told = {**os.environ, "PATH": path, "PYTHONPATH": f"{ROOT}:{ROOT / 'platform'}"}
    ran = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=tmp_path, env=told, capture_output=True, text=True, check=False,
    )  # fmt: skip
    shutil.rmtree(model_folder.parent / "2", ignore_errors=True)
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-3000:]
    assert "FAILED" not in ran.stderr
    assert (tmp_path / "token").stat().st_mode & 0o077 == 0
    assert '"detections"' in ran.stdout


def test_the_tls_options_are_serves():
    from ray.serve.schema import HTTPOptionsSchema

    (options,) = [yaml.safe_load(block) for block in blocks("yaml")]
    assert HTTPOptionsSchema.model_validate(options["http_options"]).ssl_keyfile


def test_the_limits_and_their_defaults_are_the_gates():
    told = dict(re.findall(r"^\| `MGRAY_(\w+)` \| (\S+) \|", TEXT, re.MULTILINE))
    fields = {name.upper(): str(field.default) for name, field in GateConfig.model_fields.items()}
    assert told == fields


def test_every_metric_has_its_meaning():
    from serve.counts import render

    named = set(re.findall(r"^\| `(mgray_\w+)", TEXT, re.MULTILINE))
    families = re.findall(
        r"^# TYPE (mgray_\w+) (counter|gauge|histogram)", render().decode(), re.MULTILINE
    )
    assert named == {name for name, _ in families}
