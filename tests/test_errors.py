"""Tests of mgray.errors."""

import pickle

import pytest

from mgray import errors


def test_reasons_are_a_closed_list_of_at_most_twenty():
    assert len(errors.REJECT_REASONS) <= 20


def test_a_refusal_says_reason_and_detail():
    assert str(errors.Rejected("no_pixels", "(7FE0,0010) is absent")) == (
        "the object holds no pixel data: (7FE0,0010) is absent"
    )


def test_an_unknown_reason_is_a_programming_error():
    with pytest.raises(ValueError, match="unknown reject reason 'odd'"):
        errors.Rejected("odd")


def test_a_refusal_survives_the_way_between_processes():
    copy = pickle.loads(pickle.dumps(errors.Rejected("timeout", "20 s")))
    assert (copy.reason, copy.detail) == ("timeout", "20 s")


def test_every_error_is_drawn_in_the_docstring():
    classes = [
        n for n, c in vars(errors).items() if isinstance(c, type) and issubclass(c, Exception)
    ]
    assert all(name in errors.__doc__ for name in classes)
