"""The normal form of results: identities that make an expression shorter, each named.

Two tables. COLLECTING only regroups terms and is never worth a line; IDENTITIES holds facts that a
reader wants to see named.
"""

from sympy import Add, Mul, Pow, log

from derivations import elementwise_identities as facts
from derivations import identities
from derivations.collecting import (
    cancel_terms,
    canonical,
    collect_factors,
    collect_hadamard,
    collect_kronecker,
    collect_scalars,
    commutation_last,
    group_scalars,
    share_commutation,
    size,
    turn_sum,
)
from derivations.derivation import Rule
from derivations.elementwise import Apply, DiagonalOf, Hadamard
from derivations.expressions import EntrySum, Inner, Product, Scale, Sum
from derivations.fractions import tidy
from derivations.moves import HORN
from derivations.rewriting import rewrite
from derivations.rules import CALCULUS, GOODFELLOW, SCALAR_TRANSPOSE

ALGEBRA = "Matrix algebra"
KRONECKER = "Magnus & Neudecker (2019), Matrix Differential Calculus, 3rd ed., ch. 2 and 3"
PENROSE = "Penrose (1955), Proc. Cambridge Philos. Soc. 51, 406-413"
FUNCTIONS = "functions of one argument"
ONE_FUNCTION = (
    r"\sinh u/\cosh u = \tanh u,\ \sin u/\cos u = \tan u,\ "
    r"|u|\operatorname{sign}u = u,\ \operatorname{sign}u/|u| = 1/u,\ "
    r"\operatorname{relu}(u)\operatorname{step}u = \operatorname{relu}u"
)
MAGNITUDE = r"u\operatorname{sign}u = |u|"
OPPOSITE = r"\sigma(-u) = 1 - \sigma(u)"
SIGMOID = r"1/(1 + e^{-u}) = \sigma(u)"

COLLECTING = (
    Rule(Sum, "cancel terms", r"AU + BU - BU = AU", cancel_terms, source=ALGEBRA),
    Rule(Sum, "collect factors", r"AU + BU = (A + B)U", collect_factors, source=ALGEBRA),
    Rule(Sum, "collect Hadamard factors", r"A\odot U + A\odot V = A\odot(U + V)", collect_hadamard, source=ALGEBRA),
    Rule(
        Sum,
        "collect Kronecker factors",
        r"A\otimes U + A\otimes V = A\otimes(U + V)",
        collect_kronecker,
        source=KRONECKER,
    ),
    Rule(Product, "commutation matrix", r"K(A\otimes B) = (B\otimes A)K", commutation_last, source=KRONECKER),
    Rule(Sum, "commutation matrix", r"K(A\otimes B) = (B\otimes A)K", share_commutation, source=KRONECKER),
    Rule(Sum, "collect scalars", r"sA + sB = s(A + B)", collect_scalars, source=ALGEBRA),
    Rule(Sum, "collect equal scalars", r"sA + sB + tC = s(A + B) + tC", group_scalars, source=ALGEBRA),
    Rule(Sum, "transpose of a sum", r"A^\top + B^\top = (A + B)^\top", turn_sum, source=ALGEBRA),
    Rule(Add, SCALAR_TRANSPOSE.name, SCALAR_TRANSPOSE.statement, identities.merge_transposed, source=ALGEBRA),
    Rule(Inner, SCALAR_TRANSPOSE.name, SCALAR_TRANSPOSE.statement, identities.fewer_transposes, source=ALGEBRA),
    Rule(
        EntrySum,
        "sum of entries",
        r"\mathbf1^\top(A + B) = \mathbf1^\top A + \mathbf1^\top B",
        facts.distribute_sum,
        source=ALGEBRA,
    ),
    Rule(
        EntrySum,
        "centred: the entries sum to zero",
        r"\mathbf1^\top\hat x = 0",
        facts.sum_of_centred,
        source=ALGEBRA,
    ),
    # Before scalar algebra, which would multiply the exponentials out.
    Rule(Pow, "sigmoid", SIGMOID, facts.scalar_sigmoid, source=CALCULUS),
    Rule(Mul, "sigmoid", r"e^{-u}\sigma(u) = \sigma(-u)", facts.sigmoid_of_exponential, source=CALCULUS),
    Rule((Add, Mul), "scalar algebra", r"a(b + c) = ab + ac", tidy, source=ALGEBRA),
)

