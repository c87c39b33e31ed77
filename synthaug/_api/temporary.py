"""Folders that live as long as the object that holds them."""

import shutil
import tempfile
import weakref
from pathlib import Path


class TemporaryFolder:
    """A folder that is deleted with this object, or when the process ends.

    `tempfile.TemporaryDirectory` warns when it is not closed by hand, which a returned result never is.

    Attributes:
        path: of the folder.
    """

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="synthaug-"))
        weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)
