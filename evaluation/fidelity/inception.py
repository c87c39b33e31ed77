"""The FID Inception-v3 of 2015-12-05, as torch-fidelity carries it, as far as its weights are at hand."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3, FeatureExtractorInceptionV3

from synthaug.augment.errors import DataError, UsageError
from synthaug.augment.images import LabeledImages
from synthaug.augment.transforms import with_channels
from synthaug.evaluation.fidelity.features import Extractor, Features
from synthaug.evaluation.fidelity.weights import read_weights, weights_sha256
from synthaug.evaluation.score import Protocol

WEIGHTS_HINT = "--inception-weights FILE, or network access for the torch-fidelity download"
# a feature layer's name, its width, and the last module before it; the deepest first
LAYERS = {"2048": "fc", "768": "Mixed_6e", "192": "Conv2d_4a_3x3", "64": "Conv2d_2b_3x3"}
PART = 32  # images at once: 299 × 299 pixels each


def inception_extractor(
    weights: Path | None = None, device: str = "cpu", layer: str | None = None
) -> Extractor:
    """Features of the Inception that FID is defined by (Heusel et al. 2017).

    Args:
        weights: a file of all or the first layers' weights; None takes torch-fidelity's cached download.
        layer: "2048", "768", "192" or "64"; None takes the deepest that the weights hold.

    Raises:
        DataError: no such file and no download possible, a file of other weights, or one that ends before
            `layer`.
        UsageError: no such layer.
    """
    if layer not in (None, *LAYERS):
        raise UsageError(f"inception-{layer}: expected inception-{', inception-'.join(LAYERS)}")
    state = read_weights(weights, URL_INCEPTION_V3, "Inception", WEIGHTS_HINT)
    layer = _layer_of(state, layer, str(weights or URL_INCEPTION_V3))
    network = _network(state, layer, str(weights or URL_INCEPTION_V3)).to(device)
    network = network.to(memory_format=torch.channels_last)  # 1.7 times as fast on a processor

    @torch.inference_mode()
    def of_batch(images: LabeledImages) -> Features:
        rgb = with_channels(images, 3).pixels
        if rgb.dtype != np.uint8:
            raise DataError("inception features want 8-bit images: found 16 bits, export them at 8")
        outputs: list[tuple[Tensor, ...]] = [
            network(torch.from_numpy(np.ascontiguousarray(rgb[start : start + PART])).to(device))
            for start in range(0, len(rgb), PART)
        ]
        columns = [torch.cat(column).float().cpu().numpy() for column in zip(*outputs, strict=True)]
        return Features(columns[0], columns[1] if len(columns) > 1 else None)

    protocol = Protocol(
        name=f"inception-{layer}",
        layer="Inception-v3 of 2015-12-05",
        preprocessing="299 px bilinear, 0..255 to [-1, 1]",
        weights=weights_sha256(state),
        dimensions=int(layer),
    )
    return Extractor(protocol, of_batch)


def _layer_of(state: dict[str, Tensor], wanted: str | None, place: str) -> str:
    held = {key.split(".")[0] for key in state}
    layers = [layer for layer, module in LAYERS.items() if module in held]
    if not layers:
        keys = ", ".join(sorted(held)[:5])
        raise DataError(f"{place}: expected Inception weights, found {keys} ...: give {WEIGHTS_HINT}")
    if wanted is not None and wanted not in layers:
        raise DataError(f"{place}: its weights give inception-{', inception-'.join(layers)}, not {wanted}")
    return wanted or layers[0]


def _network(state: dict[str, Tensor], layer: str, place: str) -> torch.nn.Module:
    """The network that gives (features, logits if it has them)."""

    class PartialInception(FeatureExtractorInceptionV3):  # type: ignore[misc]
        """Inception whose last layers may be missing."""

        def load_state_dict(self, state: dict[str, Tensor], *_: object) -> Any:
            return super().load_state_dict(state, strict=False)

    nothing = io.BytesIO()  # the parent's constructor wants to unpickle a file: give it an empty one
    torch.save({}, nothing)
    nothing.seek(0)
    layers = [layer, "logits_unbiased"] if layer == "2048" else [layer]
    network = PartialInception("inception-v3-compat", layers, feature_extractor_weights_path=nothing)
    modules = [name for name, _ in network.named_children()]
    deepest = modules.index(LAYERS[layer])
    try:
        missing = network.load_state_dict(state).missing_keys
    except RuntimeError:  # another Inception's shapes: torchvision's, say
        missing = [f"{modules[deepest]}.weight"]
    needed = [key for key in missing if modules.index(key.split(".")[0]) <= deepest]
    if needed:
        raise DataError(f"{place}: no weights of {needed[0]} that fit: give {WEIGHTS_HINT}")
    return network
