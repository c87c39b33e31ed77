"""Errors a user can mend: one line with what was found, what was expected, and what to do."""


class SynthaugError(Exception):
    """A mistake the user can mend; the command line prints it without a traceback."""

    exit_status = 1


class UsageError(SynthaugError):
    """A wrong option, name or combination (exit status 2)."""

    exit_status = 2


class GateError(SynthaugError):
    """A safety gate failed: a leak, a near copy, a harm (exit status 3)."""

    exit_status = 3


class DataError(SynthaugError):
    """Input that is missing, empty, truncated or not what it claims to be (exit status 4)."""

    exit_status = 4
