"""The arithmetic of convolution along one axis: sizes, the settings that give a size, and why.

Every size is in pixels along one axis; height and width are asked one at a time. Arguments are
integers, which give an int, or SymPy symbols (declared positive and integer), which give an expression.

Source: Dumoulin & Visin (2016), A guide to convolution arithmetic for deep learning.
"""

from dataclasses import dataclass
from numbers import Integral

from sympy import Add, And, Contains, Expr, FiniteSet, Min, Mul, Pow, Rational, Rel, ceiling, floor, symbols, true

from derivations.derivation import Derivation, Rule
from derivations.errors import ShapeError, UnsupportedError
from derivations.rewriting import equalities

Size = int | Expr
Padding = Size | str | tuple[Size, Size]
Kernels = int | tuple[int, ...]


def output_size(size: Size, kernel: Size, stride: Size = 1, padding: Padding = 0, dilation: Size = 1) -> Size:
    """Output pixels of a convolution: floor((H + P_before + P_after - D (K - 1) - 1) / S) + 1.

    padding: pixels added on each side, a pair (before, after), "valid" or, with stride 1, "same".
    Raises ShapeError if the kernel is larger than the padded input, or a setting is out of its range.
    """
    size, kernel, stride, dilation = _positive(size=size, kernel=kernel, stride=stride, dilation=dilation)
    before, after = margins(padding, kernel, stride, dilation)
    room = size + before + after - dilation * (kernel - 1) - 1
    if _surely(room < 0):
        raise ShapeError(_misfit("kernel", kernel, dilation, size, before, after, -room))
    return room // stride + 1


def transposed_output_size(
    size: Size, kernel: Size, stride: Size = 1, padding: Padding = 0, output_padding: Size = 0, dilation: Size = 1
) -> Size:
    """Output pixels of a transposed convolution: (H - 1) S - P_before - P_after + D (K - 1) + output_padding + 1.

    padding: that of the convolution which is transposed, so it is cut off here.
    output_padding: pixels added after; it chooses among the sizes that the convolution maps to the same one.
    Raises ShapeError if nothing is left, or output_padding is smaller than neither stride nor dilation.
    """
    size, kernel, stride, dilation = _positive(size=size, kernel=kernel, stride=stride, dilation=dilation)
    before, after = margins(padding, kernel, stride, dilation)
    extra = whole("output_padding", output_padding, 0)
    if _surely(extra >= stride) and _surely(extra >= dilation):
        raise ShapeError(
            f"output_padding must be smaller than the stride {stride} or the dilation {dilation}, got {extra}; "
            "take less, or a larger stride"
        )
    full = (size - 1) * stride + dilation * (kernel - 1) + extra + 1
    if _surely(full - before - after < 1):
        raise ShapeError(
            f"a transposed convolution must leave at least 1 pixel, but of its {full} the padding cuts off "
            f"{before} + {after}; take less padding"
        )
    return full - before - after


def pooled_size(
    size: Size, kernel: Size, stride: Size | None = None, padding: Size = 0, dilation: Size = 1, ceil_mode: bool = False
) -> Size:
    """Output pixels of pooling as PyTorch does it; the stride is the kernel where none is given.

    ceil_mode: keep a last incomplete window, if it starts inside the input or the padding before it.
    Raises ShapeError if no window fits, or the padding is more than half the kernel.
    """
    stride = kernel if stride is None else stride
    size, kernel, stride, dilation = _positive(size=size, kernel=kernel, stride=stride, dilation=dilation)
    padding = whole("padding", padding, 0)
    if _surely(2 * padding > kernel):
        raise ShapeError(
            f"pooling takes a padding of at most half the kernel {kernel}, got {padding}: "
            "take less padding or a larger kernel"
        )
    room = size + 2 * padding - dilation * (kernel - 1) - 1
    # Windows start at 0, S, 2S, ...: ceiling((H + P) / S) of them start before H + P.
    fitting, started = _ceiling(room, stride) + 1, _ceiling(size + padding, stride)
    windows = _least(fitting, started) if ceil_mode else room // stride + 1
    if _surely(windows < 1):
        missing = 1 - stride - room if ceil_mode else -room
        raise ShapeError(_misfit("pooling window", kernel, dilation, size, padding, padding, missing))
    return windows


def margins(padding: Padding, kernel: Size, stride: Size = 1, dilation: Size = 1) -> tuple[Size, Size]:
    """The pixels of padding (before, after) of a convolution, whichever way the padding is written."""
    if padding == "same" and stride != 1:
        raise ShapeError(f'padding="same" needs stride 1, got {stride}; give the padding in pixels')
    if padding == "same":
        total = dilation * (kernel - 1)
        return total // 2, total - total // 2
    pair = (0, 0) if padding == "valid" else padding if isinstance(padding, (tuple, list)) else (padding, padding)
    if (isinstance(padding, str) and padding != "valid") or len(pair) != 2:
        raise ShapeError(f'padding must be pixels, a pair (before, after), "valid" or "same", got {padding!r}')
    before, after = (whole("padding", p, 0, "; an odd total goes on one side: padding=(0, 1)") for p in pair)
    return before, after


