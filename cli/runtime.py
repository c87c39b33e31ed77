"""Device, precision and folders of a command."""

import logging
import os
from typing import TYPE_CHECKING

from synthaug.augment.errors import UsageError

if TYPE_CHECKING:
    import torch
    from lightning_fabric import Fabric


def make_fabric(device: str, precision: str) -> "Fabric":
    """Lightning Fabric on one device; "auto" takes a GPU if there is one, bf16 where the hardware has it.

    Raises:
        UsageError: an unknown word, or a device that is not there.
    """
    import torch
    from lightning_fabric import Fabric

    if device not in ("auto", "cpu", "cuda"):
        raise UsageError(f"--device {device}: expected auto, cpu or cuda")
    if precision not in ("auto", "32-true", "bf16-mixed"):
        raise UsageError(f"--precision {precision}: expected auto, 32-true or bf16-mixed")
    if device == "cuda" and not torch.cuda.is_available():
        raise UsageError("--device cuda: no CUDA device here, use --device cpu")
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if precision == "auto":
        precision = "bf16-mixed" if _fast_bf16(device) else "32-true"
    logging.getLogger("lightning.fabric").setLevel(logging.WARNING)
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    return Fabric(accelerator=device, devices=1, precision=precision)  # type: ignore[arg-type]


def _fast_bf16(device: str) -> bool:
    import torch

    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    supported = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    return bool(supported())


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def side_by_side(jobs: int | None, device: "torch.device") -> int:
    """Trainings at a time: as asked, else one on a GPU and one per core without."""
    return jobs or (1 if device.type == "cuda" else cores())
