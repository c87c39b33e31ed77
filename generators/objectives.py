"""What the two players want: losses of logits, an optional penalty, and the constraint they rest on."""

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
        penalty: (critic, real images, fake images, random numbers) -> scalar added to the discriminator's
            loss, or None.
        spectral_norm: whether the discriminator must carry spectral normalisation.
        discriminator_steps: updates of the discriminator per update of the generator.
        betas: Adam's moments, as the objective's paper gives them.
    """

    discriminator: Callable[[Tensor, Tensor], Tensor]
    generator: Callable[[Tensor], Tensor]
    penalty: Callable[[Critic, Tensor, Tensor, torch.Generator], Tensor] | None
    spectral_norm: bool
    discriminator_steps: int
    betas: tuple[float, float]


def wasserstein_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """E[D(fake)] - E[D(real)] (Arjovsky et al. 2017)."""
    return fake.mean() - real.mean()


def wasserstein_generator(fake: Tensor) -> Tensor:
    """-E[D(fake)]; also the generator's side of the hinge objective."""
    return -fake.mean()


def gradient_penalty(critic: Critic, real: Tensor, fake: Tensor, rng: torch.Generator) -> Tensor:
    """10 E[(|∇D(x̂)|₂ - 1)²] at random points x̂ between real and fake images (Gulrajani et al. 2017)."""
    share = torch.rand(len(real), 1, 1, 1, generator=rng).to(real.device)
    between = (share * real + (1 - share) * fake).requires_grad_(True)
    (gradient,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
    penalty: Tensor = 10.0 * (gradient.flatten(1).norm(dim=1) - 1).square().mean()
    return penalty


def hinge_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """E[max(0, 1 - D(real))] + E[max(0, 1 + D(fake))] (Lim & Ye 2017; Miyato et al. 2018)."""
    return F.relu(1 - real).mean() + F.relu(1 + fake).mean()


OBJECTIVES = {
    "wgan-gp": Objective(
        wasserstein_discriminator, wasserstein_generator, gradient_penalty, False, 5, (0.0, 0.9)
    ),
    "hinge": Objective(hinge_discriminator, wasserstein_generator, None, True, 1, (0.0, 0.9)),
}


def objective(name: str) -> Objective:
    """The objective called `name`.

    Raises:
        UsageError: there is none of that name.
    """
    if name not in OBJECTIVES:
        raise UsageError(f"no objective {name!r}: expected one of {', '.join(OBJECTIVES)}")
    return OBJECTIVES[name]