IDENTITIES = (
    *COLLECTING,
    Rule(
        Product,
        "diagonal matrix times vector",
        r"\operatorname{diag}(v)\,x = v\odot x",
        identities.diagonal_times_vector,
        source=ALGEBRA,
    ),
    Rule(
        DiagonalOf,
        "diagonal of a product",
        r"\operatorname{diag}(\operatorname{diag}(u)A) = u\odot\operatorname{diag}A",
        identities.diagonal_of_product,
        source=ALGEBRA,
    ),
    Rule(
        Hadamard,
        "diagonal of an outer product",
        r"I\odot ab^\top = \operatorname{diag}(a\odot b)",
        identities.masked_by_identity,
        source=ALGEBRA,
    ),
    Rule(
        Product,
        "diagonal of a product as a Hadamard product",
        r"\operatorname{diag}(A\operatorname{diag}(x)B) = (A\odot B^\top)x",
        identities.hadamard_of_blocks,
        source=HORN,
    ),
    Rule(Product, "inverse of a product", r"A(BA)^{-1} = B^{-1}", identities.inverses_of_products, source=ALGEBRA),
    Rule(Product, "join inverses", r"A^{-1}B^{-1} = (BA)^{-1}", identities.join_inverses, source=ALGEBRA),
    Rule(
        Sum,
        "complement",
        r"C - B(A + B)^{-1}C = A(A + B)^{-1}C",
        identities.complement,
        source="Henderson & Searle (1981), SIAM Review 23, 53-60",
    ),
    Rule(
        Product,
        "push-through identity",
        r"A^{-1}U(C + VA^{-1}U)^{-1} = (A + UC^{-1}V)^{-1}UC^{-1}",
        identities.push_through,
        source="Henderson & Searle (1981), SIAM Review 23, 53-60",
    ),
    Rule(
        Product,
        "functions of one matrix commute",
        r"f(A)\,g(A) = (fg)(A)",
        identities.functions_of_one_matrix,
        source="Higham (2008), Functions of Matrices, ch. 1",
    ),
    Rule(Product, "pseudo-inverse", r"AA^+A = A,\ (AA^+)^\top = AA^+", identities.penrose, source=PENROSE),
    Rule(
        Inner,
        "trace by vec",
        r"\operatorname{vec}(A)^\top\operatorname{vec}B = \operatorname{tr}(A^\top B)",
        identities.trace_of_vec,
        source=KRONECKER,
    ),
    Rule(EntrySum, "probabilities sum to one", r"\mathbf1^\top p = 1", facts.sum_of_probabilities, source=ALGEBRA),
    Rule(Product, "probabilities sum to one", r"P\mathbf1 = \mathbf1", facts.rows_of_probabilities, source=ALGEBRA),
    Rule(
        Apply,
        "entries that are 0 and 1, or 1 and -1",
        r"b^{\odot2} = b,\ s^{\odot2} = \mathbf1",
        facts.powers_of_signs,
        source=ALGEBRA,
    ),
    Rule(Mul, "magnitude and sign", MAGNITUDE, facts.magnitude, source=CALCULUS),
    Rule(Hadamard, "magnitude and sign", MAGNITUDE, facts.elementwise_magnitude, source=CALCULUS),
    Rule(Hadamard, FUNCTIONS, ONE_FUNCTION, facts.elementwise_functions, source=CALCULUS),
    Rule(Mul, FUNCTIONS, ONE_FUNCTION, facts.scalar_functions, source=CALCULUS),
    Rule(Apply, "sigmoid", SIGMOID, facts.elementwise_sigmoid, source=CALCULUS),
    Rule(
        Hadamard,
        "sigmoid",
        r"e^{-u}\odot\sigma(u) = \sigma(-u)",
        facts.elementwise_sigmoid_of_exponential,
        source=CALCULUS,
    ),
    Rule(Mul, "opposite sigmoid", OPPOSITE, facts.opposite_sigmoids, source=CALCULUS),
    Rule(Hadamard, "opposite sigmoid", OPPOSITE, facts.elementwise_opposite_sigmoids, source=CALCULUS),
    Rule(
        Hadamard,
        "softmax of rows",
        r"e^{z_{ij}}/\textstyle\sum_k e^{z_{ik}} = \operatorname{softmax}(z_i)_j",
        facts.softmax_of_rows,
        source=GOODFELLOW,
    ),
    Rule(
        Scale,
        "softmax",
        r"e^z/\mathbf1^\top e^z = \operatorname{softmax}(z)",
        facts.softmax_of_exponentials,
        source=GOODFELLOW,
    ),
    Rule(
        log,
        "log-sum-exp",
        r"\log\mathbf1^\top e^z = \operatorname{logsumexp}(z)",
        facts.log_sum_exp,
        source=GOODFELLOW,
    ),
)


def collect(expression):
    """The expression with its terms collected."""
    return rewrite(expression, COLLECTING, _preference)[0]


def simplify(expression):
    """The simplest usual form and the rules of IDENTITIES that led there."""
    return rewrite(expression, IDENTITIES, _preference)


def _preference(expression):
    return size(expression), canonical(expression)
