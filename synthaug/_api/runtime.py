"""Device, precision and cores."""

import logging
import os
from typing import TYPE_CHECKING

from synthaug.augment.errors import UsageError

if TYPE_CHECKING:
    import torch
    from lightning_fabric import Fabric

DEVICES = ("auto", "cpu", "cuda", "mps")
PRECISIONS = ("auto", "32-true", "bf16-mixed")


def make_fabric(device: str = "auto", precision: str = "auto") -> "Fabric":
    """Lightning Fabric on one device.

    Args:
        device: "cpu", "cuda", "mps", or "auto": CUDA where there is one, else the CPU.
        precision: "32-true", "bf16-mixed", or "auto": bf16 where the hardware computes in it.

    Raises:
        UsageError: an unknown word, or a device that is not there.
    """
    from lightning_fabric import Fabric

    if precision not in PRECISIONS:
        raise UsageError(f"--precision {precision}: expected {_one_of(PRECISIONS)}")
    device = device_of(device)
    if precision == "auto":
        precision = "bf16-mixed" if _fast_bf16(device) else "32-true"
    for name in ("lightning.fabric", "lightning_fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    return Fabric(accelerator=device, devices=1, precision=precision)  # type: ignore[arg-type]


def device_of(device: str = "auto") -> str:
    """The device that is meant: "auto" becomes "cuda" where there is one, else "cpu".

    Raises:
        UsageError: an unknown word, or a device that is not there.
    """
    import torch

    if device not in DEVICES:
        raise UsageError(f"--device {device}: expected {_one_of(DEVICES)}")
    if device == "cuda" and not torch.cuda.is_available():
        raise UsageError("--device cuda: no CUDA device here, use --device cpu")
    if device == "mps" and not torch.backends.mps.is_available():
        raise UsageError("--device mps: no Apple GPU here, use --device cpu")
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return device


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def parallel_trainings(jobs: int | None, device: "torch.device") -> int:
    """Trainings at a time: `jobs`, else one on a GPU and one per core on the CPU."""
    return jobs or (cores() if device.type == "cpu" else 1)


def _fast_bf16(device: str) -> bool:
    import torch

    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    supported = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    return device == "cpu" and bool(supported())


def _one_of(words: tuple[str, ...]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}"
