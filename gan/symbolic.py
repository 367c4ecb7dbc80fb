"""The gradients of the 2-5-1 GAN as `derivations.topics.gan` derives them, in its generated code.

Written by tests/gan/test_symbolic.py, which compares; do not edit. Samples are rows: real R (B, 5), noise X (B, 2).
"""

import torch


def step(u):
    """1 where u is positive, 0 elsewhere."""
    return (u > 0).to(u.dtype)


def value_by_w_d(*, R, W_d, X, W_g):
    """((ones(B) - sigmoid(R*W_d'))'*R - sigmoid(relu(X*W_g')*W_d')'*relu(X*W_g'))/rows(R)

    Shapes: R (B, 5), W_d (1, 5), X (B, 2), W_g (5, 2) -> (1, 5).
    """
    B = R.shape[0]
    W_d = W_d[0]
    t1 = torch.relu(X @ W_g.T)
    t2 = R.T @ (1 - torch.sigmoid(R @ W_d)) - t1.T @ torch.sigmoid(t1 @ W_d)
    return (t2 / B)[None, :]


def saturating_by_w_g(*, X, W_g, W_d):
    """-(step(X*W_g') .* (sigmoid(relu(X*W_g')*W_d')*W_d))'*X/rows(X)

    Shapes: X (B, 2), W_g (5, 2), W_d (1, 5) -> (5, 2).
    """
    B = X.shape[0]
    W_d = W_d[0]
    t1 = X @ W_g.T
    t2 = step(t1) * torch.outer(torch.sigmoid(torch.relu(t1) @ W_d), W_d)
    return -(t2.T @ X) / B


def non_saturating_by_w_g(*, X, W_g, W_d):
    """-(step(X*W_g') .* ((ones(B) - sigmoid(relu(X*W_g')*W_d'))*W_d))'*X/rows(X)

    Shapes: X (B, 2), W_g (5, 2), W_d (1, 5) -> (5, 2).
    """
    B = X.shape[0]
    W_d = W_d[0]
    t1 = X @ W_g.T
    t2 = step(t1) * torch.outer(1 - torch.sigmoid(torch.relu(t1) @ W_d), W_d)
    return -(t2.T @ X) / B


def least_squares_value_by_w_d(*, R, W_d, X, W_g):
    """-((W_d*R' - ones(1,B))*R + (W_d*relu(X*W_g')' + ones(1,B))*relu(X*W_g'))/rows(R)

    Shapes: R (B, 5), W_d (1, 5), X (B, 2), W_g (5, 2) -> (1, 5).
    """
    B = R.shape[0]
    W_d = W_d[0]
    t1 = torch.relu(X @ W_g.T)
    return (-(R.T @ (R @ W_d - 1) + t1.T @ (1 + t1 @ W_d)) / B)[None, :]


def least_squares_by_w_g(*, X, W_g, W_d):
    """(step(X*W_g') .* ((relu(X*W_g')*W_d' - ones(B))*W_d))'*X/rows(X)

    Shapes: X (B, 2), W_g (5, 2), W_d (1, 5) -> (5, 2).
    """
    B = X.shape[0]
    W_d = W_d[0]
    t1 = X @ W_g.T
    t2 = (step(t1) * torch.outer(torch.relu(t1) @ W_d - 1, W_d)).T @ X
    return t2 / B


def hinge_value_by_w_d(*, R, W_d, X, W_g):
    """(step(ones(B) - R*W_d')'*R - step(ones(B) + relu(X*W_g')*W_d')'*relu(X*W_g'))/rows(R)

    Shapes: R (B, 5), W_d (1, 5), X (B, 2), W_g (5, 2) -> (1, 5).
    """
    B = R.shape[0]
    W_d = W_d[0]
    t1 = torch.relu(X @ W_g.T)
    return ((R.T @ step(1 - R @ W_d) - t1.T @ step(1 + t1 @ W_d)) / B)[None, :]


def hinge_by_w_g(*, X, W_g, W_d):
    """-(step(X*W_g') .* (ones(B)*W_d))'*X/rows(X)

    Shapes: X (B, 2), W_g (5, 2), W_d (1, 5) -> (5, 2).
    """
    B = X.shape[0]
    W_d = W_d[0]
    return -((W_d * step(X @ W_g.T)).T @ X) / B


def wasserstein_value_by_w_d(*, R, W_d, X, W_g):
    """ones(1,B)*(R - relu(X*W_g'))/rows(R)

    Shapes: R (B, 5), W_d (1, 5), X (B, 2), W_g (5, 2) -> (1, 5).
    """
    B = R.shape[0]
    W_d = W_d[0]
    return ((R - torch.relu(X @ W_g.T)).sum(dim=0) / B)[None, :]


def wasserstein_by_w_g(*, X, W_g, W_d):
    """-(step(X*W_g') .* (ones(B)*W_d))'*X/rows(X)

    Shapes: X (B, 2), W_g (5, 2), W_d (1, 5) -> (5, 2).
    """
    B = X.shape[0]
    W_d = W_d[0]
    return -((W_d * step(X @ W_g.T)).T @ X) / B


# Loss -> the gradient by W_d that the discriminator ascends, the one by W_g that the generator descends.
GRADIENTS = {
    "saturating": (value_by_w_d, saturating_by_w_g),
    "non-saturating": (value_by_w_d, non_saturating_by_w_g),
    "least-squares": (least_squares_value_by_w_d, least_squares_by_w_g),
    "hinge": (hinge_value_by_w_d, hinge_by_w_g),
    "wasserstein": (wasserstein_value_by_w_d, wasserstein_by_w_g),
}
