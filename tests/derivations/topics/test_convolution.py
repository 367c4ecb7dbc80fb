"""Sizes against torch on the CPU (its meta device refuses less), derivations line by line, settings by trying all."""

import random

import numpy
import pytest
import torch
import torch.nn.functional as F
from sympy import Integer, Rational, Symbol, latex, symbols, true

from derivations.errors import ShapeError, UnsupportedError
from derivations.topics.convolution import (
    Setting,
    margins,
    output_size,
    output_size_derivation,
    padding_derivation,
    pooled_size,
    settings,
    stride_derivation,
    total_padding_derivation,
    transposed_output_size,
)

H, K, S, D = symbols("H K S D", integer=True, positive=True)
P, Q = symbols("P Q", integer=True, nonnegative=True)


def outcome(f, *arguments, **keywords):
    """What f gives, or None where it refuses."""
    try:
        return f(*arguments, **keywords)
    except (ShapeError, RuntimeError):
        return None


def both_axes(size_of, axes):
    """(height, width) of the output, or None where either axis is refused."""
    sizes = tuple(outcome(size_of, **axis) for axis in axes)
    return None if None in sizes else sizes


def torch_sizes(f, axes, *names, **keywords):
    """The same of a torch function that takes each setting as a pair."""
    image = torch.zeros(1, 1, *(axis["size"] for axis in axes))
    result = outcome(f, image, *(tuple(axis[name] for axis in axes) for name in names), **keywords)
    return None if result is None else tuple(result.shape[2:])


def draw(generator, **ranges):
    """Settings of both axes; now and then one is just below its range."""
    axes = [{name: generator.randint(*ends) for name, ends in ranges.items()} for _ in range(2)]
    if generator.random() < 0.2:
        name = generator.choice(list(ranges))
        generator.choice(axes)[name] = ranges[name][0] - 1
    return axes


def convolve(x, kernel, stride, padding, dilation):
    return F.conv2d(x, torch.zeros(1, 1, *kernel), None, stride, padding, dilation)


def convolve_transposed(x, kernel, stride, padding, output_padding, dilation):
    return F.conv_transpose2d(x, torch.zeros(1, 1, *kernel), None, stride, padding, output_padding, 1, dilation)


CONVOLUTION = dict(size=(1, 20), kernel=(1, 6), stride=(1, 5), padding=(0, 5), dilation=(1, 4))


def agreement(size_of, torch_function, axes_list, *names, **keywords):
    """How many settings are accepted and refused, after checking that torch says the same of each."""
    accepted = 0
    for axes in axes_list:
        expected = torch_sizes(torch_function, axes, *names, **keywords)
        assert both_axes(lambda **axis: size_of(**axis, **keywords), axes) == expected, axes
        accepted += expected is not None
    return accepted, len(axes_list) - accepted


def test_output_size_and_refusals_are_those_of_conv2d():
    generator = random.Random(0)
    axes = [draw(generator, **CONVOLUTION) for _ in range(4000)]
    counts = agreement(output_size, convolve, axes, "kernel", "stride", "padding", "dilation")
    assert min(counts) > 500


def test_transposed_output_size_and_refusals_are_those_of_conv_transpose2d():
    generator = random.Random(1)
    axes = [draw(generator, **CONVOLUTION, output_padding=(0, 4)) for _ in range(4000)]
    names = ("kernel", "stride", "padding", "output_padding", "dilation")
    assert min(agreement(transposed_output_size, convolve_transposed, axes, *names)) > 500


@pytest.mark.parametrize("ceil_mode", [False, True])
def test_pooled_size_and_refusals_are_those_of_max_pool2d(ceil_mode):
    generator = random.Random(2)
    ranges = CONVOLUTION | dict(padding=(0, 2))
    axes = [draw(generator, **ranges) for _ in range(4000)]
    names = ("kernel", "stride", "padding", "dilation")
    assert min(agreement(pooled_size, F.max_pool2d, axes, *names, ceil_mode=ceil_mode)) > 500


def test_pooling_without_a_stride_takes_the_kernel():
    for size in range(3, 20):
        assert pooled_size(size, 3) == torch.nn.MaxPool2d(3)(torch.zeros(1, size, size)).shape[1]


def test_the_last_window_must_start_inside_the_input():
    assert pooled_size(5, 2, 3, ceil_mode=True) == 2
    assert pooled_size(6, 2, 4, padding=1, ceil_mode=True) == 2
    assert pooled_size(3, 1, 3, ceil_mode=True) == 1  # ceiling((3 - 1) / 3) + 1 = 2, the second would start at 3


