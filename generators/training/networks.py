"""The two networks and their optimisers, built from a recipe; recipes that cannot work are refused here."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from synthaug.augment.errors import UsageError
from synthaug.generators.architectures import architecture
from synthaug.generators.architectures.family import (
    ConditionalDiscriminator,
    ConditionalGenerator,
    check_size,
)
from synthaug.generators.config import GANConfig
from synthaug.generators.objectives import objective


def build_networks(
    config: GANConfig, *, num_classes: int, image_size: int, channels: int
) -> tuple[ConditionalGenerator, ConditionalDiscriminator]:
    """Both networks with the initial weights that belong to the seed.

    Raises:
        UsageError: an architecture and an objective that do not go together, or a size it cannot make.
    """
    norm = check_recipe(config)
    family = architecture(config.architecture)
    check_size(config.architecture, family, image_size)
    size = {"num_classes": num_classes, "image_size": image_size, "channels": channels, "width": config.width}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        options = {name: getattr(config, name) for name in family.options}
        generator = family.generator(**size, latent_dim=config.latent_dim, **options)
        spectral = family.spectral or config.spectral_norm
        discriminator = family.discriminator(**size, norm=norm, spectral=spectral)
    return (
        generator.to(memory_format=torch.channels_last),
        discriminator.to(memory_format=torch.channels_last),
    )


def check_recipe(config: GANConfig) -> str:
    """The discriminator's normalisation, a key of `family.NORMS`: the paper's own where the objective allows.

    A penalty on the gradient at each image requires logits that do not depend on other images of the batch:
    batch norm is replaced by layer norm then (Gulrajani et al. 2017, section 4).

    Raises:
        UsageError: an architecture and an objective that do not go together, with the reason.
    """
    family, goal = architecture(config.architecture), objective(config.objective)
    pair = f"architecture {config.architecture} with objective {config.objective}"
    if config.objective in family.refuses:
        raise UsageError(f"{pair}: {family.refuses[config.objective]}; choose another --objective")
    if goal.clip and (family.spectral or config.spectral_norm):
        raise UsageError(
            f"{pair}: weights clipped to ±{goal.clip} and spectral norm undo each other, since that scales "
            "clipped weights up again; choose wgan-gp or hinge, or an architecture without spectral norm"
        )
    by_image = goal.penalty is not None or config.r1 > 0
    if by_image and family.norms[0] == "batch":
        return "layer"
    return family.norms[0]


def build_optimizer(
    config: GANConfig, parameters: Iterable[nn.Parameter], lr: float
) -> torch.optim.Optimizer:
    """Adam, or RMSprop where the paper has no momentum."""
    if config.optimizer == "rmsprop":
        return torch.optim.RMSprop(parameters, lr=lr, alpha=config.beta2)
    return torch.optim.Adam(parameters, lr=lr, betas=(config.beta1, config.beta2), fused=True)


@torch.no_grad()
def clip_weights(network: nn.Module, limit: float) -> None:
    """Keep every weight within ± `limit` (Arjovsky et al. 2017)."""
    for parameter in network.parameters():
        parameter.clamp_(-limit, limit)


@torch.no_grad()
def average_into(averaged: nn.Module, network: nn.Module, decay: float) -> None:
    """averaged = decay · averaged + (1 - decay) · network; counts are copied."""
    current: dict[str, Tensor] = network.state_dict()
    for name, kept in averaged.state_dict().items():
        if kept.is_floating_point() and decay:
            kept.lerp_(current[name], 1 - decay)
        else:
            kept.copy_(current[name])
