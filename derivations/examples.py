"""An example of every rule: what the catalogue shows, and what the tests derive and prove.

Nodes that the text notation has no form for, such as Loss and Unvec, have none.
"""

# What the names stand for.
SHAPES = {
    **dict.fromkeys("stw", ""),
    **dict.fromkeys(("x", "y", "u", "v"), "n"),
    "a": "n*n",
    "b": {"kind": "vector", "shape": ["n"], "props": ["binary"]},
    "c": {"kind": "vector", "shape": ["n"], "props": ["centred"]},
    "p": {"kind": "vector", "shape": ["n"], "props": ["prob"]},
    **dict.fromkeys("ABC", "n,n"),
    **dict.fromkeys("YZ", "m,n"),
    "P": {"kind": "matrix", "shape": ["n", "n"], "props": ["positive_definite"]},
    "X": {"kind": "matrix", "shape": ["n", "n"], "props": ["posdet"]},
}

# (node, name of the rule): what is differentiated, and by which variable.
DIFFERENTIALS = {
    ("Sum", "linearity"): ("norm2(A*x + y)", "x"),
    ("Scale", "constant factor"): ("norm2(s*A*x + y)", "x"),
    ("Scale", "product rule"): ("(x'*A*x)*x", "x"),
    ("Product", "constant factors"): ("A*B*x", "x"),
    ("Product", "product rule"): ("tr(A*X*B*X)", "X"),
    ("Transpose", "transpose"): ("tr(A*X'*B)", "X"),
    ("Trace", "trace of a power"): ("tr(X^3)", "X"),
    ("Trace", "trace of a function"): ("tr(expm(X))", "X"),
    ("Trace", "trace"): ("tr(A*X)", "X"),
    ("EntrySum", "sum of entries"): ("sum(A*X)", "X"),
    ("Det", "determinant"): ("det(X)", "X"),
    ("LogDet", "log-determinant of a power"): ("logdet(X^3)", "X"),
    ("LogDet", "log-determinant"): ("logdet(X)", "X"),
    ("Inverse", "inverse"): ("x'*inv(X)*y", "X"),
    ("Power", "matrix power"): ("x'*X^3*y", "X"),
    ("Hadamard", "constant factors"): ("A*(x .* y)", "x"),
    ("Hadamard", "product rule"): ("sum(A .* (X*B) .* (B*X))", "X"),
    ("Apply", "log-softmax"): ("y'*logsoftmax(A*x)", "x"),
    ("Apply", "log-softmax of rows"): ("sum(Y .* logsoftmax_rows(Z))", "Z"),
    ("Apply", "elementwise chain rule"): ("sum(tanh(A*x))", "x"),
    ("Pow", "squared norm"): ("norm2(A*x - y)^2", "x"),
    ("Norm", "norm"): ("norm2(A*x - y)", "x"),
    ("LogSumExp", "log-sum-exp"): ("logsumexp(A*x)", "x"),
    ("Softmax", "softmax"): ("softmax(A*x)", "x"),
    ("SoftmaxRows", "softmax of rows"): ("sum(Y .* softmax_rows(Z))", "Z"),
    ("Diag", "diagonal matrix"): ("x'*A*diag(x)*y", "x"),
    ("DiagonalOf", "diagonal"): ("x'*diag(A*X)", "X"),
    ("Vec", "vec"): ("a'*vec(A*X)", "X"),
    ("Kronecker", "constant factors"): ("kron(A,X)", "X"),
    ("Kronecker", "product rule"): ("kron(X,X)", "X"),
    ("MatrixFunction", "function of a multiple of a matrix"): ("expm(s*A)*y", "s"),
    ("MatrixFunction", "function of a matrix"): ("x'*expm(X)*y", "X"),
    ("Adjugate", "adjugate"): ("tr(A*adj(X))", "X"),
    ("PseudoInverse", "pseudo-inverse"): ("tr(Y'*pinv(Z)')", "Z"),
    ("LargestEigenvalue", "simple eigenvalue"): ("lambda_max(X)", "X"),
    ("LargestEigenvector", "eigenvector of a simple eigenvalue"): ("(y'*vmax(X))^2", "X"),
    ("NuclearNorm", "nuclear norm"): ("norm_nuc(Z)", "Z"),
}
SCALAR_DIFFERENTIALS = {
    ("Add", "linearity"): ("x'*A*x + y'*x", "x"),
    ("Mul", "constant factor"): ("3*s*(x'*y)", "x"),
    ("Mul", "quotient rule"): ("(x'*A*x)/(x'*x)", "x"),
    ("Mul", "product rule"): ("(x'*A*x)*(y'*x)", "x"),
    ("Expr", "chain rule"): ("exp(x'*A*x)", "x"),
}
TRACE_MOVES = {
    ("Product", "trace: cyclic, transpose"): ("tr(A*X*B)", "X"),
    ("Transpose", "trace: cyclic, transpose"): ("tr(A*X'*X)", "X"),
    ("Hadamard", "Hadamard factor moves across"): ("tr(A*(B .* X))", "X"),
    ("Diag", "diagonal moves across"): ("tr(A*diag(diag(X))*X)", "X"),
    ("DiagonalOf", "diagonal moves across"): ("x'*diag(X*A)", "X"),
    ("Vec", "vec moves across"): ("a'*vec(A*X)", "X"),
    ("Kronecker", "Kronecker factor moves across"): ("sum(kron(A,X)*a)", "X"),
    ("Frechet", "adjoint of the Fréchet derivative"): ("x'*expm(X)*y", "X"),
}
INNER_MOVES = {
    ("Product", "a scalar equals its transpose"): ("norm2(A*x + B*tanh(x))", "x"),
    ("Transpose", "a scalar equals its transpose"): ("x'*A*B*x", "x"),
    ("Hadamard", "Hadamard factor moves across"): ("y'*(x .* p)", "x"),
    ("Diag", "diagonal moves across"): ("tr(A*diag(x)*B)", "x"),
    ("DiagonalOf", "diagonal moves across"): ("y'*diag(A*diag(x)*B)", "x"),
    ("Vec", "vec moves across"): ("a'*vec(A*diag(x)*B)", "x"),
    ("Kronecker", "Kronecker factor moves across"): ("a'*kron(x,y)", "x"),
    ("Frechet", "adjoint of the Fréchet derivative"): ("tr(A*expm(diag(x)))", "x"),
}
VEC_MOVES = {
    ("Product", "vec of a product"): ("A*X*B", "X"),
    ("Transpose", "commutation matrix"): ("X'", "X"),
    ("Hadamard", "Hadamard product as a diagonal matrix"): ("A .* X", "X"),
    ("Diag", "vec of a diagonal matrix"): ("diag(x)", "x"),
    ("DiagonalOf", "diagonal by vec"): ("diag(X)", "X"),
    ("Vec", "vec"): ("vec(X)", "X"),
    ("Kronecker", "vec of a Kronecker product"): ("kron(A,X)", "X"),
    ("Frechet", "derivative of the square root"): ("sqrtm(P)", "P"),
}
VECTOR_MOVES = {
    ("Product", "associativity"): ("A*diag(x)*B*y", "x"),
    ("Transpose", "commutation matrix"): ("diag(x*x')", "x"),
    ("Hadamard", "Hadamard product as a diagonal matrix"): ("y .* sin(x)", "x"),
    ("Diag", "vec of a diagonal matrix"): ("kron(A,diag(x))*a", "x"),
    ("DiagonalOf", "diagonal by vec"): ("diag(A*diag(x)*B)", "x"),
    ("Vec", "vec"): ("vec(A*diag(x)*B)", "x"),
    ("Kronecker", "vec of a Kronecker product"): ("kron(x,y)", "x"),
    ("Frechet", "derivative of the square root"): ("sqrtm(P + diag(x))*y", "x"),
}

