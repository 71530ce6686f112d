from pathlib import Path

import pytest

from jobs.audit import run
from mgray.reports.config import AuditConfig
from tests.console import run_job


def test_a_contradiction_is_exit_code_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.csv").write_text("model,tpr,spec,acc\na,.5,.5,.9\n")
    (tmp_path / "good.csv").write_text("model,tpr,spec,acc\na,.5,.5,.5\n")
    assert run(AuditConfig(table=tmp_path / "bad.csv", most=100)) == 1
    assert run(AuditConfig(table=tmp_path / "good.csv", most=100)) == 0
    assert "row 'a' cannot come from any 100 cases" in capsys.readouterr().out


def test_help_lists_the_keys() -> None:
    done = run_job("audit", "--help")
    assert done.returncode == 0
    assert "most=1000" in done.stdout