def test_padding_on_one_side_is_a_convolution_of_the_padded_input():
    generator = random.Random(3)
    for _ in range(1000):
        size, kernel, stride, dilation = (generator.randint(1, most) for most in (20, 5, 4, 3))
        before, after = generator.randint(0, 4), generator.randint(0, 4)
        padded = F.pad(torch.zeros(1, 1, size, 1), (0, 0, before, after))
        expected = outcome(F.conv2d, padded, torch.zeros(1, 1, kernel, 1), None, (stride, 1), 0, (dilation, 1))
        ours = outcome(output_size, size, kernel, stride, (before, after), dilation)
        assert ours == (None if expected is None else expected.shape[2])


@pytest.mark.filterwarnings("ignore:Using padding='same'")
def test_same_and_valid_padding_are_those_of_torch():
    torch.manual_seed(0)
    for kernel in range(1, 6):
        for dilation in range(1, 4):
            x, weight = torch.randn(1, 1, 11, 1), torch.randn(1, 1, kernel, 1)
            ours = F.conv2d(
                F.pad(x, (0, 0, *margins("same", kernel, dilation=dilation))), weight, dilation=(dilation, 1)
            )
            torch.testing.assert_close(ours, F.conv2d(x, weight, padding="same", dilation=(dilation, 1)))
            assert output_size(11, kernel, padding="same", dilation=dilation) == 11
    assert output_size(11, 3, 2, "valid") == output_size(11, 3, 2, 0) == 5
    assert output_size(H, K, padding="same") == H


def substituted(expression, values):
    return expression.subs({symbol: values[name] for name, symbol in LETTERS.items() if name in values})


LETTERS = dict(size=H, kernel=K, stride=S, padding=P, dilation=D, output_padding=Q)
SYMBOLIC = {
    "convolution": (output_size, ("size", "kernel", "stride", "padding", "dilation"), {}),
    "one side": (
        lambda size, kernel, stride, padding: output_size(size, kernel, stride, (0, padding)),
        ("size", "kernel", "stride", "padding"),
        {},
    ),
    "transposed": (transposed_output_size, tuple(LETTERS), {}),
    "pooling": (pooled_size, ("size", "kernel", "stride", "padding", "dilation"), {}),
    "ceil_mode": (pooled_size, ("size", "kernel", "stride", "padding", "dilation"), {"ceil_mode": True}),
}


@pytest.mark.parametrize("case", SYMBOLIC)
@pytest.mark.parametrize("kept", [{"size"}, {"size", "padding"}, set(LETTERS)], ids=len)
def test_symbols_give_an_expression_with_the_same_values(case, kept):
    size_of, names, keywords = SYMBOLIC[case]
    generator, checked = random.Random(4), 0
    while checked < 25:
        values = {name: generator.randint(name not in ("padding", "output_padding"), 6) for name in names}
        values["size"] *= 3
        expected = outcome(size_of, **values, **keywords)
        if expected is not None:
            arguments = {name: LETTERS[name] if name in kept else value for name, value in values.items()}
            assert substituted(size_of(**arguments, **keywords), values) == expected
            checked += 1


def test_symbolic_sizes_read_as_in_a_book():
    assert str(output_size(H, K, S, P, D)) == "floor((-D*(K - 1) + H + 2*P - 1)/S) + 1"
    assert output_size(H, 3, padding=1) == H
    assert transposed_output_size(H, 4, 2, 1) == 2 * H
    assert str(pooled_size(H, 2)) == "floor(H/2)"


@pytest.mark.parametrize("kind", [int, numpy.int64, Integer])
def test_integers_of_any_kind_give_a_python_int(kind):
    for result in (output_size(kind(64), kind(3)), transposed_output_size(kind(64), kind(3)), pooled_size(kind(64), 2)):
        assert type(result) is int