def whole(name: str, value: Size, least: int, hint: str = "") -> Size:
    """The value as an int, a symbolic one as it is. Raises ShapeError if it is not whole or is below the least."""
    if isinstance(value, Integral) and not isinstance(value, bool):
        value = int(value)
    elif not isinstance(value, Expr) or value.is_number or value.is_integer is False:
        raise ShapeError(f"{name} must be a whole number, got {value!r}{hint}")
    if _surely(value < least):
        raise ShapeError(f"{name} must be at least {least}, got {value}")
    return value


def _positive(**values):
    return [whole(name, value, 1) for name, value in values.items()]


def _surely(relation):
    # Between symbols a comparison may be open; then it is no reason to refuse.
    return relation == true


def _misfit(what, kernel, dilation, size, before, after, missing):
    padded = f"{before} + {size} + {after} = {before + size + after}"
    return (
        f"a {what} of {kernel} with dilation {dilation} spans {dilation * (kernel - 1) + 1} pixels, but the padded "
        f"input has {padded}; pad by {missing} more in all, or take a smaller {what}"
    )


def _ceiling(a, b):
    return ceiling(a / b) if isinstance(a, Expr) or isinstance(b, Expr) else -(-a // b)


def _least(a, b):
    return Min(a, b) if isinstance(a, Expr) or isinstance(b, Expr) else min(a, b)


# --------------------------------------------------------------- the settings that give a size


@dataclass(frozen=True)
class Setting:
    kernel: int
    stride: int
    padding: int  # on each side


def settings(
    input_size: int, output_size: int, kernel: Kernels = 3, max_padding: int | None = None, dilation: int = 1
) -> tuple[Setting, ...]:
    """Every setting that turns input_size into output_size, by kernel, then stride, then padding.

    kernel: one, or several to try. max_padding: D (K - 1) if none is given; with more, a window may see
    padding alone. A stride longer than the padded input changes nothing and is left out.
    """
    found = []
    for k in kernel if isinstance(kernel, (tuple, list, range)) else (kernel,):
        room, last, limit = _inverse(input_size, output_size, k, max_padding, dilation)
        longest = (room + 2 * limit) // last if last else input_size + 2 * limit
        for stride in range(1, longest + 1):
            for padding in _paddings(room, last, stride, 2):
                if padding <= limit and stride <= input_size + 2 * padding:
                    found.append(Setting(k, stride, padding))
    return tuple(found)


def _inverse(input_size, output_size, kernel, max_padding, dilation):
    """(room, last, limit): a setting fits where floor((room + 2P) / S) = last and P <= limit."""
    input_size, output_size, kernel, dilation = _numbers(
        input_size=input_size, output_size=output_size, kernel=kernel, dilation=dilation
    )
    span = dilation * (kernel - 1)
    limit = span if max_padding is None else whole("max_padding", max_padding, 0)
    return input_size - span - 1, output_size - 1, limit


def _paddings(room, last, stride, sides):
    """The whole P >= 0 with last S <= room + sides P < (last + 1) S."""
    first, end = (_ceiling(n * stride - room, sides) for n in (last, last + 1))
    return range(max(0, first), max(0, end))


def _numbers(**values):
    for name, value in values.items():
        if isinstance(value, Expr) and not value.is_number:
            raise UnsupportedError(f"{name} must be a number here, got {value}; output_size takes symbols")
    return _positive(**values)


# ------------------------------------------------------------------------ and why: derivations


def _rule(name, statement):
    return Rule(None, name, statement, source="Dumoulin & Visin (2016), A guide to convolution arithmetic")


PUT_IN = _rule(
    "substitute the numbers", r"H_{out} = \lfloor (H + P_{before} + P_{after} - D (K - 1) - 1) / S \rfloor + 1"
)
ARITHMETIC = _rule("arithmetic", r"\text{sums and products of the numbers, } x + 1 = n + 1 \iff x = n")
FLOOR = _rule("the floor drops the incomplete step", r"\lfloor x \rfloor = \max \{n \in \mathbb{Z} : n \le x\}")
EXACT = _rule("the steps fit exactly, the floor drops nothing", r"\lfloor n \rfloor = n, \; n \in \mathbb{Z}")
BOUNDS = _rule("the definition of the floor", r"\lfloor x / S \rfloor = n \iff n S \le x < (n + 1) S, \; S > 0")
SOLVE = _rule("solve for the unknown", r"a \le b + c x \iff (a - b) / c \le x, \; c > 0")
WHOLE = _rule("only whole numbers count", r"P, T, S \in \mathbb{Z}, \; P, T \ge 0, \; S \ge 1")

H, K, S, D, H_out = symbols("H K S D H_out", integer=True, positive=True)
P, T, P_before, P_after = symbols("P T P_before P_after", integer=True, nonnegative=True)


def output_size_derivation(
    size: int, kernel: int, stride: int = 1, padding: Padding = 0, dilation: int = 1
) -> Derivation:
    """The output size of a convolution worked out line by line; arguments and errors as in output_size."""
    size, kernel, stride, dilation = _numbers(size=size, kernel=kernel, stride=stride, dilation=dilation)
    before, after = margins(padding, kernel, stride, dilation)
    result = output_size(size, kernel, stride, (before, after), dilation)
    if before == after:
        letters, numbers, given = [2 * P], [_held(Mul, 2, before)], {P: before}
    else:
        letters, numbers, given = [P_before, P_after], [before, after], {P_before: before, P_after: after}
    fraction = Rational(size + before + after - dilation * (kernel - 1) - 1, stride)
    return equalities(
        _formula(H, K, S, letters, D),
        (),
        (PUT_IN, _formula(size, kernel, stride, numbers, dilation)),
        (ARITHMETIC, _held(Add, _held(floor, fraction), 1)),
        (EXACT if fraction.is_integer else FLOOR, _held(Add, result - 1, 1)),
        (ARITHMETIC, Rational(result)),
        definitions=_definitions({H: size, K: kernel, S: stride, D: dilation} | given),
    )


def padding_derivation(
    input_size: int, output_size: int, stride: int, kernel: int = 3, dilation: int = 1
) -> Derivation:
    """Which padding P on each side gives the output size: each line holds for the same P as the one before."""
    return _inequalities(P, 2, input_size, output_size, stride, kernel, dilation)


def total_padding_derivation(
    input_size: int, output_size: int, stride: int, kernel: int = 3, dilation: int = 1
) -> Derivation:
    """Which total T = P_before + P_after gives the output size, so also what half a pixel on each side means."""
    return _inequalities(T, 1, input_size, output_size, stride, kernel, dilation).with_conditions(
        "the padding has T pixels in all; an odd T goes on one side, so T = 1 is what P = 1/2 would mean"
    )


def stride_derivation(
    input_size: int, output_size: int, kernel: int = 3, max_padding: int | None = None, dilation: int = 1
) -> Derivation:
    """Which strides S can give the output size with a padding of 0 to max_padding, D (K - 1) if none is given.

    A stride outside cannot; whether a whole P goes with one inside, padding_derivation tells.
    Raises UnsupportedError for an output of 1 pixel, which every long enough stride gives.
    """
    room, last, limit = _inverse(input_size, output_size, kernel, max_padding, dilation)
    if last == 0:
        raise UnsupportedError(f"an output of 1 pixel leaves the stride free; settings({input_size}, 1) lists the rest")
    most, end = room + 2 * limit, last + 1
    above = _relation(room, "<", end * S)
    return equalities(
        And(_relation(last * S, "<=", _held(Add, room, _held(Mul, 2, limit))), above),
        (S,),
        (ARITHMETIC, And(_relation(last * S, "<=", most), above)),
        (SOLVE, And(_relation(Rational(room, end), "<", S), _relation(S, "<=", Rational(most, last)))),
        (WHOLE, _one_of(S, range(max(1, room // end + 1), most // last + 1))),
        conditions=(f"the padding P of each side is from 0 to {limit}",),
    )


def _inequalities(unknown, sides, input_size, output_size, stride, kernel, dilation):
    room, last, _ = _inverse(input_size, output_size, kernel, None, dilation)
    (stride,) = _numbers(stride=stride)
    padding, end = sides * unknown, last + 1
    low, high = Rational(last * stride - room, sides), Rational(end * stride - room, sides)
    return equalities(
        _relation(_formula(H, K, S, [padding], D), "==", H_out),
        (unknown,),
        (PUT_IN, _relation(_formula(input_size, kernel, S, [padding], dilation), "==", output_size)),
        (ARITHMETIC, _relation(_held(floor, (room + padding) / S), "==", last)),
        (BOUNDS, _between(last * S, room + padding, end * S)),
        (PUT_IN, _between(last * stride, room + padding, end * stride)),
        (SOLVE, _between(low, unknown, high)),
        (WHOLE, _one_of(unknown, _paddings(room, last, stride, sides))),
        definitions=_definitions({H: input_size, K: kernel, S: stride, D: dilation, H_out: output_size}),
    )


def _formula(size, kernel, stride, paddings, dilation):
    """The size of the output as it is written, nothing worked out."""
    span = _held(Mul, -1, dilation, _held(Add, kernel, -1))
    room = _held(Add, size, *paddings, span, -1)
    return _held(Add, _held(floor, _held(Mul, room, _held(Pow, stride, -1))), 1)


def _held(operation, *arguments):
    return operation(*arguments, evaluate=False)


def _relation(left, sign, right):
    return Rel(left, right, sign, evaluate=False)


def _between(low, middle, high):
    return And(_relation(low, "<=", middle), _relation(middle, "<", high))


def _one_of(unknown, values):
    return _relation(unknown, "==", values[0]) if len(values) == 1 else _held(Contains, unknown, FiniteSet(*values))


def _definitions(values):
    return tuple((symbol, Rational(value)) for symbol, value in values.items())
