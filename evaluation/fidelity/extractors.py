"""What fidelity is measured in: extractors by name. Adding one is one entry in EXTRACTORS."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from safetensors.torch import load_file, save_file
from torch import nn

from synthaug.augment.errors import DataError, UsageError
from synthaug.augment.files.cache import kept
from synthaug.augment.images import LabeledImages, Splits
from synthaug.augment.jpeg import recode
from synthaug.augment.transforms import resize, to_unit_range, with_channels
from synthaug.classifiers.architectures import build_classifier
from synthaug.classifiers.prediction import predict
from synthaug.classifiers.training import ClassifierConfig, train_classifier
from synthaug.evaluation.fidelity.features import Extractor, Features
from synthaug.evaluation.fidelity.inception import inception_extractor
from synthaug.evaluation.fidelity.weights import read_weights, weights_sha256
from synthaug.evaluation.score import Protocol

CODED = "@jpeg"  # between an extractor's name and the quality that images are coded at before


@dataclass(frozen=True)
class Request:
    """What an extractor may need.

    Attributes:
        variant: what follows the extractor's name: "768" of inception-768, the model of timm/resnet18.
        steps: of the domain classifier's training.
    """

    real: Splits
    fabric: Fabric
    variant: str | None = None
    inception_weights: Path | None = None
    timm_weights: Path | None = None
    steps: int = 300


def extractors_for(
    names: Sequence[str],
    real: Splits,
    *,
    fabric: Fabric,
    inception_weights: Path | None = None,
    timm_weights: Path | None = None,
    steps: int = 300,
) -> list[Extractor]:
    """Extractors by name: domain, pixels, inception (or inception-768), timm/MODEL.

    With "@jpeg75" behind the name, images are coded as JPEG of that quality first, see `after_coding`.

    Args:
        steps: of the domain classifier's training.

    Raises:
        UsageError: an unknown name.
        DataError: a network without its weights.
    """
    extractors = []
    for name in names:
        plain, _, quality = name.partition(CODED)
        kind, _, variant = plain.partition("/") if plain.startswith("timm") else plain.partition("-")
        if kind not in EXTRACTORS:
            raise UsageError(f"no extractor {name!r}: expected domain, pixels, inception or timm/MODEL")
        request = Request(real, fabric, variant or None, inception_weights, timm_weights, steps)
        extractor = EXTRACTORS[kind](request)
        extractors.append(after_coding(extractor, quality) if CODED in name else extractor)
    return extractors


def after_coding(extractor: Extractor, quality: str) -> Extractor:
    """Features of images after one coding as JPEG: real and synthetic ones differ in anatomy, not in coding.

    Real images often went through JPEG before, generated ones did not. Coding at the quality of the real
    images (`augment.jpeg.class_qualities`), or below, changes the former little and gives the latter the same
    artefacts.

    Args:
        quality: on libjpeg's scale.

    Raises:
        UsageError: no number from 1 to 95.
    """
    if not (quality.isdecimal() and 1 <= int(quality) <= 95):
        raise UsageError(f"{extractor.protocol.name}{CODED}{quality}: expected a JPEG quality from 1 to 95")

    def of_batch(images: LabeledImages) -> Features:
        return extractor.of_batch(recode(images, [int(quality)] * len(images)))

    protocol = replace(
        extractor.protocol,
        name=f"{extractor.protocol.name}{CODED}{quality}",
        preprocessing=f"JPEG {quality}, {extractor.protocol.preprocessing}",
    )
    return Extractor(protocol, of_batch)


def domain_extractor(request: Request) -> Extractor:
    """Features and probabilities of a classifier trained on the real training split, at its size."""
    train = request.real.train
    network = _domain_classifier(request)
    channels, side, _ = train.image_shape

    def of_batch(images: LabeledImages) -> Features:
        prediction = predict(network, resize(with_channels(images, channels), side))
        return Features(prediction.features, np.log(np.maximum(prediction.probabilities, 1e-30)))

    protocol = Protocol(
        name="domain",
        layer=f"classifier trained on {request.real.name} train, n={len(train)}",
        preprocessing=f"{side} px, 0..255 to [0, 1]",
        weights=weights_sha256(network.state_dict()),
        dimensions=of_batch(train.take([0])).vectors.shape[1],
    )
    return Extractor(protocol, of_batch)


def _domain_classifier(request: Request) -> nn.Module:
    """Trained once for a data set, a configuration and a release of PyTorch; from the cache afterwards."""
    real, fabric = request.real, request.fabric
    config = ClassifierConfig(steps=request.steps, balanced=True, augment=True)
    about = (real.train.digest(), real.val.digest(), asdict(config), fabric.strategy.precision.precision)

    def fill(folder: Path) -> None:
        trained = train_classifier(real.train, real.val, config, fabric).network
        weights = {name: t.contiguous().cpu() for name, t in trained.state_dict().items()}
        save_file(weights, folder / "classifier.safetensors")

    file = kept("classifiers", (*about, torch.__version__), fill) / "classifier.safetensors"
    channels, side, _ = real.train.image_shape
    network = build_classifier(
        config.name, num_classes=len(real.class_names), channels=channels, image_size=side
    )
    network.load_state_dict(load_file(file))
    network = network.eval().to(fabric.device)
    return network.to(memory_format=torch.channels_last)


def pixel_extractor(request: Request) -> Extractor:
    """The images themselves, flattened, at the real ones' size: no network between them and the number."""
    channels, side, _ = request.real.train.image_shape

    def of_batch(images: LabeledImages) -> Features:
        return Features(
            to_unit_range(resize(with_channels(images, channels), side).pixels).flatten(1).numpy()
        )

    preprocessing = f"{side} px, 0..255 to [0, 1]"
    return Extractor(Protocol("pixels", "grey levels", preprocessing, "", channels * side * side), of_batch)


