"""Several processes of this machine, none of which outlives the one that asked for them."""

import contextlib
import multiprocessing
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing.connection import Connection


@contextmanager
def worker_processes(count: int) -> Iterator[ProcessPoolExecutor]:
    """Give a pool of fresh processes.

    Whoever leaves by an error, Ctrl-C or a signal does not wait for what is under way: the
    processes end at once, as they do when this one is killed. What they write must be whole or not
    there at any moment.

    Args:
        count: Of processes.
    """
    context = multiprocessing.get_context("spawn")
    theirs, ours = context.Pipe(duplex=False)  # never written to: it ends when this process does
    with (
        theirs,
        ours,
        ProcessPoolExecutor(
            count, mp_context=context, initializer=_end_with, initargs=(theirs,)
        ) as pool,
    ):
        try:
            yield pool
        except BaseException:
            ours.close()
            pool.shutdown(cancel_futures=True)
            raise


def _end_with(starter: Connection) -> None:
    threading.Thread(target=_leave_after, args=(starter,), daemon=True).start()


def _leave_after(starter: Connection) -> None:
    with contextlib.suppress(EOFError, OSError):
        starter.recv_bytes()
    os._exit(1)
