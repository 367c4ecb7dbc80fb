"""What can go wrong for the one who types a command; the command line prints these without a traceback."""


class ClassifierError(Exception):
    """Base of all errors of this package."""


class ConfigError(ClassifierError):
    """An option, or a combination of them, that makes no sense."""


class DataError(ClassifierError):
    """Data that is missing, broken or of another kind."""


class RunError(ClassifierError):
    """A run folder that cannot be read, written or continued."""


class DivergedError(ClassifierError):
    """The loss is no longer a finite number."""


class StoppedError(ClassifierError):
    """A training that was asked to stop, and has saved where to go on."""
