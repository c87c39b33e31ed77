"""Interrupted trainings as safetensors files: nothing is ever unpickled."""

from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from synthaug.augment.errors import DataError
from synthaug.augment.files.atomic import replacing
from synthaug.generators.training.gan import GANTraining
from synthaug.generators.training.monitor import TrainingMonitor


def save_training(path: Path, training: GANTraining) -> None:
    """Write everything a resumed training needs; the old checkpoint stays until the new one is whole."""
    tensors = {
        "steps_done": torch.tensor(training.steps_done),
        "slope": torch.tensor(training.r1_weight.state, dtype=torch.float64),
        "augmentation": torch.tensor(training.augmentation.state, dtype=torch.float64),
        "watch": torch.tensor(training.monitor.as_state(), dtype=torch.float64),
    }
    for prefix, module in _modules(training).items():
        tensors |= {f"{prefix}.{name}": t for name, t in module.state_dict().items()}
    for prefix, optimizer in _optimizers(training).items():
        for index, state in optimizer.state_dict()["state"].items():
            tensors |= {f"{prefix}.{index}.{name}": torch.as_tensor(t) for name, t in state.items()}
    with replacing(path) as fresh:
        save_file({name: t.contiguous().cpu() for name, t in tensors.items()}, fresh)


def load_training(path: Path, training: GANTraining) -> None:
    """Put a training back where `save_training` left it.

    Raises:
        DataError: there is no whole checkpoint, or it is of another configuration.
    """
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        for prefix, module in _modules(training).items():
            module.load_state_dict(_under(tensors, prefix))
        training.r1_weight.state = tensors["slope"].tolist()
        training.augmentation.state = tensors["augmentation"].tolist()
        training.monitor = TrainingMonitor.of_state(tensors["watch"].tolist())
    except (OSError, SafetensorError, RuntimeError, KeyError) as error:
        reason = str(error).splitlines()[0].rstrip(":")
        raise DataError(f"{path}: expected a checkpoint of this configuration to resume: {reason}") from None
    for prefix, optimizer in _optimizers(training).items():
        parameters = optimizer.param_groups[0]["params"]
        state: dict[int, dict[str, Tensor]] = {}
        for name, tensor in _under(tensors, prefix).items():
            index, key = name.split(".")
            parameter = parameters[int(index)]
            # moments lie in memory as their parameter does: fused Adam counts on it, and results would differ
            # in the last bit
            if tensor.shape == parameter.shape:
                tensor = torch.empty_like(parameter).copy_(tensor)
            state.setdefault(int(index), {})[key] = tensor
        optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    training.steps_done = int(tensors["steps_done"])


def load_averaged(path: Path, training: GANTraining) -> None:
    """Take the averaged generator alone from a checkpoint that `save_training` wrote."""
    with safe_open(path, framework="pt") as file:
        names = [name for name in file.keys() if name.startswith("ema.")]  # noqa: SIM118
        training.ema.load_state_dict({name.removeprefix("ema."): file.get_tensor(name) for name in names})


def _modules(training: GANTraining) -> dict[str, nn.Module]:
    return {
        "generator": training.generator.module,
        "discriminator": training.discriminator.module,
        "ema": training.ema,
    }


def _optimizers(training: GANTraining) -> dict[str, torch.optim.Optimizer]:
    return {"g_optimizer": training.g_optimizer, "d_optimizer": training.d_optimizer}


def _under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {
        name.removeprefix(f"{prefix}."): t for name, t in tensors.items() if name.startswith(f"{prefix}.")
    }
