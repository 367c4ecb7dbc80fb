"""Answers 4.1 to 4.3: the GAN's loss, its gradients, and latent laws that change."""

from derivations.answers import adversarial_evidence as evidence
from derivations.answers import diagrams
from derivations.answers.parts import Answer, Checked, Figure, Mistake, Question, Text, Work
from derivations.topics import gan, gan_dynamics


def loss_function(settings):
    """4.1: the value function, the ideal discriminator, the value at the optimum."""
    best = gan.optimal_discriminator()
    return Answer(
        "4.1",
        "Understanding GANs: the loss function",
        (
            Question(
                "Question.",
                r"The overall loss of a GAN, and for an optimally trained one (a) the discriminator and (b) its value.",
            ),
            Text(
                r"The discriminator $D$ gives the probability that a sample is real; the generator $G$ makes samples from "
                r"noise $z$. They play for the value"
                r"\[\boxed{\min_G\max_D V(D, G),\qquad V(D, G) = \mathbb{E}_{x\sim p_{\text{data}}}[\log D(x)] + "
                r"\mathbb{E}_{z\sim p_z}[\log(1 - D(G(z)))]}\]"
                r"Write $p$ for $p_{\text{data}}$ and $q$ for the distribution of the generated samples $G(z)$, so that the second "
                r"term is $\mathbb{E}_{x\sim q}[\log(1 - D(x))]$."
            ),
            Question("(a)", r"The ideal discriminator."),
            Text(
                r"For a fixed generator, $V$ is a sum over samples $x$ of $p(x)\log D(x) + q(x)\log(1 - D(x))$, and each "
                r"term has a $D(x)$ of its own. So maximise one term:"
            ),
            Work(best.curvature, "v", box=False),
            Text(
                r"The slope vanishes where $p\,(1 - D) = q\,D$, that is only at \[\boxed{D^{\star} = \frac{p}{p + q}},\] and the "
                r"second derivative is negative for every $D$ in $(0, 1)$, so this is the maximum; there it is"
            ),
            Work(best.curvature_at_point, r"\frac{\partial^{2} v}{\partial D^{2}}", box=False),
            Text(
                r"An optimally trained generator makes $q = p$. Then \[\boxed{D^{\star} = \frac{p}{p + p} = "
                r"\tfrac12\text{ wherever there is data}}\] The discriminator has not failed: there is nothing left to "
                r"tell apart."
            ),
            Mistake(
                r"$D(x) = 1$ and $D(G(z)) = 0$. That is the best discriminator against a generator whose samples are never "
                r"where the data are (disjoint supports: $\operatorname{JSD} = \log 2$, $V = 0$), the start of the training "
                r"rather than its end. It would also contradict the value "
                r"in (b): it gives $V = \log 1 + \log 1 = 0$."
            ),
            Question("(b)", r"The value of the loss."),
            Text(
                r"Put the best discriminator in, with the two distributions as vectors of probabilities $\mathbf{p}$ and "
                r"$\mathbf{q}$ over the samples and $\mathbf{m} = \frac12(\mathbf{p} + \mathbf{q})$ their midpoint:"
            ),
            Work(gan.value_at_best_discriminator(), r"V(D^{\star}, G)"),
            Text(
                r"The two sums are Kullback--Leibler divergences to the midpoint, and half their sum is the "
                r"Jensen--Shannon divergence, so $V(D^{\star}, G) = 2\operatorname{JSD}(p, q) - \log 4$. It is smallest "
                r"where the divergence is zero, and that is only at $q = p$:"
            ),
            Work(gan.value_at_equilibrium(), r"V(D^{\star}, G^{\star})"),
            Text(r"As a number, $-\log 4 \approx -1.386$."),
            Mistake(
                r"To write ``$L = \min_G\max_D V(D, G) = $ expression'': the expression is $V$; its minimax value is one "
                r"number. And to quote $-\log 4$ without a derivation leaves the contradiction with (a) unseen."
            ),
            *_in_practice(settings),
            *_convergence(settings),
            *_other_losses(settings),
        ),
    )


