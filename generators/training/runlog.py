"""Logs of a training: log.jsonl, TensorBoard events and sample grids."""

import json
import types
from pathlib import Path

import numpy as np
from torch.utils.tensorboard import SummaryWriter

from synthaug.augment.pictures import image_grid, save_grid


class RunLog:
    """Writes scalars and sample grids of one run.

    Args:
        run: the run's folder.
        first_step: steps already done; log lines after it (of steps that were lost) are dropped,
            but for events: what went wrong stays on record.
    """

    def __init__(self, run: Path, first_step: int = 0):
        self.run = run
        run.mkdir(parents=True, exist_ok=True)
        path = run / "log.jsonl"
        lines = path.read_text().splitlines(keepends=True) if path.exists() and first_step else []
        whole = [line for line in lines if line.endswith("\n")]  # a killed run may leave half a line
        kept = [line for line in whole if "event" in (said := json.loads(line)) or said["step"] <= first_step]
        path.write_text("".join(kept))
        self.lines = path.open("a")
        self.board = SummaryWriter(str(run / "tensorboard"), purge_step=first_step + 1)

    def scalars(self, step: int, values: dict[str, float]) -> None:
        """Add one line to log.jsonl and one point to each TensorBoard curve."""
        self.lines.write(json.dumps({"step": step} | {k: round(v, 6) for k, v in values.items()}) + "\n")
        self.lines.flush()
        for name, value in values.items():
            self.board.add_scalar(name, value, step)

    def event(self, step: int, what: str) -> None:
        """Add a line that says what happened."""
        self.lines.write(json.dumps({"step": step, "event": what}) + "\n")
        self.lines.flush()
        self.board.add_text("event", what, step)

    def grid(self, step: int, pixels: np.ndarray, columns: int) -> None:
        """Save a sample grid, (N, C, H, W) uint8, as samples/<step>.png and in TensorBoard."""
        save_grid(pixels, self.run / "samples" / f"{step:07d}.png", columns)
        self.board.add_image("samples", image_grid(pixels, columns), step, dataformats="HWC")

    def __enter__(self) -> "RunLog":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: types.TracebackType | None
    ) -> None:
        self.lines.close()
        self.board.close()
