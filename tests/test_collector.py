import gc

import pytest

from mgray.collector import paused_collector


def test_collector_is_paused_and_comes_back():
    with paused_collector():
        assert not gc.isenabled()
    assert gc.isenabled()


def test_collector_comes_back_after_a_failure():
    with pytest.raises(RuntimeError), paused_collector():
        raise RuntimeError
    assert gc.isenabled()


def test_inner_pause_does_not_end_the_outer_one():
    with paused_collector():
        with paused_collector():
            pass
        assert not gc.isenabled()