# The rules of the lines by their names in rules.py; what is asked for beside the variable comes last.
LINES = {
    "OUTER": ("(x'*x)*x", "x", {"layout": "numerator"}),
    "COLLECT": ("x'*A*x", "x"),
    "LINEARITY": ("y'*x", "x"),
    "GRADIENT": ("y'*x", "x"),
    "VECTORISE": ("A*X", "X"),
    "JACOBIAN": ("A*x", "x"),
    "DENOMINATOR": ("A*x", "x"),
    "DERIVATIVE": ("s^2*x", "s"),
    "NUMERATOR": ("y'*x", "x", {"layout": "numerator"}),
    "CONSTANT": ("y'*y", "x"),
}
STRUCTURES = {
    "symmetric": ("logdet(X)", "X", {"structure": "symmetric"}),
    "diagonal": ("logdet(X)", "X", {"structure": "diagonal"}),
}

# (node, name of the rule): what is written, and what a reader wants to see.
IDENTITIES = {
    ("Sum", "cancel terms"): ("A*(x + y) - A*y", "A*x"),
    ("Sum", "collect factors"): ("A*x + B*x", "(A + B)*x"),
    ("Sum", "collect Hadamard factors"): ("A .* B + A .* C", "A .* (B + C)"),
    ("Sum", "collect Kronecker factors"): ("kron(A,B) + kron(A,C)", "kron(A,B + C)"),
    ("Product", "commutation matrix"): ("comm(n,n)*kron(A,B)", "kron(B,A)*comm(n,n)"),
    ("Sum", "commutation matrix"): (
        "kron(Z',eye(n))*comm(m,n) + kron(eye(n),Z')",
        "(comm(n,n) + eye(n*n))*kron(eye(n),Z')",
    ),
    ("Sum", "collect scalars"): ("2*s*A - 4*s*B", "2*s*(A - 2*B)"),
    ("Sum", "transpose of a sum"): ("A'*B' + C'", "(B*A + C)'"),
    ("Add", "a scalar equals its transpose"): ("x'*A'*B*y + y'*B'*A*x", "2*x'*A'*B*y"),
    ("Inner", "a scalar equals its transpose"): ("y'*A'*x", "x'*A*y"),
    ("EntrySum", "sum of entries"): ("sum(ones(n) + x)", "rows(x) + sum(x)"),
    ("EntrySum", "centred: the entries sum to zero"): ("s*sum(c)", "0"),
    ("Pow", "sigmoid"): ("1/(1 + exp(-s))", "sigmoid(s)"),
    ("Mul", "sigmoid"): ("exp(-s)*sigmoid(s)", "sigmoid(-s)"),
    ("Add", "scalar algebra"): ("s*(t + w) - s*w", "s*t"),
    ("Mul", "scalar algebra"): ("(s + t)*(s - t)*s/(s*t)", "s^2/t - t"),
    ("Product", "diagonal matrix times vector"): ("diag(u)*x", "u .* x"),
    ("DiagonalOf", "diagonal of a product"): ("diag(diag(u)*A)", "u .* diag(A)"),
    ("Hadamard", "diagonal of an outer product"): ("(x*y') .* eye(n)", "diag(x .* y)"),
    ("Product", "diagonal of a product as a Hadamard product"): (
        "kron(ones(1,n),eye(n))*diag(vec(B))*kron(eye(n),A)*diag(vec(C))*kron(ones(n),eye(n))",
        "A .* (B*C')",
    ),
    ("Product", "inverse of a product"): ("A*inv(B*A)", "inv(B)"),
    ("Product", "join inverses"): ("inv(A)*inv(B)", "inv(B*A)"),
    ("Sum", "complement"): ("B - C*inv(A + C)*B", "A*inv(A + C)*B"),
    ("Product", "push-through identity"): ("inv(A)*B*inv(eye(n) + C*inv(A)*B)", "inv(A + B*C)*B"),
    ("Product", "functions of one matrix commute"): ("sqrtm(A)*inv(A)", "inv(sqrtm(A))"),
    ("Product", "pseudo-inverse"): ("Z*pinv(Z)*Z*A", "Z*A"),
    ("Inner", "trace by vec"): ("vec(A)'*vec(B)", "tr(A'*B)"),
    ("EntrySum", "probabilities sum to one"): ("s*sum(p)", "s"),
    ("Product", "probabilities sum to one"): ("softmax_rows(Z)*ones(n,n)", "ones(m,n)"),
    ("Apply", "entries that are 0 and 1, or 1 and -1"): ("b.^2", "b"),
    ("Hadamard", "functions of one argument"): ("sinh(Z) ./ cosh(Z)", "tanh(Z)"),
    ("Mul", "functions of one argument"): ("relu(s)*step(s)", "relu(s)"),
    ("Apply", "sigmoid"): ("1 ./ (ones(n) + exp(-x))", "sigmoid(x)"),
    ("Hadamard", "sigmoid"): ("exp(-Z) .* sigmoid(Z)", "sigmoid(-Z)"),
    ("Mul", "opposite sigmoid"): ("sigmoid(-s)*sigmoid(s)", "(1 - sigmoid(s))*sigmoid(s)"),
    ("Hadamard", "opposite sigmoid"): ("sigmoid(-Z) .* sigmoid(Z)", "(ones(m,n) - sigmoid(Z)) .* sigmoid(Z)"),
    ("Hadamard", "softmax of rows"): ("exp(Z) ./ (exp(Z)*ones(n,n))", "softmax_rows(Z)"),
    ("Scale", "softmax"): ("exp(x)/sum(exp(x))", "softmax(x)"),
    ("log", "log-sum-exp"): ("log(sum(exp(x)))", "logsumexp(x)"),
}
