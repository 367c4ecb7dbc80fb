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


def erf(z):
    return np.vectorize(math.erf, otypes=[np.result_type(z, 0.0)])(z)


def factorial(z):
    return np.vectorize(math.gamma, otypes=[np.result_type(z, 0.0)])(z + 1.0)


def lgamma(z):
    \"\"\"log(z!)\"\"\"
    return np.vectorize(math.lgamma, otypes=[np.result_type(z, 0.0)])(z + 1.0)


def normcdf(z):
    \"\"\"The distribution function of the standard normal distribution.\"\"\"
    return np.vectorize(lambda u: math.erfc(-u / math.sqrt(2)) / 2, otypes=[np.result_type(z, 0.0)])(z)


def normpdf(z):
    \"\"\"The density of the standard normal distribution.\"\"\"
    return np.exp(-0.5 * z**2) / math.sqrt(2 * math.pi)


def softmax(z):
    shifted = np.exp(z - z.max())
    return shifted / shifted.sum()


def softmax_rows(Z):
    shifted = np.exp(Z - Z.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)


def logsumexp(z):
    return z.max() + np.log(np.exp(z - z.max()).sum())


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
    return function(np.block([[A, E], [np.zeros_like(A), A]]))[:n, n:]


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


def real(Z):
    \"\"\"The real part; nan where the imaginary one is more than rounding.\"\"\"
    tolerance = torch.finfo(Z.dtype).eps ** 0.5 * Z.abs().max()
    return torch.where(Z.imag.abs().max() <= tolerance, Z.real, torch.nan)


def by_eigenvalues(function, A):
    values, vectors = torch.linalg.eig(A)
    return real(torch.linalg.solve(vectors.T, (vectors * function(values)).T).T)


def logm(A):
    return by_eigenvalues(torch.log, A)


def sqrtm(A):
    return by_eigenvalues(torch.sqrt, A)


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


def doubled(A, E):
    \"\"\"[[A, E], [0, A]]: a function of it holds the Frechet derivative at A in the direction E.\"\"\"
    return torch.cat([torch.cat([A, E], 1), torch.cat([torch.zeros_like(A), A], 1)])


def expm_frechet(A, E):
    n = len(A)
    return torch.linalg.matrix_exp(doubled(A, E))[:n, n:]


def power_frechet(A, E, k):
    n = len(A)
    return torch.linalg.matrix_power(doubled(A, E), k)[:n, n:]


def sinm_frechet(A, E):
    n = len(A)
    return torch.linalg.matrix_exp(1j * doubled(A, E))[:n, n:].imag


def cosm_frechet(A, E):
    n = len(A)
    return torch.linalg.matrix_exp(1j * doubled(A, E))[:n, n:].real


def by_divided_differences(differences, A, E):
    \"\"\"The Frechet derivative from the eigenvalues (Daleckii and Krein).\"\"\"
    values, vectors = torch.linalg.eig(A)
    inside = torch.linalg.solve(vectors, E.to(vectors.dtype) @ vectors)
    inside = differences(values[:, None], values) * inside
    return real(torch.linalg.solve(vectors.T, (vectors @ inside).T).T)


def logm_frechet(A, E):
    return by_divided_differences(divided_logarithms, A, E)


def sqrtm_frechet(A, E):
    return by_divided_differences(lambda a, b: 1 / (torch.sqrt(a) + torch.sqrt(b)), A, E)


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
