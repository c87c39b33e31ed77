"""Extractors: what fidelity is measured in. Each gives features and class probabilities of images."""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

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
        DataError: no weights there and no download possible.
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

    if weights is None:
        try:
            layers = ["2048", "logits_unbiased"]
            return FeatureExtractorInceptionV3("inception-v3-compat", layers, verbose=False), "2048"
        except Exception as error:  # whatever the download says
            reason = (str(error) or type(error).__name__).splitlines()[0]
            raise DataError(f"no Inception weights ({reason}): give {WEIGHTS_HINT}") from None

    class PartialInception(FeatureExtractorInceptionV3):  # type: ignore[misc]
        def load_state_dict(self, state: dict[str, Tensor], *_: object) -> object:
            return super().load_state_dict(state, strict=False)

    try:
        state = torch.load(weights, weights_only=True)
    except Exception as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise DataError(
            f"{weights}: expected Inception weights, found {reason}: give {WEIGHTS_HINT}"
        ) from None
    deepest = {"fc": "2048", "Mixed_6e": "768", "Conv2d_4a_3x3": "192", "Conv2d_2b_3x3": "64"}
    held = {key.split(".")[0] for key in state}
    layer = next((layer for module, layer in deepest.items() if module in held), None)
    if layer is None:
        raise DataError(
            f"{weights}: found {', '.join(sorted(held))}, expected torch-fidelity's Inception layers"
        )
    nothing = io.BytesIO()  # the parent's constructor wants to unpickle a file: give it an empty one
    torch.save({}, nothing)
    nothing.seek(0)
    layers = [layer, "logits_unbiased"] if layer == "2048" else [layer]
    network = PartialInception("inception-v3-compat", layers, feature_extractor_weights_path=nothing)
    network.load_state_dict(state)
    return network, layer


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
