"""Tests of mgray.cli."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mgray.cli import field_help, main, parse
from mgray.config import Config
from mgray.errors import ConfigError, TooManyRejectedError


class Copy(Config):
    source: Path
    """What to copy."""
    count: int = 1
    """How often."""


COPIER = """
import time
from mgray.cli import guard

def run(words):
    try:
        print("started", flush=True)
        for _ in range(600):  # a signal just before a sleep is only heard after it
            time.sleep(0.1)
    finally:
        print("stopped", flush=True)

guard("Copy things.", run)
"""


def exit_code(monkeypatch, words, run=lambda config: None):
    monkeypatch.setattr(sys, "argv", ["jobs.copy", *words])
    with pytest.raises(SystemExit) as stop:
        main("Copy things.", Copy, run, "source")
    return stop.value.code


def test_bare_words_fill_the_named_fields():
    assert parse(Copy, ["here", "count=2"], ["source"]) == Copy(source=Path("here"), count=2)


def test_one_bare_word_too_many_is_refused():
    with pytest.raises(ConfigError, match="'there' is not key=value"):
        parse(Copy, ["here", "there"], ["source"])


def test_help_exits_zero_and_teaches_every_field(monkeypatch, capsys):
    assert exit_code(monkeypatch, ["--help"]) == 0
    text = capsys.readouterr().out
    assert "Copy things." in text
    assert "source=required" in text
    assert "How often." in text
    assert "exit codes" in text


def test_success_exits_zero(monkeypatch):
    assert exit_code(monkeypatch, ["here"]) == 0


def test_the_run_may_choose_the_exit_code(monkeypatch):
    assert exit_code(monkeypatch, ["here"], lambda config: 4) == 4


def test_a_misspelt_key_is_one_line_and_exit_two(monkeypatch, capsys):
    assert exit_code(monkeypatch, ["here", "cuont=2"]) == 2
    assert capsys.readouterr().err == "error: unknown key 'cuont': did you mean 'count'?\n"


def test_each_error_has_its_exit_code(monkeypatch, capsys):
    def refuse(config):
        raise TooManyRejectedError("5 of 6 files refused")

    assert exit_code(monkeypatch, ["here"], refuse) == 3
    assert capsys.readouterr().err == "error: 5 of 6 files refused\n"


def test_ctrl_c_says_how_to_continue(monkeypatch, capsys):
    def interrupt(config):
        raise KeyboardInterrupt

    assert exit_code(monkeypatch, ["here"], interrupt) == 130
    assert "run the same command again" in capsys.readouterr().err


def test_a_terminated_command_stops_what_it_started(tmp_path):
    copier = tmp_path / "copier.py"
    copier.write_text(COPIER)
    pipe = subprocess.PIPE
    command = [sys.executable, copier]
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as copies:
        assert copies.stdout.readline() == "started\n"
        copies.terminate()
        told, error = copies.communicate(timeout=60)
    assert told == "stopped\n"
    assert error == "terminated: run the same command again to continue\n"
    assert copies.returncode == 143


def test_a_terminated_command_says_so_though_its_way_out_was_changed(monkeypatch, capfd):
    def wait_as_ray_does(config):
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(60)
        except SystemExit:
            sys.exit(1)

    assert exit_code(monkeypatch, ["here"], wait_as_ray_does) == 143
    assert capfd.readouterr().err == "terminated: run the same command again to continue\n"


def test_field_help_shows_defaults():
    assert "count=1" in field_help(Copy)


class Switched(Config):
    dry_run: bool = False
    name: str = ""


def test_a_word_with_two_dashes_switches_a_flag_on_and_nothing_else():
    assert parse(Switched, ["--dry-run", "name=x"]) == Switched(dry_run=True, name="x")
    for word in ("--name", "--other"):
        with pytest.raises(ConfigError):
            parse(Switched, [word])


class Hit(Config):
    radius: float = 100.0
    strict: bool = True


class Nested(Config):
    hit: Hit = Hit(radius=7.0)
    names: tuple[str, ...] = ("a", "b")


class Outer(Config):
    inner: Nested = Nested(hit=Hit(radius=3.0))


def test_a_part_that_is_told_in_part_keeps_the_field_s_own_default():
    assert parse(Nested, ["hit.strict=false"]) == Nested(hit=Hit(radius=7.0, strict=False))
    assert parse(Outer, ["inner.hit.strict=false"]).inner.hit == Hit(radius=3.0, strict=False)
    assert parse(Outer, ["inner.names=[c]"]).inner == Nested(hit=Hit(radius=3.0), names=("c",))
    with pytest.raises(ConfigError, match=r"unknown key 'hit\.strct'"):
        parse(Nested, ["hit.strct=false"])


def test_help_shows_the_field_s_own_default_as_it_is_typed_in():
    assert "  hit.radius=7.0\n" in field_help(Nested)
    assert "  inner.hit.radius=3.0\n" in field_help(Outer)
    assert "  names=[a,b]\n" in field_help(Nested)
