"""What can go wrong with what a user asked for: every error derives from DerivationError."""


class DerivationError(Exception):
    """The request cannot be met; the message names the thing and gives the way out."""


class ParseError(DerivationError):
    """The text is not an expression; points at the line and the column (both from 1)."""

    def __init__(self, message, source="", position=0):
        before = source[:position]
        self.line = before.count("\n") + 1
        self.column = position - (before.rfind("\n") + 1) + 1
        if not source.strip():
            message += ": the text is empty"
        else:
            shown = source.split("\n")[self.line - 1]
            message = (
                f"{message} at line {self.line}, column {self.column}\n    {shown}\n    {' ' * (self.column - 1)}^"
            )
        super().__init__(message)


class ShapeError(DerivationError):
    """Shapes do not fit, or a size that the result needs is not known."""


class NoRuleError(DerivationError):
    """The calculus has no rule for a node."""


class UnsupportedError(DerivationError):
    """The question is understood, but outside what is carried."""


class DomainError(DerivationError):
    """A value left the domain of a function, such as the logarithm of a negative number."""
