"""Extractors: what fidelity is measured in. Each gives features and class probabilities of images."""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from lightning_fabric import Fabric
from torch import Tensor

from synthaug.augment.errors import DataError, UsageError
from synthaug.augment.images import LabeledImages, Splits
from synthaug.augment.progress import progress_bar
from synthaug.augment.transforms import resize, with_channels
from synthaug.classifiers.prediction import predict
from synthaug.classifiers.training import ClassifierConfig, TrainedClassifier, train_classifier

WEIGHTS_HINT = "--inception-weights FILE, or network access for the torch-fidelity download"
# the last module before a feature layer, and the layer's name in torch-fidelity; the deepest first
LAYERS = {"fc": "2048", "Mixed_6e": "768", "Conv2d_4a_3x3": "192", "Conv2d_2b_3x3": "64"}


@dataclass(frozen=True)
class Features:
    """Of one set of images: vectors (N, D) float64, and logits (N, K) for the Inception Score, if any."""

    vectors: npt.NDArray[np.float64]
    logits: npt.NDArray[np.float64] | None


@dataclass(frozen=True)
class Extractor:
    """A way to turn images into features, with the protocol it stands for.

    Attributes:
        protocol: extractor, layer and preprocessing in words: stands beside every number.
    """

    name: str
    protocol: str
    extract: Callable[[LabeledImages], Features]


def domain_extractor(trained: TrainedClassifier, splits: Splits) -> Extractor:
    """Features and probabilities of a classifier trained on the real training split, at its size."""
    channels, side, _ = splits.train.image_shape

    def extract(images: LabeledImages) -> Features:
        said = predict(trained.network, resize(with_channels(images, channels), side))
        logits = np.log(np.maximum(said.probabilities, 1e-30))
        return Features(said.features.astype(np.float64), logits)

    protocol = f"classifier trained on {splits.name} train, n={len(splits.train)}, {side} px"
    return Extractor("domain", protocol, extract)


def inception_extractor(weights: Path | None = None, device: str = "cpu") -> Extractor:
    """The FID Inception-v3 of 2015 as torch-fidelity carries it: 2048 features, or the deepest layer at hand.

    Args:
        weights: a file of all or the first layers' weights; None takes torch-fidelity's cached download.

    Raises:
        DataError: no such file and no download possible, or a file of other weights.
    """
    network, layer = _inception(weights)
    network = network.to(device)

    @torch.inference_mode()
    def extract(images: LabeledImages) -> Features:
        rgb = with_channels(images, 3)
        if rgb.pixels.dtype != np.uint8:
            raise DataError("inception features want 8-bit images: found 16 bits, export them at 8")
        found: list[tuple[Tensor, ...]] = []
        with progress_bar(f"inception-{layer}", len(rgb)) as advance:
            for batch in rgb.batches(32):
                found.append(network(torch.from_numpy(np.ascontiguousarray(batch.pixels)).to(device)))
                advance(len(batch))
        columns = [torch.cat(column).double().cpu().numpy() for column in zip(*found, strict=True)]
        return Features(columns[0], columns[1] if len(columns) > 1 else None)

    return Extractor("inception", f"inception-{layer} (2015-12-05), 299 px, bilinear", extract)


def _inception(weights: Path | None) -> tuple[torch.nn.Module, str]:
    """The network that gives (features, logits if it has them), and the name of its feature layer."""
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    class PartialInception(FeatureExtractorInceptionV3):  # type: ignore[misc]
        """Inception whose last layers may be missing."""

        def load_state_dict(self, state: dict[str, Tensor], *_: object) -> Any:
            return super().load_state_dict(state, strict=False)

    state = _inception_weights(weights)
    held = {key.split(".")[0] for key in state}
    layer = next((layer for module, layer in LAYERS.items() if module in held), None)
    if layer is None:
        found = ", ".join(sorted(held)[:5])
        raise DataError(f"{weights}: expected Inception weights, found {found} ...: give {WEIGHTS_HINT}")
    nothing = io.BytesIO()  # the parent's constructor wants to unpickle a file: give it an empty one
    torch.save({}, nothing)
    nothing.seek(0)
    layers = [layer, "logits_unbiased"] if layer == "2048" else [layer]
    network = PartialInception("inception-v3-compat", layers, feature_extractor_weights_path=nothing)
    modules = [name for name, _ in network.named_children()]
    deepest = max(modules.index(module) for module in LAYERS if LAYERS[module] == layer)
    try:
        missing = network.load_state_dict(state).missing_keys
    except RuntimeError:  # another Inception's shapes: torchvision's, say
        missing = [f"{modules[deepest]}.weight"]
    needed = [key for key in missing if modules.index(key.split(".")[0]) <= deepest]
    if needed:
        raise DataError(f"{weights}: no weights of {needed[0]} that fit: give {WEIGHTS_HINT}")
    return network, layer


def _inception_weights(weights: Path | None) -> dict[str, Tensor]:
    """Of a file, or of torch-fidelity's download; nothing but tensors is ever unpickled."""
    from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3

    try:
        if weights is None:
            state = torch.hub.load_state_dict_from_url(
                URL_INCEPTION_V3, map_location="cpu", progress=False, weights_only=True
            )
        else:
            state = torch.load(weights, map_location="cpu", weights_only=True)
        return {str(key): tensor for key, tensor in state.items()}
    except Exception as error:  # whatever the network or the unpickler says
        reason = (str(error) or type(error).__name__).splitlines()[0]
        place = weights or URL_INCEPTION_V3
        raise DataError(f"{place}: expected Inception weights, found {reason}: give {WEIGHTS_HINT}") from None


def extractors_for(
    names: Sequence[str], real: Splits, *, inception_weights: Path | None, fabric: Fabric, steps: int = 300
) -> list[Extractor]:
    """Extractors by name: domain (trained here on the real training split) and inception.

    Args:
        steps: of the domain classifier's training.

    Raises:
        UsageError: an unknown name.
        DataError: inception without weights.
    """
    found = []
    for name in names:
        if name == "domain":
            config = ClassifierConfig(steps=steps, balanced=True, augment=True)
            found.append(domain_extractor(train_classifier(real.train, real.val, config, fabric), real))
        elif name == "inception":
            found.append(inception_extractor(inception_weights, str(fabric.device)))
        else:
            raise UsageError(f"no extractor {name!r}: expected domain or inception")
    return found
