"""What each library calls the array operations, and the short functions that a source defines for itself.

A template's fields are arguments; `{0:a}` asks for an atom there, `{0:p}` for what may stand in a product.
`{dtype}` says like what an array is to be made, and `{inexact}` like what a number that need not be an integer.
"""

import keyword
import re

import sympy

from derivations.expressions import LossGradient
from derivations.notation.inference import FUNCTION_NAMES

# ------------------------------------------------------------------------------------------- names


# The modules and the functions of Python that the lines of a generated function name.
RESERVED = {"np", "torch", "math", "scipy", "int", "abs", "float"}


def identifier(name):
    """A Python identifier for a name, that of a variable or of a size."""
    name = re.sub(r"\W", "_", name)
    return f"{name}_" if keyword.iskeyword(name) or name in RESERVED else name


def identifiers(variables):
    """Variable -> an identifier that no other has; a name that is an identifier stays as it is."""
    found = {}
    for v in sorted(variables, key=lambda v: identifier(v.name) != v.name):
        found[v] = unique(identifier(v.name), found.values())
    return {v: found[v] for v in variables}


def unique(name, taken):
    """The name, with underscores after it while it is taken."""
    while name in taken:
        name += "_"
    return name


def loss_gradients(result):
    """The gradients of unspecified losses that the code takes as arguments, such as grad_L."""
    return sorted(result.atoms(LossGradient), key=str)


def gradient_name(gradient):
    return f"grad_{identifier(str(gradient.args[0]))}"


# Functions that have no name in the text notation, but appear in derivatives or come from SymPy.
OTHER_FUNCTIONS = {
    sympy.gamma: "gamma",
    sympy.loggamma: "loggamma",
    sympy.polygamma: "polygamma",
    sympy.floor: "floor",
    sympy.ceiling: "ceil",
}

FUNCTIONS = {**OTHER_FUNCTIONS, **FUNCTION_NAMES}

# ------------------------------------------------------------------- Python's own numbers, for sizes

STATIC_FUNCTIONS = {
    sympy.exp: "math.exp",
    sympy.log: "math.log",
    sympy.sin: "math.sin",
    sympy.cos: "math.cos",
    sympy.tan: "math.tan",
    sympy.asin: "math.asin",
    sympy.acos: "math.acos",
    sympy.atan: "math.atan",
    sympy.sinh: "math.sinh",
    sympy.cosh: "math.cosh",
    sympy.tanh: "math.tanh",
    sympy.erf: "math.erf",
    sympy.gamma: "math.gamma",
    sympy.Abs: "abs",
    sympy.floor: "math.floor",
    sympy.ceiling: "math.ceil",
}

# --------------------------------------------------------------------------------------- templates

SAME_NAME = "exp log sin cos tan arcsin arccos arctan sinh cosh tanh abs sign sqrt floor ceil".split()
SAME_FORM = {
    "transpose": "{0:a}.T",
    "column": "{0:a}[:, None]",
    "row": "{0:a}[None, :]",
    "kron_from_eye": "kron_from_eye({1}, {0})",
    "kron_with_eye": "kron_with_eye({0}, {1})",
    "trace": "{np}.trace({0})",
    "outer": "{np}.outer({0}, {1})",
    "diag": "{np}.diag({0})",
    "diagonal": "{np}.diagonal({0})",
    "prod": "{0:a}.prod()",
    "logdet_of_diagonal": "logdet_of_diagonal({0})",
    "det": "{np}.linalg.det({0})",
    "inverse": "{np}.linalg.inv({0})",
    "solve": "{np}.linalg.solve({0}, {1})",
    "matrix_power": "{np}.linalg.matrix_power({0}, int({1}))",
    "largest_eigenvalue": "{np}.linalg.eigvalsh({0})[-1]",
    "eigh": "{np}.linalg.eigh({0})",
    "last_value": "{0:a}.eigenvalues[-1]",
    "last_vector": "{0:a}.eigenvectors[:, -1]",
    "resolvent": "resolvent(*{0:a})",
    "polar": "polar({0})",
    "adjugate": "adjugate({0})",
    "pinv": "pinv({0})",
    "logm": "logm({0})",
    "sqrtm": "sqrtm({0})",
    "logm_symmetric": "logm_symmetric({0})",
    "sqrtm_symmetric": "sqrtm_symmetric({0})",
    "power_frechet": "power_frechet({0}, {1}, int({2}))",
    "sinm_frechet": "sinm_frechet({0}, {1})",
    "cosm_frechet": "cosm_frechet({0}, {1})",
    "logm_frechet": "logm_frechet({0}, {1})",
    "sqrtm_frechet": "sqrtm_frechet({0}, {1})",
    "logm_symmetric_frechet": "logm_symmetric_frechet({0}, {1})",
    "sqrtm_symmetric_frechet": "sqrtm_symmetric_frechet({0}, {1})",
}


def _same(library):
    return {name: form.replace("{np}", library) for name, form in SAME_FORM.items()}


