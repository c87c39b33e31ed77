"""LPIPS: how different two images look to a network, weighted as people judged pairs of patches."""

from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor
from torchmetrics.functional.image import lpips
from torchvision.models import SqueezeNet1_1_Weights

from synthaug.augment.errors import DataError
from synthaug.evaluation.fidelity.weights import read_weights, weights_sha256

WEIGHTS_HINT = "--lpips-weights FILE of torchvision's squeezenet1_1, or network access for its download"
PATCH = 64  # px: the linear weights were fitted to judgements of patches of this size
PREPROCESSING = f"bilinearly upsampled to {PATCH} px where smaller, grey repeated to RGB, [-1, 1]"


@dataclass(frozen=True)
class Perceptual:
    """The LPIPS distance (Zhang et al. 2018), SqueezeNet 1.1 with torchmetrics' linear weights, v0.1.

    Attributes:
        network: two (N, 3, H, W) batches in [-1, 1] -> (N, 1, 1, 1).
        weights: SHA-256 of all its weights.
    """

    network: torch.nn.Module
    weights: str

    @torch.inference_mode()
    def __call__(self, first: Tensor, second: Tensor) -> Tensor:
        """(N, C, H, W) and (N, C, H, W) in [0, 1], C of 1 or 3 -> (N,) float64, 0 for equal images.

        SqueezeNet halves the side four times: of an image of 28 px a single pixel is left. Images
        under 64 px are therefore upsampled to the size of patch that the linear weights were fitted on.
        """
        device = next(self.network.parameters()).device
        pair = [_as_patch(images.to(device, torch.float32)) for images in (first, second)]
        distances: Tensor = self.network(*pair)
        return distances.flatten().double().cpu()


def perceptual_distance(weights: Path | None = None, device: str = "cpu") -> Perceptual:
    """The LPIPS network with a backbone from a file, or from torchvision's cached download.

    Args:
        weights: torchvision's SqueezeNet 1.1, whole or its `features` alone (.pth or .safetensors).

    Raises:
        DataError: no such file, no network access, or weights of another network.
    """
    url = SqueezeNet1_1_Weights.DEFAULT.url
    state = read_weights(weights, url, "SqueezeNet 1.1", WEIGHTS_HINT)
    # nothing of the constructor's own loading: it downloads the backbone and unpickles the linear weights
    network = lpips._NoTrainLpips(pretrained=False, net="squeeze", pnet_rand=True)
    fitted = Path(lpips.__file__).parent / "lpips_models" / "squeeze.pth"
    linear = torch.load(fitted, map_location="cpu", weights_only=True)
    own = network.state_dict()
    # one tensor has two names, lin0 and lins.0; the file knows the first
    wanted = {key: key.replace("lins.", "lin") for key in own if key.startswith("lin")}
    filled = {key: linear[name] for key, name in wanted.items()}
    try:
        for key in own:
            if key.startswith("net.slices."):  # net.slices.1.3.squeeze.weight is features.3.squeeze.weight
                filled[key] = state["features." + key.split(".", 3)[3]]
        network.load_state_dict(filled)
    except (KeyError, RuntimeError) as error:  # a layer that is not there, or of another shape
        lacks = error.args[0] if isinstance(error, KeyError) else "weights of its shapes"
        place = weights or url
        raise DataError(
            f"{place}: expected SqueezeNet 1.1 weights, found no {lacks}: give {WEIGHTS_HINT}"
        ) from None
    return Perceptual(network.to(device), weights_sha256(network.state_dict()))


def _as_patch(images: Tensor) -> Tensor:
    """(N, 1 or 3, H, W) in [0, 1] -> (N, 3, H', W') in [-1, 1], the shorter side at least `PATCH`."""
    sides = images.shape[2:]
    if min(sides) < PATCH:
        larger = [round(side * PATCH / min(sides)) for side in sides]
        images = F.interpolate(images, larger, mode="bilinear", align_corners=False)
    return (2 * images - 1).expand(-1, 3, -1, -1)
