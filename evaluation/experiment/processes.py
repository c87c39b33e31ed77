"""Work on several cores: functions of a laboratory, each in a process of one thread."""

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Any

import torch

from synthaug.augment import progress
from synthaug.evaluation.experiment.data import ExperimentData

Work = Callable[..., Any]  # (laboratory, *what) -> something small that can be pickled

# read by numerical libraries when they are loaded: their threads would fight over the cores
ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")

_here: list[ExperimentData] = []  # in a worker: the one laboratory it works for


class SideBySide:
    """Runs work in `jobs` processes; in this one where that is 1. Results are the same either way.

    Floating-point sums depend on the number of threads, so that is always one.
    """

    def __init__(self, lab: ExperimentData, pool: ProcessPoolExecutor | None):
        self.lab, self.pool = lab, pool

    def run(self, work: Work, tasks: Sequence[tuple[Any, ...]]) -> Iterator[Any]:
        """work(laboratory, *task) of every task, in the order in which they are finished."""
        with progress.progress_bar("trainings", len(tasks), unit="trainings") as advance:
            for result in self._results(work, tasks):
                advance(1)
                yield result

    def _results(self, work: Work, tasks: Sequence[tuple[Any, ...]]) -> Iterator[Any]:
        if self.pool is None:
            with one_thread():
                yield from (work(self.lab, *task) for task in tasks)
            return
        waiting = [self.pool.submit(_apart, work, task) for task in tasks]
        try:
            for future in as_completed(waiting):
                yield future.result()
        finally:
            for future in waiting:
                future.cancel()


@contextmanager
def side_by_side(lab: ExperimentData, jobs: int) -> Iterator[SideBySide]:
    """Start the processes, and end them with the block."""
    if jobs == 1:
        yield SideBySide(lab, None)
        return
    workers = ProcessPoolExecutor(jobs, get_context("spawn"), _start, (lab, os.getpid()))
    try:
        with _started_with(dict.fromkeys(ONE_THREAD, "1")):
            yield SideBySide(lab, workers)
    finally:
        workers.shutdown(cancel_futures=True)


@contextmanager
def _started_with(variables: dict[str, str]) -> Iterator[None]:
    """Give processes that start meanwhile these environment variables."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name)
            else:
                os.environ[name] = value


@contextmanager
def one_thread() -> Iterator[None]:
    """Let PyTorch compute with a single thread for a while."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _start(lab: ExperimentData, parent: int) -> None:
    torch.set_num_threads(1)
    progress.silence()
    _here.append(lab)

    def watch() -> None:  # a worker whose parent was killed would go on taking a core
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _apart(work: Work, task: tuple[Any, ...]) -> Any:
    return work(_here[0], *task)
