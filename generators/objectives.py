"""Objectives of the two networks: losses of logits, an optional penalty, and the constraint it assumes.

Adding an objective is its two functions and an entry in OBJECTIVES.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from synthaug.augment.errors import UsageError

Critic = Callable[[Tensor], Tensor]  # images (N, C, H, W) -> logits (N,)


@dataclass(frozen=True)
class Objective:
    """Losses to minimise.

    Attributes:
        discriminator: (real logits, fake logits) -> scalar.
        generator: fake logits -> scalar.
        paper: that it comes from.
        penalty: (critic, real images, fake images, random numbers) -> scalar added to the discriminator's
            loss, or None.
        clip: the discriminator's weights are kept within ± this after every update, or None.
    """

    discriminator: Callable[[Tensor, Tensor], Tensor]
    generator: Callable[[Tensor], Tensor]
    paper: str
    penalty: Callable[[Critic, Tensor, Tensor, torch.Generator], Tensor] | None = None
    clip: float | None = None


def bce_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """-E[log σ(D(real))] - E[log (1 - σ(D(fake)))] (Goodfellow et al. 2014)."""
    return F.softplus(-real).mean() + F.softplus(fake).mean()


def bce_generator(fake: Tensor) -> Tensor:
    """-E[log σ(D(fake))], the non-saturating form of the same paper."""
    return F.softplus(-fake).mean()


def least_squares_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """½ E[(D(real) - 1)²] + ½ E[D(fake)²] (Mao et al. 2017)."""
    return 0.5 * ((real - 1).square().mean() + fake.square().mean())


def least_squares_generator(fake: Tensor) -> Tensor:
    """½ E[(D(fake) - 1)²]."""
    return 0.5 * (fake - 1).square().mean()


def wasserstein_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """E[D(fake)] - E[D(real)] (Arjovsky et al. 2017)."""
    return fake.mean() - real.mean()


def wasserstein_generator(fake: Tensor) -> Tensor:
    """-E[D(fake)]; also the generator's side of the hinge objective."""
    return -fake.mean()


def hinge_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """E[max(0, 1 - D(real))] + E[max(0, 1 + D(fake))] (Lim & Ye 2017; Miyato et al. 2018)."""
    return F.relu(1 - real).mean() + F.relu(1 + fake).mean()


def gradient_penalty(critic: Critic, real: Tensor, fake: Tensor, rng: torch.Generator) -> Tensor:
    """10 E[(|∇D(x̂)|₂ - 1)²] at random points x̂ between real and fake images (Gulrajani et al. 2017)."""
    mix = torch.rand(len(real), 1, 1, 1, generator=rng).to(real.device)
    between = mix * real + (1 - mix) * fake
    penalty: Tensor = 10.0 * (_gradient(critic, between).norm(dim=1) - 1).square().mean()
    return penalty


def r1_penalty(critic: Critic, real: Tensor, weights: Tensor) -> Tensor:
    """E[γ/2 |∇D(real)|²] (Mescheder et al. 2018), each image with its own weight γ, (N,)."""
    penalty: Tensor = 0.5 * (weights * _gradient(critic, real).square().sum(dim=1)).mean()
    return penalty


def _gradient(critic: Critic, images: Tensor) -> Tensor:
    """(N, C·H·W) gradients of the logits by the images, themselves differentiable."""
    images = images.detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(critic(images).sum(), images, create_graph=True)
    return gradient.flatten(1)


OBJECTIVES = {
    "bce": Objective(bce_discriminator, bce_generator, "Goodfellow 2014, non-saturating"),
    "lsgan": Objective(least_squares_discriminator, least_squares_generator, "Mao 2017"),
    "wgan": Objective(wasserstein_discriminator, wasserstein_generator, "Arjovsky 2017", clip=0.01),
    "wgan-gp": Objective(
        wasserstein_discriminator, wasserstein_generator, "Gulrajani 2017", penalty=gradient_penalty
    ),
    "hinge": Objective(hinge_discriminator, wasserstein_generator, "Lim & Ye 2017"),
}


def objective(name: str) -> Objective:
    """The objective called `name`.

    Raises:
        UsageError: there is none of that name.
    """
    if name not in OBJECTIVES:
        raise UsageError(f"no objective {name!r}: expected one of {', '.join(OBJECTIVES)}")
    return OBJECTIVES[name]
