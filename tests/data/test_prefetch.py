"""Work ahead: in order, bounded, and nothing left behind."""

import threading
import time
from concurrent.futures import Future
from itertools import count, islice

import pytest

from mgray.data.prefetch import Pools, in_order


def done(value: int) -> "Future[int]":
    future: Future[int] = Future()
    future.set_result(value)
    return future


def test_results_come_in_order_however_long_each_takes() -> None:
    def work(number: int) -> int:
        time.sleep(0.002 * (number % 3 == 0))
        return number

    with Pools(4, 1) as pools:
        found = list(in_order(lambda n: pools.decoders.submit(work, n), range(50), 8))
    assert found == list(range(50))


@pytest.mark.parametrize("ahead", [1, 4])
def test_no_more_is_started_than_asked_for(ahead: int) -> None:
    started: list[int] = []

    def start(number: int) -> "Future[int]":
        started.append(number)
        return done(number)

    stream = in_order(start, count(), ahead)
    assert list(islice(stream, 3)) == [0, 1, 2]
    assert started == list(range(3 + ahead))


def test_fewer_items_than_are_made_ahead_all_come() -> None:
    assert list(in_order(done, range(2), 9)) == [0, 1]


def test_the_first_error_in_order_is_raised() -> None:
    def work(number: int) -> int:
        return 10 // (3 - number)

    with Pools(2, 1) as pools:
        stream = in_order(lambda n: pools.decoders.submit(work, n), range(9), 4)
        assert list(islice(stream, 3)) == [3, 5, 10]
        with pytest.raises(ZeroDivisionError):
            next(stream)


def test_leaving_ends_what_waits_and_what_it_waits_for() -> None:
    """A thread that decodes waits for a read that was never begun."""
    gate, before = threading.Event(), {*threading.enumerate()}
    with Pools(1, 1) as pools:
        pools.readers.submit(gate.wait, 0.2)
        never = pools.readers.submit(gate.wait)
        pools.decoders.submit(never.result)
    assert never.cancelled()
    assert not {*threading.enumerate()} - before
