"""A pool of worker processes with an object that all of them share, for exports and trainings."""

import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable
from types import TracebackType
from typing import Any, Self

from synthaug.augment.errors import SynthaugError
from synthaug.augment.progress import silence

AHEAD = 2  # tasks per process that wait or are done: enough to keep all busy
# Read by numerical libraries when they are loaded: the threads of several processes would compete for the
# cores, and floating-point sums depend on their number.
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


class ProcessPool:
    """Calls `work(shared, *task)` in worker processes of one thread each; results do not depend on how many.

    The processes are new ones (loky's), not forks: a fork copies the locks of torch's threads as they happen
    to be, and what multiprocessing spawns runs the caller's script anew.

    Args:
        shared: copied once to every process, where it keeps what it caches; can be pickled.
        jobs: processes; 1 works in this one.
    """

    def __init__(self, shared: Any, jobs: int) -> None:
        self.shared, self.jobs = shared, jobs
        self._executor: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the processes: after an error at once, whatever they are doing."""
        if self._executor is not None:
            self._executor.shutdown(wait=True, kill_workers=kind is not None)

    def run(
        self, work: Callable[..., Any], tasks: Iterable[tuple[Any, ...]], *, ordered: bool = True
    ) -> Generator[Any]:
        """`work(shared, *task)` of each task.

        Tasks are drawn in this process, at most `AHEAD` per process before their results are.

        Args:
            ordered: results in the order of the tasks, instead of that in which they are finished.

        Raises:
            SynthaugError: a process was killed.
        """
        if self.jobs == 1:
            for task in tasks:
                yield work(self.shared, *task)
            return
        from joblib.externals.loky.process_executor import TerminatedWorkerError

        waiting: deque[Any] = deque()
        try:
            for task in tasks:
                waiting.append(self._started().submit(_work, work, task))
                if len(waiting) >= AHEAD * self.jobs:
                    yield _next(waiting, ordered)
            while waiting:
                yield _next(waiting, ordered)
        except TerminatedWorkerError:
            raise SynthaugError(
                "a worker process was killed, perhaps for want of memory: free some, or add --jobs 1"
            ) from None
        finally:
            for future in waiting:
                future.cancel()

    def _started(self) -> Any:
        """The executor; the processes start with the first task."""
        if self._executor is None:
            # Imported here: most commands need no second process.
            from joblib.externals.loky import ProcessPoolExecutor

            self._executor = ProcessPoolExecutor(
                self.jobs, initializer=_begin, initargs=(self.shared, os.getpid()), env=ONE_THREAD
            )
        return self._executor


def _next(waiting: deque[Any], ordered: bool) -> Any:
    from concurrent.futures import as_completed

    future = waiting[0] if ordered else next(as_completed(waiting))
    waiting.remove(future)
    return future.result()


_shared: list[Any] = []  # in a worker: the pool's object, with what it has cached


def _begin(shared: Any, parent: int) -> None:
    _shared.append(shared)
    silence()
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; the first process ends the others


def _end_with(parent: int) -> None:
    """End this process when its parent was killed."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def _work(work: Callable[..., Any], task: tuple[Any, ...]) -> Any:
    return work(_shared[0], *task)
