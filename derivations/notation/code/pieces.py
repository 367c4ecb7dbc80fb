"""Pieces of Python text with their precedence, and numbers and sizes as Python writes them."""

from sympy import Add, Float, Mul, Pow, S

from derivations.notation.code.libraries import STATIC_FUNCTIONS

SUM, TERM, POWER, ATOM = range(4)
# What a place of a template asks for.
NEEDED = {"": SUM, "t": TERM, "p": POWER, "a": ATOM}
CONSTANTS = {
    S.Pi: "math.pi",
    S.Exp1: "math.e",
    S.Infinity: "math.inf",
    S.NaN: "math.nan",
    S.ComplexInfinity: "math.nan",
}
# Larger ones are written as floats, for arrays of integers overflow.
LARGEST_INTEGER = 2**53
# A denominator up to this one makes a short decimal fraction, such as 0.125.
MOST_BINARY = 64


class Piece(str):
    """Text of an operation with its precedence; a format field says what precedence its place needs."""

    __slots__ = ("level",)

    def __new__(cls, text, level=ATOM):
        piece = super().__new__(cls, text)
        piece.level = level
        return piece

    def __format__(self, needed):
        return self if self.level >= NEEDED[needed] else f"({self})"


def number(e, size):
    """A number made of numbers and sizes; size(symbol) is the name of a size."""
    if e.is_Integer and abs(e) > LARGEST_INTEGER:
        e = Float(e)
    if e.is_Integer or e.is_Float:
        return Piece(str(e) if e.is_Integer else repr(float(e)).replace("inf", "math.inf"), ATOM if e >= 0 else SUM)
    if e.is_Rational:
        if e.q & (e.q - 1) == 0 and e.q <= MOST_BINARY:
            return Piece(repr(float(e)), ATOM if e > 0 else SUM)
        return Piece(f"{e.p} / {e.q}", TERM)
    if e.is_Symbol:
        return Piece(size(e))
    if not e.args:
        return Piece(CONSTANTS.get(e) or repr(float(e)))
    if isinstance(e, Add):
        return _sum(e, size)
    if isinstance(e, Mul):
        top, bottom = e.as_numer_denom()
        if bottom != 1:
            return Piece(f"{number(top, size):t} / {number(bottom, size):p}", TERM)
        return Piece(" * ".join(f"{number(f, size):p}" for f in e.args), TERM)
    if isinstance(e, Pow):
        if e.exp == S.Half:
            return Piece(f"math.sqrt({number(e.base, size)})")
        if e.exp.could_extract_minus_sign():
            return Piece(f"1 / {number(1 / e, size):p}", TERM)
        return Piece(f"{number(e.base, size):a} ** {number(e.exp, size):a}", POWER)
    return Piece(f"{STATIC_FUNCTIONS[type(e)]}({', '.join(number(a, size) for a in e.args)})")


def _sum(e, size):
    negative = [bool(t.as_coeff_Mul()[0].is_negative) for t in e.args]
    terms = sorted(zip(e.args, negative), key=lambda pair: pair[1])
    text = "".join(f"{' - ' if minus else ' + '}{number(-t if minus else t, size):t}" for t, minus in terms)
    return Piece(text[3:] if text.startswith(" + ") else f"-{text[3:]}", SUM)
