import pytest

from mgray.sources.timing import Timeline, day_number


def test_exams_of_a_patient_are_numbered_by_time_whatever_the_order():
    line = Timeline([("a", 30), ("b", 1), ("a", 10), ("a", 20), ("a", 10)])
    assert [line.order("a", time) for time in (10, 20, 30)] == [0, 1, 2]
    assert line.order("b", 1) == 0


@pytest.mark.parametrize(("patient", "time"), [(None, 3), ("a", None)])
def test_exam_without_patient_or_time_has_no_place(patient, time):
    line = Timeline([(patient, time), ("a", 7)])
    assert line.order(patient, time) is None
    assert line.order("a", 7) == 0


@pytest.mark.parametrize("text", ["2012-01-05", "20120105", "2012-01-05 00:00:00"])
def test_dates_are_numbers_of_days(text):
    assert day_number(text) == day_number("2012-01-04") + 1


@pytest.mark.parametrize("text", ["", None, "5/4/2013", "2012-13-01", 7])
def test_what_is_no_date_is_none(text):
    assert day_number(text) is None
