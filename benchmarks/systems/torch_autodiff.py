"""Derivatives by PyTorch's automatic differentiation."""

import torch
from torch.func import grad, hessian, jacfwd, jacrev, jvp

from benchmarks.libraries import TORCH
from benchmarks.workloads import loss


def loss_and_variable(case):
    values = {name: torch.from_numpy(a) for name, a in case.arrays.items()}
    return loss(case, TORCH, values), values[case.problem.wrt]


def gradients(case):
    f, x = loss_and_variable(case)

    def autograd():
        leaf = x.detach().requires_grad_(True)
        return torch.autograd.grad(f(leaf), leaf)[0]

    return {"autograd": autograd}


def hessians(case):
    f, x = loss_and_variable(case)
    return {"fwd(rev)": lambda: hessian(f)(x), "rev(fwd)": lambda: jacrev(jacfwd(f))(x)}


def actions(case):
    f, x = loss_and_variable(case)
    d = torch.from_numpy(case.direction)

    def reverse_over_reverse():
        leaf = x.detach().requires_grad_(True)
        gradient = torch.autograd.grad(f(leaf), leaf, create_graph=True)[0]
        return torch.autograd.grad(gradient, leaf, d)[0]

    return {"fwd(rev)": lambda: jvp(grad(f), (x,), (d,))[1], "rev(rev)": reverse_over_reverse}


ALTERNATIVES = {"gradient": gradients, "hessian": hessians, "operator": actions}
