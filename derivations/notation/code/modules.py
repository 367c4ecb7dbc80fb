"""A torch module out: forward computes the expression, backward uses its closed-form derivatives.

This imports torch; `Derivation.to_torch_module` loads it by name, so that nobody else pays for it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from derivations.derivation import Derivation
from derivations.errors import DerivationError, UnsupportedError
from derivations.expressions import settled
from derivations.notation import text
from derivations.notation.code.arguments import sizes_of
from derivations.notation.code.libraries import identifiers
from derivations.rewriting import equalities
from derivations.scalars import Loss

# ------------------------------------------------------------- layouts: one order of axes for them all


def _numerator(derivative, value, variable):
    if value:
        return derivative
    return (derivative.T if derivative.ndim == 2 else derivative).reshape(variable)


def _vec(derivative, value, variable):
    """Column-major, so a reshape meets the axes in reverse."""
    axes = [*reversed(range(len(value))), *reversed(range(len(value), len(value) + len(variable)))]
    return derivative.reshape(*reversed(value), *reversed(variable)).permute(axes)


# layout -> a function of the derivative and of the shapes of the value and of the variable.
AXES = {
    "gradient": lambda derivative, value, variable: derivative,
    "shape_of_output": lambda derivative, value, variable: derivative,
    "denominator": lambda derivative, value, variable: derivative.T,
    "numerator": _numerator,
    "vec": _vec,
}


def jacobian(derivation, derivative, value, variable):
    """What the generated code of a derivation gives, as [axes of the value, axes of the variable]."""
    return AXES[derivation.layout](derivative, tuple(value), tuple(variable)).reshape((*value, *variable))


def need_first_derivative(derivation):
    if not isinstance(derivation, Derivation):
        raise DerivationError(f"expected a Derivation, as dv.derive gives it, not {type(derivation).__name__}")
    if losses := derivation.expression.atoms(Loss):
        name = str(next(iter(losses)).args[0])
        raise UnsupportedError(f"{name} is a loss that is not specified, so it has no value; write it out")
    if derivation.structure:
        raise UnsupportedError(
            f"autograd knows independent entries, not the free entries of a {derivation.structure} matrix; "
            "derive without structure"
        )
    if derivation.order != 1 or derivation.layout not in AXES:
        raise UnsupportedError(
            f"expected a first derivative in one of the layouts {', '.join(AXES)}, "
            f"not {derivation.layout!r}; derive with order=1"
        )


# -------------------------------------------------------------------------------------- the module


@dataclass(frozen=True)
class Formulas:
    """The generated functions of an expression, by the names of its variables."""

    variables: dict  # name -> variable
    value: Callable
    derivatives: dict  # name -> (derivation, function)


class ClosedForm(torch.autograd.Function):
    """All operations are torch's own, also those of backward: so a second derivative may be asked for.

    once_differentiable would not do: it drops the second derivative without a word where upstream is constant.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(formulas, *inputs):
        return formulas.value(**dict(zip(formulas.variables, inputs)))

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.formulas, *tensors = inputs
        ctx.save_for_backward(*tensors)

    @staticmethod
    def backward(ctx, upstream):
        inputs = dict(zip(ctx.formulas.variables, ctx.saved_tensors))
        gradients = []
        for name, needed in zip(inputs, ctx.needs_input_grad[1:]):
            if not needed:
                gradients.append(None)
                continue
            derivation, function = ctx.formulas.derivatives[name]
            matrix = jacobian(derivation, function(**inputs), upstream.shape, inputs[name].shape)
            gradients.append(torch.tensordot(upstream.to(matrix.dtype), matrix, upstream.ndim))
        return None, *gradients


