"""Progress of long work, reported to whoever listens: a bar on a terminal, a callback, or nobody."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """How far one piece of work is.

    Attributes:
        description: what is being done, in a few words.
        done, total: steps; `done` counts those before a resume too.
        seconds: wall time since the work began here.
        rate: units per second since then, 0.0 before the first step.
        unit: what the rate counts, such as "img".
        finished: whether this is the last report.
    """

    description: str
    done: int
    total: int
    seconds: float
    rate: float
    unit: str
    finished: bool = False

    @property
    def fraction(self) -> float:
        """Share of the steps that are done, 0 to 1."""
        return self.done / self.total if self.total else 1.0


OnProgress = Callable[[Progress], None]
_listener: ContextVar[OnProgress | None] = ContextVar("listener of progress reports", default=None)


@contextmanager
def reporting_to(on_progress: OnProgress | None) -> Iterator[None]:
    """Report the progress of all work within the block to `on_progress`; None keeps the present listener."""
    token = _listener.set(on_progress if on_progress is not None else _listener.get())
    try:
        yield
    finally:
        _listener.reset(token)


@contextmanager
def progress_bar(
    description: str, total: int, *, done: int = 0, unit: str = "img", per_step: float = 1.0
) -> Iterator[Callable[[int], None]]:
    """Report progress while the block runs; call the yielded function with how many steps were done.

    Work within work is not reported: only the outermost block is.

    Args:
        description: what is being done, in a few words.
        total: steps in the whole.
        done: steps done already (after a resume).
        unit: what the rate counts.
        per_step: how many units one step is (a training step is a batch of images).
    """
    listener = _listener.get()
    token = _listener.set(None)
    start, here = time.monotonic(), 0

    def report(finished: bool) -> None:
        if listener is not None:
            seconds = time.monotonic() - start
            rate = here * per_step / seconds if here and seconds > 0 else 0.0
            listener(Progress(description, done + here, total, seconds, rate, unit, finished))

    def advance(steps: int) -> None:
        nonlocal here
        here += steps
        report(finished=False)

    try:
        report(finished=False)
        yield advance
    finally:
        report(finished=True)
        _listener.reset(token)


def silence() -> None:
    """Report nothing from here on in this process: its parent does."""
    _listener.set(None)
