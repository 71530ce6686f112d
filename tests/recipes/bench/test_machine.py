import re

from mgray.recipes.bench.machine import describe_code, describe_machine


def test_the_machine_is_named() -> None:
    machine = describe_machine()
    assert machine["cpu"]
    assert machine["cores"] >= 1
    assert machine["memory_gib"] > 0.5
    assert machine["load"] >= 0


def test_the_code_is_named_by_its_commit() -> None:
    code = describe_code()
    assert code["commit"] is None or re.fullmatch(r"[0-9a-f]{40}", code["commit"])
    assert isinstance(code["changed"], bool)
    assert code["date"].endswith("+00:00")
