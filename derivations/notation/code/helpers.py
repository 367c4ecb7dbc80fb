"""Short functions that a generated source defines for itself where its library has none."""

import re

NUMPY = """
def step(u):
    \"\"\"1 where u is positive, 0 elsewhere.\"\"\"
    return np.greater(u, 0).astype(np.result_type(u, 0.0))


@np.errstate(over="ignore")
def sigmoid(z):
    \"\"\"1 / (1 + exp(-z)), which is 0 where exp(-z) overflows.\"\"\"
    return 1 / (1 + np.exp(-z))


def softplus(z):
    \"\"\"log(1 + exp(z)), without overflow.\"\"\"
    return np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))


def by_entries(function, z):
    \"\"\"A function of numbers, entry by entry; inf where it overflows, nan where it is not defined.\"\"\"

    def value(u):
        try:
            return function(u)
        except OverflowError:
            return math.inf
        except ValueError:
            return math.nan

    return np.vectorize(value, otypes=[np.result_type(z, 0.0)])(z)


def erf(z):
    return by_entries(math.erf, z)


def factorial(z):
    return by_entries(math.gamma, z + 1.0)


def lgamma(z):
    \"\"\"log(z!)\"\"\"
    return by_entries(math.lgamma, z + 1.0)


def normcdf(z):
    \"\"\"The distribution function of the standard normal distribution.\"\"\"
    return by_entries(lambda u: math.erfc(-u / math.sqrt(2)) / 2, z)


def normpdf(z):
    \"\"\"The density of the standard normal distribution.\"\"\"
    return np.exp(-0.5 * z**2) / math.sqrt(2 * math.pi)


def softmax(z):
    shifted = np.exp(z - z.max())
    return shifted / shifted.sum()


def softmax_rows(Z):
    shifted = np.exp(Z - Z.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)


@np.errstate(divide="ignore")
def logsumexp(z):
    shift = z.max() if np.isfinite(z.max()) else 0.0
    return shift + np.log(np.exp(z - shift).sum())


def log_softmax(z):
    shifted = z - z.max()
    return shifted - np.log(np.exp(shifted).sum())


def log_softmax_rows(Z):
    shifted = Z - Z.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def logdet(A):
    \"\"\"log det A; nan where det A < 0.\"\"\"
    sign, value = np.linalg.slogdet(A)
    return np.where(sign < 0, np.nan, value)[()]


def logdet_of_diagonal(v):
    \"\"\"log of the product of v, which neither underflows nor overflows; nan where it is negative.\"\"\"
    with np.errstate(divide="ignore"):
        value = np.log(np.abs(v)).sum()
    return np.where(np.sign(v).prod() < 0, np.nan, value)[()]


def kron_from_eye(k, A):
    \"\"\"kron(eye(k), A): only the blocks are written, through a view of them.\"\"\"
    m, n = A.shape
    blocks = np.zeros((k, m, k, n), A.dtype)
    np.einsum("imin->imn", blocks)[...] = A
    return blocks.reshape(k * m, k * n)


def kron_with_eye(A, k):
    \"\"\"kron(A, eye(k)): only the diagonals of the blocks are written, through a view of them.\"\"\"
    m, n = A.shape
    blocks = np.zeros((m, k, n, k), A.dtype)
    np.einsum("mini->imn", blocks)[...] = A
    return blocks.reshape(m * k, n * k)


def pinv(A):
    \"\"\"The Moore-Penrose inverse; singular values of the size of rounding are zero.\"\"\"
    return np.linalg.pinv(A, rcond=10 * max(A.shape) * np.finfo(np.result_type(A, 0.0)).eps)


def polar(A):
    \"\"\"The orthogonal factor of the polar decomposition.\"\"\"
    U, _, Vt = np.linalg.svd(A, full_matrices=False)
    return U @ Vt


def adjugate(A):
    \"\"\"The transpose of the matrix of cofactors, of singular matrices too.\"\"\"
    U, values, Vt = np.linalg.svd(A)
    others = np.where(np.eye(len(A), dtype=bool), 1, values).prod(axis=1)
    return np.linalg.det(U) * np.linalg.det(Vt) * (Vt.T * others) @ U.T


def resolvent(values, vectors):
    \"\"\"(lambda I - S)^+ for the largest eigenvalue lambda of S.\"\"\"
    others = vectors[:, :-1]
    return others / (values[-1] - values[:-1]) @ others.T


def real(Z, like):
    \"\"\"The real part in the precision of another matrix; nan where the imaginary one is more than rounding.\"\"\"
    dtype = np.result_type(like, 0.0)
    tolerance = np.sqrt(np.finfo(Z.dtype).eps) * np.abs(Z).max()
    return np.where(np.abs(Z.imag).max() <= tolerance, Z.real, np.nan).astype(dtype, copy=False)


def logm(A):
    return real(scipy.linalg.logm(np.asarray(A, dtype=float)), A)


def sqrtm(A):
    return real(scipy.linalg.sqrtm(np.asarray(A, dtype=float)), A)


def logm_symmetric(A):
    values, vectors = np.linalg.eigh(A)
    return vectors * np.log(values) @ vectors.T


def sqrtm_symmetric(A):
    values, vectors = np.linalg.eigh(A)
    return vectors * roots(values) @ vectors.T


def roots(values):
    \"\"\"The square roots of eigenvalues, of which some may be zero but for rounding.\"\"\"
    rounding = np.abs(values).max() * len(values) * np.finfo(values.dtype).eps
    return np.sqrt(np.where(np.abs(values) <= rounding, 0, values))


def frechet(function, A, E):
    \"\"\"The Frechet derivative at A in the direction E: f([[A, E], [0, A]]) = [[f(A), L], [0, f(A)]].\"\"\"
    n = len(A)
    size = (np.abs(E).max() or 1) / (np.abs(A).max() or 1)
    return size * function(np.block([[A, E / size], [np.zeros_like(A), A]]))[:n, n:]


def expm_frechet(A, E):
    derivative = scipy.linalg.expm_frechet(A, E, compute_expm=False)
    return derivative.astype(np.result_type(A, E, 0.0), copy=False)


def power_frechet(A, E, k):
    return frechet(lambda doubled: np.linalg.matrix_power(doubled, k), A, E)


def sinm_frechet(A, E):
    return frechet(scipy.linalg.sinm, A, E)


def cosm_frechet(A, E):
    return frechet(scipy.linalg.cosm, A, E)


def logm_frechet(A, E):
    return frechet(logm, A, E)


def sqrtm_frechet(A, E):
    return frechet(sqrtm, A, E)


def logm_symmetric_frechet(A, E):
    \"\"\"By the divided differences of the logarithm at the eigenvalues (Daleckii and Krein).\"\"\"
    values, vectors = np.linalg.eigh(A)
    differences = divided_logarithms(values[:, None], values)
    return vectors @ (differences * (vectors.T @ E @ vectors)) @ vectors.T


def divided_logarithms(a, b):
    \"\"\"(log a - log b) / (a - b), also where a and b are close.\"\"\"
    ratio = (a - b) / (a + b)
    near = np.abs(ratio) < 0.03
    q = ratio**2
    series = 2 * (1 + q * (1 / 3 + q * (1 / 5 + q * (1 / 7 + q / 9)))) / (a + b)
    return np.where(near, series, (np.log(a) - np.log(b)) / np.where(near, 1, a - b))


def sqrtm_symmetric_frechet(A, E):
    \"\"\"By the divided differences of the square root at the eigenvalues (Daleckii and Krein).\"\"\"
    values, vectors = np.linalg.eigh(A)
    differences = 1 / (roots(values)[:, None] + roots(values))
    return vectors @ (differences * (vectors.T @ E @ vectors)) @ vectors.T
"""

