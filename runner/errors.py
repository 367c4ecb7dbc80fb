"""What can go wrong for the one who types a command; the command line prints these without a traceback."""


class RunnerError(Exception):
    """Base of all of them."""


class ConfigError(RunnerError):
    """An option, or a combination of them, that makes no sense."""


class DataError(RunnerError):
    """Data that is missing, broken or of another kind."""


class RunError(RunnerError):
    """A run folder that cannot be read, written or continued."""


class DivergedError(RunnerError):
    """The loss is no longer a finite number."""


class StoppedError(RunnerError):
    """A training that was asked to stop, and has saved where to go on."""