class DerivedModule(torch.nn.Module):
    """The value of an expression, with a closed-form derivative by each variable that was derived by.

    Called with keyword tensors: scalars 0-D (or plain numbers), vectors (n,), matrices 2-D. What is held
    is given beforehand: a Parameter as a parameter, the rest as buffers. If one variable is left, it may
    come without its name, as torch.nn.Sequential passes it.
    """

    def __init__(self, derivations, held):
        super().__init__()
        self.derivations, self.formulas = derivations, _formulas(derivations)
        self.held = tuple(held)
        self._need_known(held)
        for name, given in held.items():
            try:
                if isinstance(given, torch.nn.Parameter):
                    self.register_parameter(name, given)
                else:
                    self.register_buffer(name, _tensor(name, given))
            except KeyError as taken:
                raise DerivationError(f"{name} is taken in torch.nn.Module ({taken.args[0]}): rename it") from None
        self._need_derivatives(self._held())

    def forward(self, *unnamed, **inputs):
        open_names = [name for name in self.formulas.variables if name not in self.held]
        if unnamed:
            if len(unnamed) > 1 or len(open_names) > 1 or not open_names or inputs:
                raise DerivationError(f"pass {_listed(open_names)} by name; only a single input needs none")
            inputs = {open_names[0]: unnamed[0]}
        self._need_known(inputs)
        if missing := [name for name in open_names if name not in inputs]:
            raise DerivationError(f"missing {_listed(missing)}; the inputs are {_listed(open_names)}")
        if twice := [name for name in inputs if name in self.held]:
            raise DerivationError(f"{twice[0]} is held by the module; the inputs are {_listed(open_names)}")
        given = _alike({**inputs, **self._held()})
        sizes_of(self.formulas.variables.values(), {name: x.shape for name, x in given.items()})
        self._need_derivatives(given)
        return ClosedForm.apply(self.formulas, *(given[name] for name in self.formulas.variables))

    def extra_repr(self):
        first = self.derivations[0]
        return f"{text.write(first.expression, first.variables)}, derived by {_listed(self.formulas.derivatives)}"

    def _held(self):
        return {name: getattr(self, name) for name in self.held}

    def _need_known(self, names):
        for name in names:
            if name not in self.formulas.variables:
                raise DerivationError(f"the expression has no {name}; it has {_listed(self.formulas.variables)}")

    def _need_derivatives(self, tensors):
        """Refuse a gradient that no derivation is there for; a missing one would look like a constant."""
        derived = self.formulas.derivatives
        for name, tensor in tensors.items():
            if tensor.requires_grad and torch.is_grad_enabled() and name not in derived:
                raise UnsupportedError(
                    f"{name} requires grad, but the module has derivatives by {_listed(derived)} only. Derive by "
                    f"{name} too and pass both, as in d.to_torch_module(dv.derive(..., wrt={name!r})); "
                    f"or pass {name}.detach()"
                )


def module(derivation, *others, **held):
    """A DerivedModule of derivations of one expression, one for each variable that is to have gradients."""
    derivations = (derivation, *others)
    for d in derivations:
        need_first_derivative(d)
        if _plain(d) != _plain(derivation):
            raise DerivationError(
                f"the derivations are of different expressions, {derivation.expression} and {d.expression}; "
                "derive one expression by each variable, with the same variables="
            )
    names = [d.wrt.name for d in derivations]
    if twice := [name for name in names if names.count(name) > 1]:
        raise DerivationError(f"two derivations by {twice[0]}; expected one for each variable")
    return DerivedModule(derivations, held)


def _plain(derivation):
    """The expression and its variables with all declared properties in force."""
    twins = {v: settled(v) for v in derivation.independent_variables}
    return derivation.expression.xreplace(twins), frozenset(twins.values())


def _formulas(derivations):
    first = derivations[0]
    variables = {name: v for v, name in identifiers(first.independent_variables).items()}
    names = {v.name: name for name, v in variables.items()}
    value = equalities(first.expression, first.variables, definitions=first.definitions)
    derivatives = {names[d.wrt.name]: (d, d.to_function("torch")) for d in derivations}
    return Formulas(variables, value.to_function("torch"), derivatives)


def _tensor(name, given):
    """A tensor as it is, a number in float64: beside float64 inputs 0.1 loses nothing."""
    if isinstance(given, (int, float)):
        return torch.tensor(float(given), dtype=torch.float64)
    if not isinstance(given, torch.Tensor):
        raise DerivationError(f"{name} is {type(given).__name__}; expected a torch.Tensor, or a number for a scalar")
    return given


def _alike(given):
    """Tensors of one dtype on one device: scalars follow the others, vectors and matrices agree by themselves."""
    tensors = {name: _tensor(name, x) for name, x in given.items()}
    # Who leads: vectors and matrices, then 0-D tensors, then numbers.
    ranked = sorted(tensors, key=lambda name: (tensors[name].ndim == 0, tensors[name] is not given[name]))
    if not ranked:
        return {}
    like = tensors[ranked[0]] if tensors[ranked[0]] is given[ranked[0]] else torch.empty(())
    for name in ranked:
        x = tensors[name]
        if x.ndim and not (x.is_floating_point() and (x.dtype, x.device) == (like.dtype, like.device)):
            other = f", and {ranked[0]} {like.dtype} on {like.device}" if name != ranked[0] else ""
            raise DerivationError(
                f"{name} is {x.dtype} on {x.device}{other}; expected floating-point numbers of one dtype on one device"
            )
    if not like.is_floating_point():
        like = torch.empty((), device=like.device)
    return {name: x if x.ndim else x.to(like) for name, x in tensors.items()}


def _listed(names):
    return ", ".join(names) or "nothing"
