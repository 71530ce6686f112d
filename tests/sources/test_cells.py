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


def test_short_lines_and_empty_cells_beyond_the_header_do_no_harm(tmp_path):
    (tmp_path / "t.csv").write_text("a,b\n1\n1,2, ,\n")
    assert [one.text("b") for one in read_table(tmp_path / "t.csv", [])[1]] == [None, "2"]


def test_cell_beyond_the_header_is_an_error_that_shows_none(tmp_path):
    (tmp_path / "t.csv").write_text("a,b\n1,2\nDoe, Jane,2\n")
    with pytest.raises(
        ConfigError, match=r"^line 3 of the table has more cells than its h"
    ) as error:
        read_table(tmp_path / "t.csv", [])
    assert "Jane" not in str(error.value)


def test_number_that_became_a_float_is_a_word():
    assert Cells({"a": "4.0"}, 2).word("a", ("4",)) == "4"
    with pytest.raises(ConfigError):
        Cells({"a": "4.5"}, 2).word("a", ("4",))


@pytest.mark.parametrize("text", ['1,"x\n3,4\n5,6\n', '1,"x" y\n3,4\n', '1,"x\n3,"y\n5,6\n'])
def test_quotation_mark_out_of_place_names_its_line_alone(tmp_path, text):
    (tmp_path / "t.csv").write_text(f"a,b\n7,8\n{text}")
    with pytest.raises(
        ConfigError, match=r"^line 3 of the table is no CSV: is a quotation"
    ) as error:
        read_table(tmp_path / "t.csv", [])
    assert "x" not in str(error.value).replace("text", "")