def _in_practice(settings):
    """What the optimum means for the 2-5-1 GAN, and whether training gets there."""
    return (
        Question("(c)", r"Is it reached, and what does it mean? The GAN of 4.2, trained."),
        Text(
            r"With $D(\mathbf{z}) = \sigma(\mathbf{w}^{\top}\mathbf{z})$, $\mathbf{w} = \mathbf{W}_d^{\top}$, the weights "
            r"$\mathbf{w} = \mathbf{0}$ give $D = \frac12$ and $V = -\log 4$ against \emph{every} generator: the value alone "
            r"proves nothing. What counts is the \textbf{gap} $\max_{\mathbf w} V + \log 4$. $V$ is concave in $\mathbf{w}$, "
            r"and its slope at $\mathbf{w} = \mathbf{0}$, for a real $\mathbf{r}$ and a generated $\mathbf{y}$, is"
        ),
        Work(gan_dynamics.slope_at_zero(), r"\frac{\partial V}{\partial\mathbf{w}}"),
        Text(
            r"Its mean is $\frac12(\mathbb{E}\,\mathbf{r} - \mathbb{E}\,\mathbf{y})$. So the gap is zero exactly where the "
            r"\textbf{means} agree, and a linear discriminator without bias sees nothing else. The data here come from a "
            r"teacher, $\mathbf{r} = \operatorname{ReLU}(\mathbf{W}^{\star}\mathbf{x})$; alternating gradient steps with a "
            r"learning rate that falls from $\frac12$ to $0$ and a decay $\gamma = 0.1$ of $\mathbf{W}_d$ end here:"
        ),
        *evidence.optimum(settings),
        Text(
            r"So $V = -\log 4$ and $D = \frac12$ are reached. The laws are nevertheless different, as a second look shows. A "
            r"discriminator with the products $z_i z_j$ as further inputs sees the second moments, and these fix "
            r"$\mathbf{W}_g\mathbf{W}_g^{\top}$, hence the law of $G(\mathbf{x})$:"
        ),
        *evidence.laws(settings),
        Text(
            r"This is the honest reading of (a) for this architecture: ``$D = \frac12$ everywhere'' proves that the laws agree "
            r"only for a $D$ that could tell them apart."
        ),
        *evidence.traps(settings),
    )


def _convergence(settings):
    """Why it converges: the modes of the linearised game."""
    return (
        Question("(d)", r"Why does it converge at all?"),
        Text(
            r"Near $\mathbf{w} = \mathbf{0}$ the curvature of $V$ by $\mathbf{w}$ is minus the mean $\mathbf S$ of "
            r"$\frac14(\mathbf{r}\mathbf{r}^{\top} + \mathbf{y}\mathbf{y}^{\top})$:"
        ),
        Work(
            gan_dynamics.curvature_at_zero(),
            r"\frac{\partial^{2} V}{\partial\mathbf{w}\,\partial\mathbf{w}^{\top}}",
            box=False,
        ),
        Text(
            r"A unit with the row $\mathbf{g}_i$ in $\mathbf{W}_g$, of length $\rho_i$, has the mean "
            r"$\rho_i/\sqrt{2\pi}$ over standard normal noise. Only the lengths count; the five angles are free. With $s$ "
            r"an eigenvalue of $\mathbf{S}$, $c = 1/(2\sqrt{2\pi})$ and $k = s + \gamma$, gradient flow moves a mode as "
            r"$\dot w = -kw - c\rho$, $\dot\rho = cw$ ($\rho$ counted from its equilibrium), and the characteristic "
            r"polynomial of its matrix is"
        ),
        Work(gan_dynamics.characteristic_polynomial("continuous"), r"p(\lambda)"),
        Text(
            r"Both roots have negative real parts wherever $k > 0$. A step of size $h$ is another matter. With both "
            r"players moving at once, and with the generator answering the move of the discriminator:"
        ),
        Work(gan_dynamics.characteristic_polynomial("simultaneous"), r"p_{\text{sim}}(\lambda)", where=False),
        Work(gan_dynamics.characteristic_polynomial("alternating"), r"p_{\text{alt}}(\lambda)", where=False),
        Text(
            r"The roots are inside the unit circle where $p(1)$, $p(-1)$ and $1 - p(0)$ are positive. Simultaneous steps "
            r"need $hc^2 < k$, and $2hk < 4 + h^2c^2$; alternating steps need only $2hk + h^2c^2 < 4$: a small $k$ costs time, not "
            r"stability. The decay $\gamma$ is the gradient penalty R1 on the logit, $\frac{\gamma}{2}\|\mathbf{W}_d\|^2$."
        ),
        *evidence.dynamics(settings),
        *evidence.recipes(settings),
    )


