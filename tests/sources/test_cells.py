import pytest

from mgray.errors import ConfigError
from mgray.sources.cells import Cells, read_table


@pytest.mark.parametrize("text", ["", "  ", None])
def test_empty_cell_is_none(text):
    cells = Cells({"a": text}, 2)
    told = [cells.text("a"), cells.number("a"), cells.flag("a"), cells.word("a", ("x",))]
    assert told == [None] * 4


@pytest.mark.parametrize(("text", "value"), [("1", True), ("True", True), ("no", False)])
def test_flag_is_read_in_several_spellings(text, value):
    assert Cells({"a": text}, 2).flag("a") is value


@pytest.mark.parametrize("text", ["inf", "nan", "1e999", "one"])
def test_number_is_finite(text):
    with pytest.raises(ConfigError, match="line 2 of the table: a must be a number"):
        Cells({"a": text}, 2).number("a")


def test_word_ignores_case():
    assert Cells({"a": "FFDM"}, 2).word("a", ("ffdm",)) == "ffdm"


def test_unknown_word_is_answered_with_the_words_of_the_table_not_their_translations():
    with pytest.raises(ConfigError, match="a must be one of bi-rads 1, bi-rads 2 or empty"):
        Cells({"a": "4A"}, 2).word("a", {"bi-rads 1": "1", "bi-rads 2": "2"})
    with pytest.raises(ConfigError, match="a must be one of CC, MLO or empty"):
        Cells({"a": "ML"}, 2).word("a", ("CC", "MLO"))


def test_table_gives_header_and_line_numbers(tmp_path):
    (tmp_path / "t.csv").write_text("a,b\n1,2\n3,4\n")
    header, lines = read_table(tmp_path / "t.csv", ["a"])
    assert (header, [one.line for one in lines]) == (["a", "b"], [2, 3])


def test_blank_lines_count_and_say_nothing(tmp_path):
    (tmp_path / "t.csv").write_text('\na,b\n\n"1\n1",2\n3,4\n')
    header, lines = read_table(tmp_path / "t.csv", ["a"])
    assert (header, [one.line for one in lines]) == (["a", "b"], [5, 6])


def test_short_and_long_lines_do_no_harm(tmp_path):
    (tmp_path / "t.csv").write_text("a,b\n1\n1,2,3\n")
    assert [one.text("b") for one in read_table(tmp_path / "t.csv", [])[1]] == [None, "2"]
