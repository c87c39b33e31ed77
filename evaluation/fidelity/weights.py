"""Network weights from a file or a download: tensors only, nothing is ever unpickled."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from synthaug.augment.errors import DataError


def read_weights(path: Path | None, url: str, what: str, hint: str) -> dict[str, Tensor]:
    """The tensors of a .pth or .safetensors file, or of the cached download of `url` where `path` is None.

    Args:
        what: the network, in words.
        hint: what the user can do where it fails.

    Raises:
        DataError: no such file, no network, or content that is no table of tensors.
    """
    try:
        if path is None:
            state = torch.hub.load_state_dict_from_url(
                url, map_location="cpu", progress=False, weights_only=True
            )
        elif path.suffix == ".safetensors":
            state = load_file(path)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
        return {str(key): tensor for key, tensor in state.items()}
    except Exception as error:  # whatever the network or the unpickler says
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise DataError(f"{path or url}: expected {what} weights, found {reason}: give {hint}") from None


def weights_sha256(state: Mapping[str, Tensor]) -> str:
    """Of names and values, in the order of the names."""
    digest = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