def _other_losses(settings):
    """Least squares, hinge, Wasserstein: scores instead of probabilities, other divergences."""
    return (
        Question("(e)", r"Other losses, other divergences."),
        Text(
            r"Let the discriminator give a score $s$ instead of a probability. At one sample with the probabilities $p$ and $q$, "
            r"least squares have the best score $(p - q)/(p + q)$, and with it the value"
        ),
        Work(gan.least_squares_value(), "v"),
        Text(
            r"which sums to $\frac12\sum (p - q)^2/(p + q) - 1$, a $\chi^2$ divergence, with the optimum $-1$ at $q = p$. The hinge has the best score "
            r"$\operatorname{sign}(p - q)$:"
        ),
        Work(gan.hinge_value(), "v"),
        Text(
            r"which sums to twice the total variation less $2$. The critic of the Wasserstein GAN must be 1-Lipschitz; among "
            r"linear ones, with $\mathbf{d} = \mathbb{E}\,\mathbf{r} - \mathbb{E}\,\mathbf{y}$, the best has the value"
        ),
        Work(gan.wasserstein_value(), r"\max_{\|\mathbf{w}\| \le 1}\mathbf{w}^{\top}\mathbf{d}"),
        Text(
            r"the distance of the means, with the optimum $0$. For all of them $\mathbf{w} = \mathbf{0}$ and equal means are an "
            r"equilibrium of the GAN of 4.2. Hinge and Wasserstein have no curvature there ($s = 0$), so that $\gamma$ alone "
            r"damps their circling. Trained:"
        ),
        *evidence.losses(settings),
    )