LIBRARIES = {
    "numpy": {
        "import": "import numpy as np",
        **{name: f"np.{name}({{0}})" for name in SAME_NAME},
        **_same("np"),
        "erf": "erf({0})",
        "factorial": "factorial({0})",
        "lgamma": "lgamma({0})",
        "normcdf": "normcdf({0})",
        "normpdf": "normpdf({0})",
        "sigmoid": "sigmoid({0})",
        "softplus": "softplus({0})",
        "relu": "np.maximum({0}, 0)",
        "step": "step({0})",
        "kron": "np.kron({0}, {1})",
        "max": "np.maximum({0}, {1})",
        "min": "np.minimum({0}, {1})",
        "max_number": "np.maximum({0}, {1})",
        "min_number": "np.minimum({0}, {1})",
        "eye": "np.eye({0}, {dtype})",
        "ones": "np.ones({0}, {dtype})",
        "zeros": "np.zeros({0}, {dtype})",
        "number": "np.asarray({0}, {inexact})",
        "constant": "np.asarray({0}, {inexact})[()]",
        "copy": "{0:a}.copy()",
        "logdet": "logdet({0})",
        "norm": "np.linalg.norm({0})",
        "logsumexp": "logsumexp({0})",
        "softmax": "softmax({0})",
        "softmax_rows": "softmax_rows({0})",
        "log_softmax": "log_softmax({0})",
        "log_softmax_rows": "log_softmax_rows({0})",
        "sum": "{0:a}.sum()",
        "sum_rows": "{0:a}.sum(axis=1)",
        "sum_columns": "{0:a}.sum(axis=0)",
        "swap": "{0:a}.swapaxes({1}, {2})",
        "repeat_row": "np.tile({0}, ({1}, 1))",
        "repeat_column": "np.tile({0:a}[:, None], (1, {1}))",
        "stack": "np.column_stack(({0}))",
        "nuclear_norm": "np.linalg.svd({0}, compute_uv=False).sum()",
        "expm": "scipy.linalg.expm({0})",
        "sinm": "scipy.linalg.sinm({0})",
        "cosm": "scipy.linalg.cosm({0})",
        "expm_frechet": "expm_frechet({0}, {1})",
        "gamma": "scipy.special.gamma({0})",
        "loggamma": "scipy.special.gammaln({0})",
        "digamma": "scipy.special.digamma({0})",
        "polygamma": "scipy.special.polygamma({0}, {1})",
    },
    "torch": {
        "import": "import torch",
        **{name: f"torch.{name}({{0}})" for name in SAME_NAME},
        **_same("torch"),
        "erf": "torch.erf({0})",
        "factorial": "gamma({0} + 1)",
        "lgamma": "torch.lgamma({0:p} + 1)",
        "normcdf": "normcdf({0})",
        "normpdf": "normpdf({0})",
        "sigmoid": "torch.sigmoid({0})",
        "softplus": "softplus({0})",
        "relu": "torch.relu({0})",
        "step": "step({0})",
        "kron": "kron({0}, {1})",
        "max": "torch.maximum({0}, {1})",
        "min": "torch.minimum({0}, {1})",
        "max_number": "torch.clamp({0}, min={1})",
        "min_number": "torch.clamp({0}, max={1})",
        "eye": "torch.eye({0}, {dtype})",
        "ones": "torch.ones({0}, {dtype})",
        "zeros": "torch.zeros({0}, {dtype})",
        "number": "torch.as_tensor({0}, {inexact})",
        "constant": "torch.as_tensor({0}, {inexact})",
        "copy": "{0:a}.clone()",
        "logdet": "torch.logdet({0})",
        "norm": "torch.linalg.vector_norm({0})",
        "logsumexp": "torch.logsumexp({0}, 0)",
        "softmax": "torch.softmax({0}, 0)",
        "softmax_rows": "torch.softmax({0}, 1)",
        "log_softmax": "torch.log_softmax({0}, 0)",
        "log_softmax_rows": "torch.log_softmax({0}, 1)",
        "sum": "{0:a}.sum()",
        "sum_rows": "{0:a}.sum(dim=1)",
        "sum_columns": "{0:a}.sum(dim=0)",
        "swap": "{0:a}.transpose({1}, {2})",
        "repeat_row": "{0:a}.repeat({1}, 1)",
        "repeat_column": "{0:a}[:, None].repeat(1, {1})",
        "stack": "torch.column_stack(({0}))",
        "nuclear_norm": "torch.linalg.svdvals({0}).sum()",
        "expm": "torch.linalg.matrix_exp({0})",
        "sinm": "torch.linalg.matrix_exp(1j * {0:p}).imag",
        "cosm": "torch.linalg.matrix_exp(1j * {0:p}).real",
        "expm_frechet": "expm_frechet({0}, {1})",
        "gamma": "gamma({0})",
        "loggamma": "torch.lgamma({0})",
        "digamma": "torch.digamma({0})",
        "polygamma": "torch.polygamma({0}, {1})",
    },
}
# Of the functions that numpy lacks, scipy has faster ones; they are used where scipy is needed anyway.
SCIPY = {
    "erf": "scipy.special.erf({0})",
    "factorial": "scipy.special.gamma({0:p} + 1)",
    "lgamma": "scipy.special.gammaln({0:p} + 1)",
    "normcdf": "scipy.special.ndtr({0})",
}
NEED_SCIPY = {
    *("gamma", "loggamma", "digamma", "polygamma"),
    *("expm", "sinm", "cosm", "logm", "sqrtm"),
    *("expm_frechet", "sinm_frechet", "cosm_frechet", "logm_frechet", "sqrtm_frechet"),
}
# The functions of matrices that have a form of their own for symmetric ones.
OF_SYMMETRIC = {"logm", "sqrtm"}
