"""How the game moves near its equilibrium W_d = 0, ‖g_i‖ = ‖w*_i‖: its modes, their time constants, and stable steps.

The rows of W_g are g_i. There the angles are free and the lengths count: with s an eigenvalue of the curvature S, a
mode has the two roots of z^2 + (s + gamma) z + c^2. `derivations.topics.gan_dynamics` derives this; here it meets
autograd and simulation.
"""

import math

import torch

from gan import draws, gradients, points
from gan.discriminators import DISCRIMINATORS
from gan.losses import LOSSES

LINEAR = DISCRIMINATORS["linear"]
UPDATES = ("simultaneous", "alternating")
SMALL, LARGE = 1e-12, 1e-2  # a disturbance below is lost in the rounding, one above is not small


def second_moments(w):
    """E[y y'] of y = ReLU(W x), x standard normal: (K, 5, 2) -> (K, 5, 5).

    Source: Cho & Saul (2009), Kernel methods for deep learning: the arc-cosine kernel.
    """
    lengths = w.norm(dim=2)
    products = lengths[:, :, None] * lengths[:, None, :]
    cosine = (torch.bmm(w, w.transpose(1, 2)) / products).clamp(-1, 1)
    angle = cosine.acos()
    return products / (2 * math.pi) * (angle.sin() + (math.pi - angle) * cosine)


def equilibria(teacher, seed=0):
    """A generator for each teacher (K, 5, 2) with rows of its lengths and random directions."""
    directions = draws.normals(range(seed, seed + len(teacher)), draws.EVALUATION, 4, teacher.shape[1:]).to(teacher)
    return directions * (teacher.norm(dim=2) / directions.norm(dim=2))[..., None]


def linearised(loss, teacher, generator):
    """(eigenvalues s of the curvature (K, 5), coupling c) of a loss by its name, at an equilibrium."""
    loss, zero = LOSSES[loss], torch.zeros((), dtype=torch.float64)

    def slopes(function, derivative):
        return derivative(zero).item(), torch.func.grad(torch.func.grad(function))(zero).item()

    (_, real2), (fake1, fake2), (own1, _) = (
        slopes(loss.real, loss.d_real),
        slopes(loss.fake, loss.d_fake),
        slopes(loss.own, loss.d_own),
    )
    curvature = -real2 * second_moments(teacher) - fake2 * second_moments(generator)
    # The mean of a unit is ‖g‖ / sqrt(2 pi).
    return torch.linalg.eigvalsh(curvature), math.sqrt(fake1 * own1 / (2 * math.pi))


def modes(s, gamma, coupling):
    """The roots of z^2 + (s + gamma) z + c^2: complex, s.shape + (2,)."""
    k = (s + gamma).to(torch.complex128)
    root = torch.sqrt(k**2 - 4 * coupling**2)
    return torch.stack([(-k + root) / 2, (-k - root) / 2], dim=-1)


def time_constant(s, gamma, coupling):
    """Of the slowest mode, in steps times the learning rate: (K, 5) -> (K,)."""
    return -1 / modes(s, gamma, coupling).real.amax((-1, -2))


def step_matrix(k, coupling, h, updates):
    """One step of size h of a mode in (w, rho), k = s + gamma: (..., 2, 2). All arguments broadcast."""
    k, coupling, h = torch.broadcast_tensors(*(torch.as_tensor(v, dtype=torch.float64) for v in (k, coupling, h)))
    one = torch.ones_like(k)
    if updates == "simultaneous":
        rows = [[1 - h * k, -h * coupling], [h * coupling, one]]
    else:
        rows = [[1 - h * k, -h * coupling], [h * coupling * (1 - h * k), 1 - (h * coupling) ** 2]]
    return torch.stack([torch.stack(row, -1) for row in rows], -2)


def spectral_radius(s, gamma, coupling, h, updates):
    """The largest modulus of an eigenvalue over the modes, the free angles left out: s (..., 5) -> (...)."""
    return torch.linalg.eigvals(step_matrix(s + gamma, coupling, h, updates)).abs().amax((-1, -2))