REFUSALS = [
    (lambda: output_size(3, 5), r"kernel of 5 .*spans 5 pixels.* has 0 \+ 3 \+ 0 = 3; pad by 2 more in all"),
    (lambda: output_size(3, 3, dilation=3, padding=(1, 0)), r"spans 7 pixels.* has 1 \+ 3 \+ 0 = 4; pad by 3 more"),
    (lambda: output_size(64, 3, stride=0), "stride must be at least 1, got 0"),
    (lambda: output_size(64, 0), "kernel must be at least 1, got 0"),
    (lambda: output_size(64, 3, dilation=-1), "dilation must be at least 1, got -1"),
    (lambda: output_size(0, 1), "size must be at least 1, got 0"),
    (lambda: output_size(64, 3, padding=-1), "padding must be at least 0, got -1"),
    (lambda: output_size(64, 3, 2, 0.5), r"padding must be a whole number, got 0\.5; an odd total .* padding=\(0, 1\)"),
    (lambda: output_size(64, 3, 2, Rational(1, 2)), "padding must be a whole number, got 1/2"),
    (lambda: output_size(64.0, 3), "size must be a whole number, got 64.0"),
    (lambda: output_size(True, 1), "size must be a whole number, got True"),
    (lambda: output_size(64, 3, stride=Symbol("x", integer=False)), "stride must be a whole number, got x"),
    (lambda: output_size(64, 3, padding=(1, 2, 3)), r"padding must be pixels, a pair .*, got \(1, 2, 3\)"),
    (lambda: output_size(64, 3, padding="full"), "padding must be pixels, .*got 'full'"),
    (lambda: output_size(64, 3, stride=2, padding="same"), 'padding="same" needs stride 1, got 2; give the padding'),
    (lambda: output_size(H, 3, padding=-P - 1), "padding must be at least 0"),
    (
        lambda: transposed_output_size(4, 3, 2, 0, 2),
        "output_padding must be smaller than the stride 2 or the dilation 1",
    ),
    (lambda: transposed_output_size(4, 3, 2, 0, -1), "output_padding must be at least 0, got -1"),
    (lambda: transposed_output_size(1, 2, padding=1), r"at least 1 pixel, but of its 2 the padding cuts off 1 \+ 1"),
    (lambda: pooled_size(8, 3, 2, padding=2), "at most half the kernel 3, got 2: take less padding"),
    (lambda: pooled_size(2, 3), "pooling window of 3 .*pad by 1 more"),
    (lambda: pooled_size(1, 3, 2, ceil_mode=True), "pooling window of 3 .*pad by 1 more"),
    (lambda: settings(64, 0), "output_size must be at least 1, got 0"),
    (lambda: settings(64, 32, max_padding=-1), "max_padding must be at least 0"),
]


@pytest.mark.parametrize("call, message", REFUSALS, ids=[message[:30] for _, message in REFUSALS])
def test_a_refusal_names_the_thing_and_the_way_out(call, message):
    with pytest.raises(ShapeError, match=message):
        call()


def test_what_needs_numbers_says_so():
    for call in (lambda: settings(H, 32), lambda: output_size_derivation(H, 3), lambda: padding_derivation(64, 32, S)):
        with pytest.raises(UnsupportedError, match=r"must be a number here, got .*; output_size takes symbols"):
            call()


# ------------------------------------------------------------- the settings that give a size


def test_the_homework_has_one_setting_with_padding_at_most_two():
    assert settings(64, 32) == (Setting(kernel=3, stride=2, padding=1),)


def test_the_homework_with_padding_up_to_the_image():
    found = [(s.stride, s.padding) for s in settings(64, 32, max_padding=64)]
    assert found == [(2, 1), (3, 16), (3, 17), (4, 32), (4, 33), (5, 47), (5, 48), (5, 49), (6, 63), (6, 64)]


@pytest.mark.parametrize("dilation", [1, 2])
@pytest.mark.parametrize("max_padding", [None, 0, 5])
def test_settings_are_all_that_trying_finds(max_padding, dilation):
    for size in range(1, 13):
        for out in range(1, 9):
            tried = [
                Setting(k, s, p)
                for k in range(1, 5)
                for s in range(1, 2 * size + 20)
                for p in range((dilation * (k - 1) if max_padding is None else max_padding) + 1)
                if s <= size + 2 * p and outcome(output_size, size, k, s, p, dilation) == out
            ]
            assert list(settings(size, out, range(1, 5), max_padding, dilation)) == tried


# ------------------------------------------------------------------------------ derivations


def assert_is_a_chain(derivation):
    before = derivation.expression
    for step in derivation.steps:
        assert step.before == before != step.after
        assert step.rule.name and step.rule.statement and "Dumoulin" in step.rule.source
        before = step.after
    assert derivation.result == before and derivation.layout == "value"


def lines(derivation):
    return [latex(e, order="none") for e in (derivation.expression, *(step.after for step in derivation.steps))]


def test_the_output_size_is_worked_out_line_by_line():
    derivation = output_size_derivation(64, 3, stride=2, padding=1)
    assert lines(derivation) == [
        r"\left\lfloor{\frac{H + 2 P - D \left(K - 1\right) - 1}{S}}\right\rfloor + 1",
        r"\left\lfloor{\frac{64 + 2 \cdot 1 - 1 \left(3 - 1\right) - 1}{2}}\right\rfloor + 1",
        r"\left\lfloor{\frac{63}{2}}\right\rfloor + 1",
        "31 + 1",
        "32",
    ]
    assert [step.rule.name for step in derivation.steps] == [
        "substitute the numbers",
        "arithmetic",
        "the floor drops the incomplete step",
        "arithmetic",
    ]
    assert dict(derivation.definitions) == {H: 64, K: 3, S: 2, D: 1, P: 1}


