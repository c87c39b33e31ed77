"""Classifiers by name: timm/<model>, torchvision/<model>, monai/<class>, or the small default."""

import copy

import torch
from torch import Tensor, nn

from synthaug.augment.errors import UsageError

DEFAULT = "small-resnet"
STRIDE = 32  # what the libraries' networks shrink an image by; smaller images are enlarged to it


def build_classifier(name: str, *, num_classes: int, channels: int, image_size: int) -> nn.Module:
    """A network (N, C, H, W) in [0, 1] -> logits (N, num_classes), freshly initialised.

    Args:
        name: "small-resnet", "timm/resnet18", "torchvision/resnet18", "monai/DenseNet121" and their like.
        channels: 1 or 3; every family takes both.
        image_size: the side. The small default adapts its first layer to it; the libraries' networks see
            images below 32 px enlarged to 32.

    Raises:
        UsageError: no such model, one that cannot take images of this size, or one whose answer is not one
            logit per class from a last linear layer.
    """
    library, _, model = name.partition("/")
    builders = {DEFAULT: _small_resnet, "timm": _timm, "torchvision": _torchvision, "monai": _monai}
    if library not in builders or (library != DEFAULT and not model):
        raise UsageError(
            f"no classifier {name!r}: expected {DEFAULT}, timm/<model>, torchvision/<model> or monai/<class>"
        )
    try:
        classifier = builders[library](model, num_classes, channels, image_size).train()
        if library != DEFAULT and image_size < STRIDE:
            classifier = nn.Sequential(nn.Upsample((STRIDE, STRIDE), mode="bilinear"), classifier)
        probe = copy.deepcopy(classifier)  # batch normalisation remembers what it has seen
        with torch.no_grad():
            shape = probe(torch.zeros(2, channels, image_size, image_size)).shape
    except UsageError:
        raise
    except Exception as error:  # whatever a model says of a size it cannot take
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise UsageError(f"classifier {name!r} at {image_size} px: {reason}") from None
    if shape != (2, num_classes):
        raise UsageError(f"classifier {name!r} gives outputs {tuple(shape)}: expected one logit per class")
    if not any(isinstance(module, nn.Linear) for module in classifier.modules()):
        raise UsageError(
            f"classifier {name!r} has no linear layer: expected one last, features are its input"
        )
    return classifier


def _small_resnet(_: str, num_classes: int, channels: int, image_size: int) -> nn.Module:
    """0.3 M parameters: MONAI's ResNet with one block per stage and 16 to 128 feature maps."""
    from monai.networks.nets.resnet import ResNet

    network: nn.Module = ResNet(
        block="basic",
        layers=[1, 1, 1, 1],
        block_inplanes=[16, 32, 64, 128],
        spatial_dims=2,
        n_input_channels=channels,
        conv1_t_size=3,
        conv1_t_stride=1 if image_size <= 32 else 2,
        no_max_pool=image_size < 128,
        num_classes=num_classes,
    )
    return network


def _timm(model: str, num_classes: int, channels: int, image_size: int) -> nn.Module:
    import timm

    if model not in timm.list_models():
        raise UsageError(f"no timm model {model!r}: timm.list_models() names them")
    network: nn.Module = timm.create_model(model, num_classes=num_classes, in_chans=channels)
    return network


def _torchvision(model: str, num_classes: int, channels: int, image_size: int) -> nn.Module:
    from torchvision import models

    if model not in models.list_models(module=models):
        raise UsageError(f"no torchvision model {model!r}: torchvision.models.list_models() names them")
    network: nn.Module = models.get_model(model, num_classes=num_classes)
    return network if channels == 3 else nn.Sequential(_GreyToRGB(), network)


def _monai(model: str, num_classes: int, channels: int, image_size: int) -> nn.Module:
    from monai.networks import nets

    if not hasattr(nets, model):
        raise UsageError(f"no MONAI network {model!r}: monai.networks.nets names them, DenseNet121 for one")
    network: nn.Module = getattr(nets, model)(spatial_dims=2, in_channels=channels, out_channels=num_classes)
    return network


class _GreyToRGB(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return images.expand(-1, 3, -1, -1)
