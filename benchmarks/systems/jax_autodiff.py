"""Derivatives by JAX, compiled."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp

from benchmarks.workloads import loss

VERSION = jax.__version__
JAX = SimpleNamespace(
    tanh=jnp.tanh,
    solve=jnp.linalg.solve,
    softplus=jax.nn.softplus,
    logdet=lambda a: jnp.linalg.slogdet(a)[1],
)


def compiled(case, transform, *more):
    """A transformation of the loss.

    All values are arguments: those that a compiled function closes over are constants, and computed with in advance.
    """

    def run(values, *more):
        return transform(loss(case, JAX, values))(values[case.problem.wrt], *more)

    function = jax.jit(run)
    arguments = ({name: jnp.asarray(a) for name, a in case.arrays.items()}, *map(jnp.asarray, more))
    return {"jax": lambda: function(*arguments).block_until_ready()}


def use_float64():
    jax.config.update("jax_enable_x64", True)


ALTERNATIVES = {
    "gradient": lambda case: compiled(case, jax.grad),
    "hessian": lambda case: compiled(case, jax.hessian),
    "operator": lambda case: compiled(case, lambda f: lambda x, d: jax.jvp(jax.grad(f), (x,), (d,))[1], case.direction),
}