def jacobian(loss, gamma, teacher, generator):
    """Of the field (ascent of W_d, descent of W_g) at W_d = 0, by autograd of the losses: 15 x 15.

    teacher, generator: (5, 2). The expectations are the quadrature of `points`.
    """
    loss = LOSSES[loss]
    noise, weights = points.noise("normal")
    real = (teacher.double() @ noise).relu()

    def value(w, g):
        return loss.real(w @ real) @ weights + loss.fake(w @ (g @ noise).relu()) @ weights

    def own(w, g):
        return loss.own(w @ (g @ noise).relu()) @ weights

    def field(state):
        w, g = state[:5], state[5:].view(5, 2)
        ascent = torch.func.grad(value, argnums=0)(w, g) - gamma * w
        return torch.cat([ascent, -torch.func.grad(own, argnums=1)(w, g).flatten()])

    return torch.func.jacfwd(field)(torch.cat([torch.zeros(5, dtype=torch.float64), generator.double().flatten()]))


def growth(teacher, gamma, h, updates, loss="saturating", n_steps=600, size=1e-5):
    """What a small disturbance of the equilibrium W_g = W* grows by in a step, simulated: one number for each game.

    teacher (5, 2); gamma, h (K,). The players see the same few points of the noise in every step, so that nothing but
    the dynamics moves them. It is the mean over the later half of the steps, while the disturbance is small.
    """
    loss = LOSSES[loss]
    noise = _few_points().expand(len(h), -1, -1)
    target = teacher.double().expand(len(h), -1, -1)
    real = gradients.generated(target, noise)
    w_g = target * (1 + size)
    w_d = torch.full((len(h), 5), size, dtype=torch.float64)
    rate_d, rate_g = h[:, None], h[:, None, None]
    middle = None
    for step in range(n_steps):
        if step == n_steps // 2:
            middle = _distance(w_d, w_g, target)
        fake = gradients.generated(w_g, noise)
        moved = w_d + rate_d * (gradients.by_discriminator(loss, LINEAR, w_d, real, fake) - gamma[:, None] * w_d)
        seen = moved if updates == "alternating" else w_d
        w_g = w_g - rate_g * gradients.by_generator(loss, LINEAR, seen, w_g, noise)
        w_d = moved
    last = _distance(w_d, w_g, target)
    late = torch.where(last > SMALL, last / middle, middle.clamp(min=SMALL) / size)
    return torch.where(last < LARGE, late ** (2 / n_steps), (LARGE / size) ** (1 / n_steps))


def _distance(w_d, w_g, target):
    """From the torus of equilibria: angles do not count."""
    return torch.cat([w_d, w_g.norm(dim=2) - target.norm(dim=2)], dim=1).norm(dim=1)


def _few_points(n_angles=48):
    """Equally likely points on the plane with the standard normal's mean length and mean square: (2, 2 n_angles).

    Nothing else of the noise enters the curvature and the coupling.
    """
    mean = math.sqrt(math.pi / 2)
    spread = math.sqrt(2 - mean**2)
    radii = torch.tensor([mean - spread, mean + spread], dtype=torch.float64)
    angles = (torch.arange(n_angles, dtype=torch.float64) + 0.5) * (2 * math.pi / n_angles)
    return (torch.stack([angles.cos(), angles.sin()])[:, :, None] * radii).flatten(1)


# -------------------------------------------------------------------------- one unit, a plane


def dirac_field(w, theta, gamma):
    """The Dirac-GAN: data at 0, a generator at theta, D(z) = sigmoid(w z). Source: Mescheder et al. (2018)."""
    b = torch.sigmoid(w * theta)
    return -b * theta - gamma * w, b * w


def one_unit_field(w, rho, gamma, target=1.0):
    """Our GAN with one unit: the data target ReLU(x), the generator rho ReLU(x), x standard normal."""
    nodes = torch.linspace(0.005, 5.995, 600, dtype=torch.float64)
    weights = torch.exp(-(nodes**2) / 2) / math.sqrt(2 * math.pi) * 0.01
    s_real, s_fake = (w[..., None] * scale * nodes for scale in (target, rho[..., None]))
    real, fake = torch.sigmoid(-s_real) * nodes @ weights, torch.sigmoid(s_fake) * nodes @ weights
    return target * real - rho * fake - gamma * w, w * fake


def trajectory(field, start, gamma, h, n_steps, updates="alternating"):
    """(n_steps + 1, 2): the states of a field of (w, other) from a start, with steps of size h."""
    state = torch.tensor(start, dtype=torch.float64)
    found = [state]
    for _ in range(n_steps):
        w, other = state
        moved = w + h * field(w, other, gamma)[0]
        seen = moved if updates == "alternating" else w
        state = torch.stack([moved, other + h * field(seen, other, gamma)[1]])
        found.append(state)
    return torch.stack(found)