TORCH = """
def step(u):
    \"\"\"1 where u is positive, 0 elsewhere.\"\"\"
    return (u > 0).to(u.dtype)


def softplus(z):
    \"\"\"log(1 + exp(z)), without overflow.\"\"\"
    return torch.logaddexp(z, torch.zeros_like(z))


def gamma(z):
    \"\"\"By its logarithm, with a sign that changes at each pole: 0, -1, -2, ...; nan there.\"\"\"
    pole = torch.clamp(torch.floor(z), max=0)
    return torch.where(z == pole, torch.nan, (1 - 2 * (pole % 2)) * torch.exp(torch.lgamma(z)))


def normcdf(z):
    \"\"\"The distribution function of the standard normal distribution.\"\"\"
    return torch.erfc(-z / math.sqrt(2)) / 2


def normpdf(z):
    \"\"\"The density of the standard normal distribution.\"\"\"
    return torch.exp(-0.5 * z**2) / math.sqrt(2 * math.pi)


def kron(A, B):
    \"\"\"torch.kron(A, B), which fails where one of the two is a transposed view.\"\"\"
    blocks = A[:, None, :, None] * B[None, :, None, :]
    return blocks.reshape(A.shape[0] * B.shape[0], A.shape[1] * B.shape[1])


def logdet_of_diagonal(v):
    \"\"\"log of the product of v, which neither underflows nor overflows; nan where it is negative.\"\"\"
    return torch.where(torch.sign(v).prod() < 0, torch.nan, torch.log(torch.abs(v)).sum())


def kron_from_eye(k, A):
    \"\"\"kron(eye(k), A)\"\"\"
    m, n = A.shape
    return torch.diag_embed(A[:, :, None].expand(m, n, k), dim1=0, dim2=2).reshape(k * m, k * n)


def kron_with_eye(A, k):
    \"\"\"kron(A, eye(k))\"\"\"
    m, n = A.shape
    return torch.diag_embed(A[:, :, None].expand(m, n, k), dim1=1, dim2=3).reshape(m * k, n * k)


def pinv(A):
    \"\"\"The Moore-Penrose inverse; singular values of the size of rounding are zero.\"\"\"
    return torch.linalg.pinv(A, rtol=10 * max(A.shape) * torch.finfo(A.dtype).eps)


def polar(A):
    \"\"\"The orthogonal factor of the polar decomposition.\"\"\"
    U, _, Vt = torch.linalg.svd(A, full_matrices=False)
    return U @ Vt


def adjugate(A):
    \"\"\"The transpose of the matrix of cofactors, of singular matrices too.\"\"\"
    U, values, Vt = torch.linalg.svd(A)
    others = torch.where(torch.eye(len(A), dtype=torch.bool, device=A.device), 1, values).prod(dim=1)
    return torch.linalg.det(U) * torch.linalg.det(Vt) * (Vt.T * others) @ U.T


def resolvent(values, vectors):
    \"\"\"(lambda I - S)^+ for the largest eigenvalue lambda of S.\"\"\"
    others = vectors[:, :-1]
    return others / (values[-1] - values[:-1]) @ others.T


def logm(A):
    \"\"\"2^6 log A^(1/2^6), and log A is the integral of (I + t (A - I))^-1 (A - I) over 0 <= t <= 1.

    The integral is Gauss's, at the eigenvalues of a Jacobi matrix (Golub and Welsch).
    \"\"\"
    for steps in (32, 20, 14, 11, 9, 8):
        A = sqrtm(A, steps)
    k = torch.arange(1, 8, dtype=A.dtype, device=A.device)
    beside = torch.diag(k / torch.sqrt(4 * k**2 - 1), 1)
    nodes, vectors = torch.linalg.eigh(beside + beside.T)
    one = torch.eye(len(A), dtype=A.dtype, device=A.device)
    parts = torch.linalg.inv_ex(one + (1 + nodes[:, None, None]) / 2 * (A - one))[0]
    return 2**6 * (vectors[0, :, None, None] ** 2 * parts).sum(dim=0) @ (A - one)


def sqrtm(A, steps=32):
    \"\"\"By Newton's iteration, X -> A^(1/2) and M -> I; nan where the root is not real or A is singular.

    The product form of Denman and Beavers' iteration: Cheng, Higham, Kenney and Laub (2001).
    \"\"\"
    one = torch.eye(len(A), dtype=A.dtype, device=A.device)
    size = A.detach().abs().max()
    X = M = A / size
    for _ in range(steps):
        inverse = torch.linalg.inv_ex(M)[0]
        X = X @ (one + inverse) / 2
        M = (one + (M + inverse) / 2) / 2
    rest = torch.linalg.vector_norm(M - one)
    return torch.where(rest <= torch.finfo(A.dtype).eps ** 0.5, torch.sqrt(size) * X, torch.nan)


def logm_symmetric(A):
    values, vectors = torch.linalg.eigh(A)
    return vectors * torch.log(values) @ vectors.T


def sqrtm_symmetric(A):
    values, vectors = torch.linalg.eigh(A)
    return vectors * roots(values) @ vectors.T


def roots(values):
    \"\"\"The square roots of eigenvalues, of which some may be zero but for rounding.\"\"\"
    rounding = values.abs().max() * len(values) * torch.finfo(values.dtype).eps
    return torch.sqrt(torch.where(values.abs() <= rounding, 0, values))


def frechet(function, A, E):
    \"\"\"The Frechet derivative at A in the direction E: f([[A, E], [0, A]]) = [[f(A), L], [0, f(A)]].\"\"\"
    n = len(A)
    moved, fixed = (M.detach().abs().max() for M in (E, A))
    size = torch.where(moved > 0, moved, 1) / torch.where(fixed > 0, fixed, 1)
    doubled = torch.cat([torch.cat([A, E / size], 1), torch.cat([torch.zeros_like(A), A], 1)])
    return size * function(doubled)[:n, n:]


def expm_frechet(A, E):
    return frechet(torch.linalg.matrix_exp, A, E)


def power_frechet(A, E, k):
    return frechet(lambda doubled: torch.linalg.matrix_power(doubled, k), A, E)


def sinm_frechet(A, E):
    return frechet(lambda doubled: torch.linalg.matrix_exp(1j * doubled).imag, A, E)


def cosm_frechet(A, E):
    return frechet(lambda doubled: torch.linalg.matrix_exp(1j * doubled).real, A, E)


def logm_frechet(A, E):
    return frechet(logm, A, E)


def sqrtm_frechet(A, E):
    return frechet(sqrtm, A, E)


def divided_logarithms(a, b):
    \"\"\"(log a - log b) / (a - b), also where a and b are close.\"\"\"
    ratio = (a - b) / (a + b)
    near = ratio.abs() < 0.03
    q = ratio**2
    series = 2 * (1 + q * (1 / 3 + q * (1 / 5 + q * (1 / 7 + q / 9)))) / (a + b)
    return torch.where(near, series, (torch.log(a) - torch.log(b)) / torch.where(near, 1, a - b))


def logm_symmetric_frechet(A, E):
    \"\"\"By the divided differences of the logarithm at the eigenvalues (Daleckii and Krein).\"\"\"
    values, vectors = torch.linalg.eigh(A)
    differences = divided_logarithms(values[:, None], values)
    return vectors @ (differences * (vectors.T @ E @ vectors)) @ vectors.T


def sqrtm_symmetric_frechet(A, E):
    \"\"\"By the divided differences of the square root at the eigenvalues (Daleckii and Krein).\"\"\"
    values, vectors = torch.linalg.eigh(A)
    differences = 1 / (roots(values)[:, None] + roots(values))
    return vectors @ (differences * (vectors.T @ E @ vectors)) @ vectors.T
"""


def _parts(source):
    """Name -> source of each function."""
    parts = re.split(r"\n{3}(?=def |@)", source.strip("\n"))
    return {re.search(r"^def (\w+)", part, re.MULTILINE)[1]: part for part in parts}


HELPERS = {"numpy": _parts(NUMPY), "torch": _parts(TORCH)}


def needed(library, body):
    """The sources of the functions that a body calls, and of those that these need, in the order of the table."""
    table, open_names = HELPERS[library], _called(library, body)
    names = set()
    while open_names:
        names |= open_names
        open_names = set().union(*(_called(library, table[n], bare=True) for n in open_names)) - names
    return {name: source for name, source in table.items() if name in names}


def _called(library, source, bare=False):
    """The helpers called in a source; those of a helper's own source may be passed by name as well."""
    after = "" if bare else r"\("
    return {name for name in HELPERS[library] if re.search(rf"(?<![\w.]){name}\b{after}", source)}
