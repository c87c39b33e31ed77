"""The published families: what their networks promise at every size, and that they are the published ones."""

from itertools import product

import pytest
import torch
from torch import nn
from torch.nn.utils.parametrize import is_parametrized

from synthaug.generators.architectures import dcgan, mlp, monai, progressive, sndcgan
from synthaug.generators.architectures.family import UNKNOWN

FAMILIES = {
    "mlp": mlp.ARCHITECTURE,
    "dcgan": dcgan.ARCHITECTURE,
    "sndcgan": sndcgan.ARCHITECTURE,
    "monai": monai.ARCHITECTURE,
    "progressive": progressive.ARCHITECTURE,
}
CLASSES = 10  # with 1 or 3 channels no other layer is as wide: the label's weights can be told by their shape
every_form = pytest.mark.parametrize(
    ("family", "size", "channels"), list(product(FAMILIES, (28, 32, 64), (1, 3)))
)
every_norm = pytest.mark.parametrize(
    ("family", "norm"), [(family, norm) for family in FAMILIES for norm in FAMILIES[family].norms]
)
every_family = pytest.mark.parametrize("family", FAMILIES)


def noise(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def make_generator(family, size=32, channels=1, *, latent_dim=8, width=4, classes=CLASSES):
    torch.manual_seed(0)
    return FAMILIES[family].generator(
        num_classes=classes, image_size=size, channels=channels, latent_dim=latent_dim, width=width
    )


def make_discriminator(family, size=32, channels=1, *, width=4, norm=None, spectral=False, classes=CLASSES):
    torch.manual_seed(0)
    return FAMILIES[family].discriminator(
        num_classes=classes,
        image_size=size,
        channels=channels,
        width=width,
        norm=norm or FAMILIES[family].norms[0],
        spectral=spectral,
    )


def assert_learns(network):
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        if parameter.ndim > 1:  # a bias before a norm rightly learns nothing
            assert parameter.grad.abs().sum() > 0, name


@every_form
def test_a_generator_makes_images_of_its_size_and_learns_everywhere(family, size, channels):
    generator = make_generator(family, size, channels)
    images = generator(5 * noise(4, 8), torch.tensor([0, 1, 1, 9]))
    assert images.shape == (4, channels, size, size)
    assert images.dtype == torch.float32
    assert images.abs().max() <= 1
    assert images.std() > 0
    (images * noise(*images.shape)).sum().backward()
    if family == "progressive":
        generator.to_image = generator.to_image[-1:]  # the others belong to earlier stages
    assert_learns(generator)


@every_family
def test_no_weights_lead_out_of_the_images_range(family):
    generator = make_generator(family)
    with torch.no_grad():
        for parameter in generator.parameters():
            parameter.mul_(30)
        images = generator(noise(4, 8), torch.tensor([0, 1, 1, 9]))
    assert 0.99 < images.abs().max() <= 1


@every_form
def test_a_discriminator_gives_one_logit_per_image_and_learns_everywhere(family, size, channels):
    discriminator = make_discriminator(family, size, channels, spectral=FAMILIES[family].spectral)
    logits = discriminator(noise(4, channels, size, size), torch.tensor([0, 1, UNKNOWN, 9]))
    assert logits.shape == (4,)
    assert logits.dtype == torch.float32
    (logits * noise(4)).sum().backward()
    if family == "progressive":
        discriminator.from_image = discriminator.from_image[-1:]
    assert_learns(discriminator)


@every_norm
def test_a_gradient_penalty_reaches_the_weights_through_every_norm(family, norm):
    discriminator = make_discriminator(family, norm=norm)
    images = noise(4, 1, 32, 32).requires_grad_()
    (slope,) = torch.autograd.grad(
        discriminator(images, torch.zeros(4, dtype=torch.int64)).sum(), images, create_graph=True
    )
    slope.square().sum().backward()
    weights = [p.grad for p in discriminator.parameters() if p.ndim > 1 and p.grad is not None]
    assert sum(grad.abs().sum().item() for grad in weights) > 0
    assert all(torch.isfinite(grad).all() for grad in weights)


@every_form
def test_the_label_changes_image_and_logit(family, size, channels):
    labels = torch.tensor([0, 1, 9])
    latents, image = noise(1, 8).expand(3, -1), noise(1, channels, size, size).expand(3, -1, -1, -1)
    images = make_generator(family, size, channels)(latents, labels)
    logits = make_discriminator(family, size, channels).eval()(image, labels)
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert (images[one] - images[other]).abs().max() > 1e-3
        assert logits[one] != logits[other]


@every_form
def test_an_unknown_label_uses_no_weight_of_any_class(family, size, channels):
    discriminator = make_discriminator(family, size, channels).eval()
    images, unknown = noise(2, channels, size, size), torch.full((2,), UNKNOWN)
    known = torch.tensor([0, 9])
    before = discriminator(images, unknown), discriminator(images, known)
    with torch.no_grad():
        for weight in discriminator.parameters():
            if weight.ndim > 1 and weight.shape[1] in (channels + CLASSES, channels * size**2 + CLASSES):
                weight[:, -CLASSES:] += 1
    torch.testing.assert_close(discriminator(images, unknown), before[0], rtol=0, atol=0)
    assert (discriminator(images, known) != before[1]).all()


@every_norm
def test_neighbours_change_a_logit_only_where_the_discriminator_says_so(family, norm):
    discriminator = make_discriminator(family, norm=norm)
    if family == "monai":
        discriminator.eval()  # no dropout
    images, labels = noise(4, 1, 32, 32), torch.tensor([0, 1, 1, 9])
    together = discriminator(images, labels)
    pairs = torch.cat([discriminator(images[i : i + 2], labels[i : i + 2]) for i in (0, 2)])
    same = torch.allclose(together, pairs, rtol=1e-4, atol=1e-6)
    assert same != discriminator.depends_on_batch


@every_family
def test_spectral_norm_holds_every_layer_below_the_output(family):
    discriminator = make_discriminator(family, norm=FAMILIES[family].norms[-1], spectral=True)
    with torch.no_grad():
        for parameter in discriminator.parameters():
            parameter.mul_(7)
        for _ in range(30):  # power iterations
            discriminator(torch.zeros(2, 1, 32, 32), torch.zeros(2, dtype=torch.int64))
            if family == "progressive":  # every stage's layers take part
                discriminator.grow((discriminator.progress.item() + 0.21) % 1)
    layers = [m for m in discriminator.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    free = [m for m in layers if not is_parametrized(m)]
    assert len(free) == 1
    assert next(iter(free[0].parameters())).shape[0] == 1
    for layer in set(layers) - set(free):
        norm = torch.linalg.matrix_norm(layer.weight.flatten(1), 2).item() * getattr(layer, "scale", 1.0)
        assert norm == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize(
    ("family", "progress"), [*((family, 1.0) for family in FAMILIES), ("progressive", 0.4)]
)
def test_saved_weights_give_the_same_images_from_a_fresh_network(family, progress):
    generator = make_generator(family, 64)
    generator.grow(progress)
    latents, labels = noise(3, 8), torch.tensor([0, 1, 9])
    generator(latents, labels)  # moves the statistics of batch norm
    torch.manual_seed(1)
    fresh = type(generator)(**generator.size)
    fresh.load_state_dict(generator.state_dict())
    torch.testing.assert_close(
        fresh.eval()(latents, labels), generator.eval()(latents, labels), rtol=0, atol=0
    )


@every_family
def test_both_networks_work_in_mixed_precision(family):
    generator = make_generator(family, 64)
    discriminator = make_discriminator(family, 64, spectral=FAMILIES[family].spectral)
    labels = torch.tensor([0, 1, 9])
    for progress in (0.0, 0.45, 1.0):
        for network in (generator, discriminator):
            network.grow(progress)
        with torch.autocast("cpu", torch.bfloat16):
            logits = discriminator(generator(noise(3, 8), labels), labels)
        logits.float().sum().backward()
    for network in (generator, discriminator):
        assert all(torch.isfinite(p.grad).all() for p in network.parameters() if p.grad is not None)


def shapes(network, kind):
    return [tuple(m.weight.shape[:2]) for m in network.modules() if isinstance(m, kind)]


class TestMLP:
    def test_has_the_published_layers_at_28_px(self):
        generator = make_generator("mlp", 28, latent_dim=100, width=128, classes=2)
        assert shapes(generator, nn.Linear) == [(128, 102), (256, 128), (512, 256), (784, 512)]
        assert [m.num_features for m in generator.modules() if isinstance(m, nn.BatchNorm1d)] == [256, 512]
        discriminator = make_discriminator("mlp", 28, width=128, classes=2)
        assert shapes(discriminator, nn.Linear) == [(512, 786), (256, 512), (1, 256)]


class TestDCGAN:
    def test_has_the_published_feature_maps_at_64_px(self):
        generator = make_generator("dcgan", 64, 3, latent_dim=100, width=64, classes=2)
        up = [(102, 512), (512, 256), (256, 128), (128, 64), (64, 3)]
        assert shapes(generator, nn.ConvTranspose2d) == up
        discriminator = make_discriminator("dcgan", 64, 3, width=64, classes=2)
        down = [(64, 5), (128, 64), (256, 128), (512, 256), (1, 512)]
        assert shapes(discriminator, nn.Conv2d) == down
        norms = [m.num_features for m in discriminator.modules() if isinstance(m, nn.BatchNorm2d)]
        assert norms == [128, 256, 512]

    def test_starts_from_weights_of_deviation_0_02_and_7_px_for_28(self):
        generator = make_generator("dcgan", 28, width=64)
        convolutions = [m for m in generator.modules() if isinstance(m, nn.ConvTranspose2d)]
        assert convolutions[0].kernel_size == (7, 7)
        for convolution in convolutions:
            assert convolution.weight.std().item() == pytest.approx(0.02, rel=0.05)


class TestSNDCGAN:
    def test_discriminates_in_the_published_pairs_of_convolutions_at_32_px(self):
        discriminator = make_discriminator("sndcgan", 32, 3, width=64, spectral=True, classes=2)
        convolutions = [m for m in discriminator.modules() if isinstance(m, nn.Conv2d)]
        assert [(m.out_channels, m.kernel_size[0], m.stride[0]) for m in convolutions] == [
            *((64, 3, 1), (64, 4, 2), (128, 3, 1), (128, 4, 2), (256, 3, 1), (256, 4, 2), (512, 3, 1))
        ]
        assert shapes(discriminator, nn.Linear) == [(1, 512 * 16)]

    def test_takes_the_generator_of_dcgan(self):
        assert sndcgan.ARCHITECTURE.generator is dcgan.ARCHITECTURE.generator


class TestMONAI:
    def test_is_the_tutorial_but_for_the_label(self):
        from monai.networks.nets.classifier import Discriminator
        from monai.networks.nets.generator import Generator

        tutorial_generator = Generator(
            latent_shape=(64,), start_shape=(64, 8, 8), channels=[32, 16, 8, 1], strides=[2, 2, 2, 1]
        )
        tutorial_discriminator = Discriminator(
            in_shape=(1, 64, 64),
            channels=(8, 16, 32, 64, 1),
            strides=(2, 2, 2, 2, 1),
            num_res_units=1,
            kernel_size=5,
        )
        generator = make_generator("monai", 64, latent_dim=64, width=8, classes=2)
        discriminator = make_discriminator("monai", 64, width=8, classes=2)
        label_inputs = {"linear.weight", "net.layer_0.conv.unit0.conv.weight", "net.layer_0.residual.weight"}
        for ours, theirs in (
            (generator.network, tutorial_generator),
            (discriminator.network, tutorial_discriminator),
        ):
            own = {name: tuple(p.shape) for name, p in ours.named_parameters()}
            for name, parameter in theirs.named_parameters():
                out, *rest = own.pop(name)
                if name in label_inputs:
                    rest[0] -= 2
                assert (out, *rest) == tuple(parameter.shape), name
            assert not own

    def test_drops_a_quarter_and_repeats_the_masks_after_loading(self):
        discriminator, images = make_discriminator("monai"), noise(4, 1, 32, 32)
        labels = torch.zeros(4, dtype=torch.int64)
        discriminator(images, labels)
        saved = {name: value.clone() for name, value in discriminator.state_dict().items()}
        second, third = discriminator(images, labels), discriminator(images, labels)
        assert (second != third).all()
        resumed = make_discriminator("monai")
        resumed.load_state_dict(saved)
        torch.testing.assert_close(resumed(images, labels), second, rtol=0, atol=0)
        dropout = monai.RepeatableDropout(0.25)
        dropped = dropout(torch.ones(100_000))
        assert (dropped == 0).float().mean().item() == pytest.approx(0.25, abs=0.01)
        assert dropped.mean().item() == pytest.approx(1, abs=0.01)
        assert not any(isinstance(module, nn.Dropout) for module in discriminator.modules())
