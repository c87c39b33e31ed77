"""One progress bar for everything that takes long: speed and time left, on stderr, silent in a pipe."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

_shown = 0  # bars at work; only the outermost is seen


class _SpeedColumn(ProgressColumn):
    """Units per second over the last steps, in the unit that the task names."""

    def render(self, task: Task) -> Text:
        per_step = task.fields["per_step"]
        speed = (task.finished_speed or task.speed or 0.0) * per_step
        return Text(f"{speed:,.0f} {task.fields['unit']}/s", style="progress.data.speed")


@contextmanager
def progress_bar(
    description: str, total: int, *, done: int = 0, unit: str = "img", per_step: float = 1.0
) -> Iterator[Callable[[int], None]]:
    """Show a bar while the block runs; call the yielded function with how many steps were done.

    A bar within a bar is not shown.

    Args:
        description: what is being done, in a few words.
        total: steps in the whole.
        done: steps done already (after a resume).
        unit: what the speed counts.
        per_step: how many units one step is (a training step is a batch of images).
    """
    global _shown
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _SpeedColumn(),
        TimeRemainingColumn(),
    )
    silent = _shown > 0 or not console.is_terminal
    _shown += 1
    try:
        with Progress(*columns, console=console, disable=silent, transient=True) as progress:
            task = progress.add_task(description, total=total, completed=done, unit=unit, per_step=per_step)
            yield lambda steps: progress.advance(task, steps)
    finally:
        _shown -= 1


def silence() -> None:
    """Show no bar in this process: its parent shows one."""
    global _shown
    _shown += 1