def test_one_pixel_on_one_side_gives_the_homework_size_exactly():
    derivation = output_size_derivation(64, 3, stride=2, padding=(0, 1))
    assert derivation.result == 32
    assert lines(derivation)[1:3] == [
        r"\left\lfloor{\frac{64 + 0 + 1 - 1 \left(3 - 1\right) - 1}{2}}\right\rfloor + 1",
        r"\left\lfloor{31}\right\rfloor + 1",
    ]
    assert derivation.steps[2].rule.name == "the steps fit exactly, the floor drops nothing"


def test_every_line_of_an_output_size_has_the_same_value():
    generator, checked = random.Random(5), 0
    while checked < 40:
        size, kernel, stride, dilation = (generator.randint(1, most) for most in (30, 5, 4, 3))
        padding = generator.choice([0, 1, 2, (0, 1), (2, 1), "valid"])
        expected = outcome(output_size, size, kernel, stride, padding, dilation)
        if expected is None:
            continue
        derivation = output_size_derivation(size, kernel, stride, padding, dilation)
        assert_is_a_chain(derivation)
        values = dict(derivation.definitions)
        assert derivation.result == expected
        for step in derivation.steps:
            assert step.before.subs(values).doit() == step.after.subs(values).doit() == expected
        checked += 1


def test_a_derivation_refuses_what_output_size_refuses():
    with pytest.raises(ShapeError, match="kernel of 5"):
        output_size_derivation(3, 5)


def test_why_the_padding_is_one():
    assert lines(padding_derivation(64, 32, stride=2)) == [
        r"\left\lfloor{\frac{H + 2 P - D \left(K - 1\right) - 1}{S}}\right\rfloor + 1 = H_{out}",
        r"\left\lfloor{\frac{64 + 2 P - 1 \left(3 - 1\right) - 1}{S}}\right\rfloor + 1 = 32",
        r"\left\lfloor{\frac{61 + 2 P}{S}}\right\rfloor = 31",
        r"31 S \leq 61 + 2 P \wedge 61 + 2 P < 32 S",
        r"62 \leq 61 + 2 P \wedge 61 + 2 P < 64",
        r"\frac{1}{2} \leq P \wedge P < \frac{3}{2}",
        "P = 1",
    ]


def test_half_a_pixel_on_each_side_is_one_pixel_on_one_side():
    derivation = total_padding_derivation(64, 32, stride=2)
    assert lines(derivation)[-2:] == [r"1 \leq T \wedge T < 3", r"T \in \left\{1, 2\right\}"]
    assert "T = 1 is what P = 1/2 would mean" in derivation.conditions[0]
    for padding in ((0, 1), (1, 0), (1, 1)):
        assert output_size(64, 3, 2, padding) == 32


def assert_every_line_holds_for(derivation, solutions, candidates):
    """Each line, definitions put in, is true of the solutions and false of the other candidates."""
    assert_is_a_chain(derivation)
    values = dict(derivation.definitions)
    (unknown,) = set(derivation.variables) - set(values)
    for line in (derivation.expression, *(step.after for step in derivation.steps)):
        holds = [n for n in candidates if line.subs({**values, unknown: n}).doit() == true]
        assert holds == solutions, line


INVERSE = [(64, 32, 2, 3, 1), (64, 32, 3, 3, 1), (64, 32, 1, 3, 1), (64, 31, 2, 3, 1), (7, 4, 2, 5, 2), (3, 1, 3, 3, 1)]


@pytest.mark.parametrize("size, out, stride, kernel, dilation", INVERSE)
def test_every_line_about_the_padding_has_the_same_solutions(size, out, stride, kernel, dilation):
    candidates = range(20)
    for derivation, padding_of in (
        (padding_derivation(size, out, stride, kernel, dilation), lambda p: p),
        (total_padding_derivation(size, out, stride, kernel, dilation), lambda t: (t // 2, t - t // 2)),
    ):
        solutions = [
            n for n in candidates if outcome(output_size, size, kernel, stride, padding_of(n), dilation) == out
        ]
        assert_every_line_holds_for(derivation, solutions, candidates)


def test_why_the_stride_is_two():
    derivation = stride_derivation(64, 32)
    assert lines(derivation)[-2:] == [r"S \leq \frac{65}{31} \wedge \frac{61}{32} < S", "S = 2"]
    assert_every_line_holds_for(derivation, [2], range(1, 20))
    assert_every_line_holds_for(stride_derivation(64, 32, max_padding=64), [2, 3, 4, 5, 6], range(1, 20))
    with pytest.raises(UnsupportedError, match="an output of 1 pixel leaves the stride free"):
        stride_derivation(64, 1)


def test_no_setting_has_a_stride_that_the_derivation_leaves_out():
    for size in range(4, 20):
        for out in range(2, 9):
            result = stride_derivation(size, out).result
            assert all(result.subs({S: s.stride}) == true for s in settings(size, out))
