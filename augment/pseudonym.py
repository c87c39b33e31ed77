"""Names for patients that do not give them away, the same in every file that is written."""

import hashlib
import os
import re
from dataclasses import replace

import numpy as np

from synthaug.augment.images import LabeledImages

PSEUDONYM = re.compile(r"anon-[0-9a-f]{16}")


def pseudonym(identifier: str) -> str:
    """A name for a patient that does not give the identifier away; a pseudonym stays as it is.

    The salt is the environment variable SYNTHAUG_SALT. Identifiers are few enough to be tried one by one, so
    set it to a secret before sharing files beyond the people who may see the originals.
    """
    if PSEUDONYM.fullmatch(identifier):
        return identifier
    salt = os.environ.get("SYNTHAUG_SALT", "synthaug")
    digest = hashlib.sha256(f"{salt}/{identifier}".encode())
    return f"anon-{digest.hexdigest()[:16]}"


def without_names(images: LabeledImages) -> LabeledImages:
    """The images with pseudonyms as their groups; "synthetic" stays."""
    if images.groups is None:
        return images
    groups = [name if name == "synthetic" else pseudonym(name) for name in images.groups.tolist()]
    return replace(images, groups=np.array(groups, dtype=np.str_))
