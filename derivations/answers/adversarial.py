"""Answers 4.1 to 4.3: the GAN's loss, its gradients, and latent laws that change."""

from derivations.answers import diagrams
from derivations.answers.parts import Answer, Checked, Figure, Mistake, Question, Text, Work
from derivations.topics import gan


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
        ),
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
            Checked(r"The tests compare both formulas with simulation."),
            Mistake(
                r"``Erratic training, no stable mapping from noise to data'', without mathematics. In general it is not "
                r"even true: in expectation the game is the ordinary one with the mixture as its noise."
            ),
        ),
    )
