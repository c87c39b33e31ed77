"""Progress on the terminal: a bar with speed and time left; without a terminal, a line every half minute."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bars
from rich.text import Text

from synthaug.augment.progress import OnProgress, Progress, reporting_to

SECONDS_BETWEEN_LINES = 30.0


class _SpeedColumn(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.fields['rate']:,.0f} {task.fields['unit']}/s", style="progress.data.speed")


class _Bar:
    """One bar on a terminal; the next piece of work takes its place."""

    def __init__(self, console: Console):
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            _SpeedColumn(),
            TimeRemainingColumn(),
        )
        self.bars = Bars(*columns, console=console, transient=True)
        self.task: TaskID | None = None

    def __call__(self, progress: Progress) -> None:
        if self.task is None:
            self.task = self.bars.add_task(
                progress.description,
                total=progress.total,
                completed=progress.done,
                rate=0.0,
                unit=progress.unit,
            )
            self.bars.start()
        self.bars.update(self.task, completed=progress.done, rate=progress.rate)
        if progress.finished:
            self.bars.remove_task(self.task)
            self.bars.stop()
            self.task = None


class _Lines:
    """A line with the time of day every half minute: a log file or a pipe shows that the work goes on."""

    def __init__(self, console: Console):
        self.console = console
        self.last = time.monotonic()

    def __call__(self, progress: Progress) -> None:
        now = time.monotonic()
        if progress.finished or now - self.last < SECONDS_BETWEEN_LINES:
            return
        self.last = now
        left = progress.seconds * (1 - progress.fraction) / progress.fraction if progress.fraction else 0.0
        self.console.print(
            f"{datetime.now():%H:%M:%S} {progress.description}: {progress.done:,} of {progress.total:,}, "
            f"{progress.rate:,.0f} {progress.unit}/s, about {left / 60:.0f} min left",
            markup=False,
            highlight=False,
        )


@contextmanager
def shown_progress(quiet: bool = False) -> Iterator[None]:
    """Show the progress of all work within the block on stderr."""
    console = Console(stderr=True, soft_wrap=True)
    listener: OnProgress | None = None
    if not quiet:
        listener = _Bar(console) if console.is_terminal else _Lines(console)
    with reporting_to(listener):
        yield