def gradients(settings):
    """4.2: the gradients of the 2-5-1 GAN."""
    return Answer(
        "4.2",
        "Understanding GANs: gradients",
        (
            Question(
                "Question.",
                r"The gradients of the loss with respect to $\mathbf{W}_d$ ($1\times 5$) and $\mathbf{W}_g$ ($5\times 2$), for "
                r"$\mathbf{y} = \operatorname{ReLU}(\mathbf{W}_g\mathbf{x})$ and $b = \sigma(\mathbf{W}_d\mathbf{z})$.",
            ),
            Figure(
                diagrams.gan(2, 5),
                r"The GAN of the question: noise $\mathbf{x}$ becomes a fake sample $\mathbf{y}$; the discriminator sees "
                r"it or a real sample $\mathbf{r}$.",
            ),
            Text(
                r"The discriminator is applied twice: to a real sample, which we call $\mathbf{r}$, with the output "
                r"$b_r = \sigma(\mathbf{W}_d\mathbf{r})$, and to the generated $\mathbf{y}$, with the output "
                r"$b = \sigma(\mathbf{W}_d\mathbf{y})$. For one sample of each, $V = \log b_r + \log(1 - b)$. Two facts "
                r"do the work: $\mathrm{d}\log\sigma(u) = (1 - \sigma(u))\,\mathrm{d}u$ and "
                r"$\mathrm{d}\log(1 - \sigma(u)) = -\sigma(u)\,\mathrm{d}u$, both with the slope "
                r"$\sigma'(u) = \sigma(u)(1 - \sigma(u))$ \emph{at the pre-activation} $u$."
            ),
            Question("(a)", r"With respect to the weights of the discriminator, which ascends $V$."),
            Work(gan.gradient("W_d"), "V"),
            Text(
                r"The first term pulls $\mathbf{W}_d$ towards real samples, the second pushes it away from fake ones."
            ),
            Question("(b)", r"With respect to the weights of the generator, which descends $V$."),
            Work(gan.gradient("W_g", "saturating"), "L_G"),
            Text(
                r"The real term does not depend on $\mathbf{W}_g$. The error that arrives at $\mathbf{y}$ is "
                r"$-b\,\mathbf{W}_d^{\top}$; the indicator lets through what belongs to active units, and the outer "
                r"product with the input makes a $5\times 2$ matrix of it. When the discriminator is sure that the "
                r"sample is fake, $b\approx 0$ and the gradient vanishes just when the generator needs it most. In "
                r"practice it therefore descends $-\log b$ instead, the \emph{non-saturating} loss, whose gradient is "
                r"large there:"
            ),
            Work(gan.gradient("W_g", "non-saturating"), "L_G"),
            Text(
                r"ReLU has no derivative at $0$; the sheet's definition fixes its value there, not its slope. We take "
                r"$0$, as \texttt{torch.relu} does. It matters: a generator that starts with $\mathbf{W}_g = \mathbf{0}$ "
                r"has all units at the kink, its gradient is zero, and it never moves."
            ),
            Question("(c)", r"For a batch."),
            Text(
                r"The gradient of a mean is the mean of the gradients. With the samples in the rows of $\mathbf{R}$ ($B\times 5$) and $\mathbf{X}$ ($B\times 2$), "
                r"$\mathbf{Y} = \operatorname{ReLU}(\mathbf{X}\mathbf{W}_g^{\top})$, and means over the batch:"
            ),
            Work(gan.batch_gradient("W_d"), "V"),
            Work(gan.batch_gradient("W_g", "saturating"), "L_G", where=False),
            Mistake(
                r"Seven at once. (1) $\operatorname{Sigmoid}'(b)$ takes the slope at the \emph{output}: $b$ lies in "
                r"$(0, 1)$, so that number is always between 0.196 and 0.25 and never vanishes. It changes the length of the steps but not their "
                r"sign, so the equilibrium is the same and training need not reveal it; a gradient check does. (2) One $b$ for both kinds of samples loses the "
                r"real term of $\partial V/\partial\mathbf{W}_d$. (3) $\partial L/\partial b$ is never worked out, so "
                r"there is no result. (4) $\partial\mathbf{y}/\partial\mathbf{W}_g$ is a $5\times 5\times 2$ array; "
                r"written as the $5\times 2$ matrix $\operatorname{ReLU}'(\mathbf{W}_g\mathbf{x})\,\mathbf{x}^{\top}$ and "
                r"multiplied by the $1\times 5$ row $\mathbf{W}_d$, it gives $1\times 2$ instead of $5\times 2$. The "
                r"Hadamard and the outer product are missing. (5) $\partial b/\partial\mathbf{y}$ is written as a row in a "
                r"chain of columns; in this layout it holds $\mathbf{W}_d^{\top}$. (6) $\operatorname{ReLU}'(0) = 0$ is stated "
                r"as a fact; it is a convention (\texttt{clamp} takes 1, \texttt{maximum} one half). (7) Who ascends, who "
                r"descends, and the non-saturating loss are not mentioned."
            ),
        ),
    )


