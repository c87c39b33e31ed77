"""The same work in several processes, in order, with little of it in memory at any time."""

import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable
from typing import Any, TypeVar

from synthaug.augment.errors import SynthaugError
from synthaug.augment.images import LabeledImages

T = TypeVar("T")
Work = Callable[[int, LabeledImages], T]
AHEAD = 2  # pieces per process that wait or are done: enough to keep all busy


def side_by_side(work: Work[T], pieces: Iterable[tuple[int, LabeledImages]], jobs: int) -> Generator[T]:
    """`work` on each piece, the results in the order of the pieces.

    The processes are new ones (loky's), not forks: a fork copies the locks of torch's threads as they happen
    to be, and what multiprocessing spawns runs the caller's script anew. The pieces are drawn in this
    process, at most `AHEAD` per process before their results are.

    Args:
        work: can be copied to another process.
        jobs: processes; 1 works in this one.

    Raises:
        SynthaugError: a process was killed. Whatever ends the iteration early, no process writes afterwards.
    """
    if jobs == 1:
        for start, piece in pieces:
            yield work(start, piece)
        return
    # Imported here: most exports need no second process.
    from joblib.externals.loky import ProcessPoolExecutor
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    pool = ProcessPoolExecutor(jobs, initializer=_begin, initargs=(work, os.getpid()))
    waiting: deque[Any] = deque()
    try:
        for start, piece in pieces:
            waiting.append(pool.submit(_work, start, piece))
            if len(waiting) >= AHEAD * jobs:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except TerminatedWorkerError:
        raise SynthaugError(
            "a process that writes files was killed, perhaps for want of memory: free some, or add --jobs 1"
        ) from None
    finally:
        for result in waiting:
            result.cancel()
        pool.shutdown(wait=True)  # what has begun is ended: at most a few pieces


_mine: Work[Any] | None = None  # in a worker: with what it has made before, such as templates


def _begin(work: Work[Any], parent: int) -> None:
    global _mine
    _mine = work
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; the first process ends the others


def _end_with(parent: int) -> None:
    """Where the first process was killed, nobody is left to end this one."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def _work(start: int, piece: LabeledImages) -> Any:
    assert _mine is not None
    return _mine(start, piece)