def timm_extractor(request: Request) -> Extractor:
    """Pooled features of any timm model, with weights from a local file.

    Raises:
        UsageError: no such model, or no weights named.
        DataError: the file is missing or of another model.
    """
    import timm
    from timm.data.config import resolve_model_data_config

    model = request.variant or ""
    if not timm.is_model(model):
        raise UsageError(f"timm/{model}: timm has no such model, see timm.list_models()")
    hint = "--timm-weights FILE (.safetensors or .pth)"
    if request.timm_weights is None:
        raise UsageError(f"timm/{model}: expected its weights in a local file, give {hint}")
    state = read_weights(request.timm_weights, "", f"timm/{model}", hint)
    network: Any = timm.create_model(model, pretrained=False, num_classes=0)
    try:
        missing = network.load_state_dict(state, strict=False).missing_keys
    except RuntimeError:  # shapes of another model
        missing = ["weights of these shapes"]
    if missing:
        raise DataError(f"{request.timm_weights}: no {missing[0]}, expected timm/{model}: give {hint}")
    device = request.fabric.device
    network = network.eval().to(device)
    data = resolve_model_data_config(network)  # type: ignore[no-untyped-call]
    side = data["input_size"][-1]
    mean, std = (torch.tensor(data[name]).view(3, 1, 1) for name in ("mean", "std"))

    @torch.inference_mode()
    def of_batch(images: LabeledImages) -> Features:
        ready = (to_unit_range(resize(with_channels(images, 3), side).pixels) - mean) / std
        vectors = [network(part.to(device)).flatten(1).float().cpu() for part in torch.split(ready, 32)]
        return Features(torch.cat(vectors).numpy())

    protocol = Protocol(
        name=f"timm/{model}",
        layer="pooled features",
        preprocessing=f"{side} px bicubic, 0..255 to the model's mean and deviation",
        weights=weights_sha256(state),
        dimensions=int(network.num_features),
    )
    return Extractor(protocol, of_batch)


EXTRACTORS: dict[str, Callable[[Request], Extractor]] = {
    "domain": domain_extractor,
    "pixels": pixel_extractor,
    "inception": lambda r: inception_extractor(r.inception_weights, str(r.fabric.device), r.variant),
    "timm": timm_extractor,
}