def input_distributions(settings):
    """4.3: a new, random law of the noise each time."""
    return Answer(
        "4.3",
        "Understanding GANs: input distributions",
        (
            Question(
                "Question.",
                r"What happens if the noise comes from a different, randomly chosen distribution in each step?",
            ),
            Text(
                r"Let the distribution of step $t$ be drawn from a family $p_1, \dots, p_K$ with probabilities $\mathbf{w}$, anew "
                r"in each step. Let the rows of $\mathbf{P}$ hold the distributions, as probabilities over the possible noise "
                r"values, and let $\mathbf{f}$ hold what depends on the noise there: $\log(1 - D(G(z)))$, or its "
                r"gradient by any weight. What a step sees on average is"
            ),
            Work(gan.expectation_over_laws(), r"\mathbb{E}_t\,\mathbb{E}_{z\sim p_t}f(z)"),
            Text(
                r"which is the expectation under one fixed distribution, the \textbf{mixture} $\bar{p} = \sum_k w_k\,p_k$. Nothing "
                r"else about the family matters on average. (With a continuum of distributions the sums become integrals.) So:"
                r"\begin{itemize}"
                r"\item \textbf{What is learnt.} The expected gradients are those of an ordinary GAN whose noise has the "
                r"distribution $\bar{p}$. Training aims at making $G$ of the \emph{mixture} look like the data, the optimum is "
                r"$-\log 4$ as before if $G$ can reach it, and there is no new reason why training should fail."
                r"\item \textbf{How to sample.} From the mixture. With a single $p_k$ the samples $G(z)$ do \emph{not} "
                r"have the distribution of the data in general, because each $p_k$ weights the noise values differently."
                r"\item \textbf{What changes is the noise of the gradient.} All samples of a batch share one distribution, "
                r"so their mean varies for two reasons. Let distribution $k$ give the gradient the mean $\mu_k$ and the "
                r"variance $v_k$:"
                r"\end{itemize}"
            ),
            Work(gan.variance_over_laws(), r"\operatorname{Var}\bar{g}"),
            Text(
                r"The first term is the usual one and falls with the batch size $B$. The rest, $\sum_k w_k\mu_k^2 - (\sum_k "
                r"w_k\mu_k)^2$, is the variance of the means \emph{between} the distributions, and no batch size reduces it: the weights keep wandering about the optimum unless the learning rate "
                r"falls, or each sample draws a distribution of its own, which is plain sampling from $\bar{p}$."
            ),
            Text(
                r"Two cases are different. If a distribution is held for many steps, $D$ adapts to the current one, and the "
                r"players play $\min_G\mathbb{E}_k\max_D V_k$, whose inner value is at least $\max_D\mathbb{E}_k V_k$: another "
                r"game, which can go round in circles. And if the samples are to have the distribution of the data under "
                r"\emph{every} $p_k$, $G$ must undo the difference: by being invariant to it, or by being told $k$."
            ),
            Question("", r"The experiment: the GAN of 4.2, with noise of a random scale."),
            Text(
                r"The noise is $\tau\mathbf{x}$, with $\log\tau$ normal of mean $0$ and standard deviation $\frac34$, drawn "
                r"anew in each step or held for some. The discriminator matches means, and the mean of unit $i$ under "
                r"$\bar p$ is $\mathbb{E}[\tau]\,\|\mathbf{g}_i\|/\sqrt{2\pi}$. So the rows of the generator should be shorter than "
                r"the teacher's by $1/\mathbb{E}[\tau] = e^{-9/32} = "
                rf"{evidence.PREDICTED:.4f}$."
            ),
            *evidence.changing_laws(settings),
            Text(
                r"Small steps approach the prediction: what is learnt is the generator of the mixture. Held for long, the laws are learnt "
                r"one after the other: the ratio leaves the prediction, the means of the mixture no longer agree, and $D$ swings about $\frac12$."
            ),
            Checked(r"The tests compare both formulas with simulation."),
            Mistake(
                r"``Erratic training, no stable mapping from noise to data'', without mathematics. In general it is not "
                r"even true: in expectation the game is the ordinary one with the mixture as its noise."
            ),
        ),
    )
