"""Recalibration of batch norm after averaging weights."""

import copy

import torch
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from synthaug.generators.architectures.family import ConditionalGenerator

BATCH = 64  # images


@torch.no_grad()
def recalibrate_batchnorm(
    generator: ConditionalGenerator, latents: Tensor, labels: Tensor
) -> ConditionalGenerator:
    """A copy whose batch norms have the statistics of images from these latents.

    The running statistics of the training are not those of the averaged weights (Izmailov et al. 2018,
    section 3.3).

    Args:
        latents: (N, Z), a few thousand.
        labels: (N,) in the mix of the training's batches.
    """
    generator = copy.deepcopy(generator)
    norms = [module for module in generator.modules() if isinstance(module, _BatchNorm)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the mean over all batches
        norm.train()
    if norms:
        for z, label in zip(torch.split(latents, BATCH), torch.split(labels, BATCH), strict=True):
            generator(z, label)
    return generator.eval()
