"""Generator/discriminator families, one file each; adding one is its file and its entry here."""

from synthaug.augment.errors import UsageError
from synthaug.generators.architectures import dcgan, light, mlp, monai, progressive, resnet, sndcgan
from synthaug.generators.architectures.family import Architecture

ARCHITECTURES = {
    "mlp": mlp.ARCHITECTURE,
    "dcgan": dcgan.ARCHITECTURE,
    "sndcgan": sndcgan.ARCHITECTURE,
    "monai": monai.ARCHITECTURE,
    "progressive": progressive.ARCHITECTURE,
    "light": light.ARCHITECTURE,
    "resnet": resnet.ARCHITECTURE,
}


def architecture(name: str) -> Architecture:
    """The family called `name`.

    Raises:
        UsageError: there is none of that name.
    """
    if name not in ARCHITECTURES:
        raise UsageError(f"no architecture {name!r}: expected one of {', '.join(ARCHITECTURES)}")
    return ARCHITECTURES[name]
