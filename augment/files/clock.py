"""The moment that files say they were written at."""

import os
from datetime import UTC, datetime

from synthaug.augment.errors import UsageError


def moment_of_writing() -> datetime:
    """Now, to the second, or what SOURCE_DATE_EPOCH fixes (reproducible-builds.org); in UTC.

    Raises:
        UsageError: the variable holds no such moment.
    """
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    if epoch is None:
        return datetime.now(UTC).replace(microsecond=0)
    try:
        if epoch.isdecimal():
            return datetime.fromtimestamp(int(epoch), UTC)
    except (ValueError, OverflowError, OSError):  # beyond the year 9999
        pass
    raise UsageError(f"SOURCE_DATE_EPOCH is {epoch!r}: expected seconds since 1970, set or unset it")
