"""Answers 1.1 to 1.3: gradients, the cross-entropy, and a classifier that does not generalise."""

from derivations.answers import evidence
from derivations.answers.parts import Answer, Checked, Mistake, Question, Text, Work
from derivations.api import derive
from derivations.topics import likelihoods
from derivations.topics.model_selection import expected_best_score

SHAPES = {"x": "m", "y": "n", "A": "m,n"}


def _gradient(expression, wrt, layout):
    names = {n: s for n, s in SHAPES.items() if n in expression}
    return derive(expression, wrt, variables=names, layout=layout)


def gradients(settings):
    """1.1: four gradients by differentials."""
    layout = settings.layout
    fourth = _gradient("A*y", "y", layout)
    return Answer(
        "1.1",
        "Calculating gradients",
        (
            Text(
                r"All four follow one recipe. Take the differential $\mathrm{d}z$ with the product rule, bring it into "
                r"the form $\mathrm{d}z = \operatorname{tr}(\mathbf{G}^{\top}\mathrm{d}\mathbf{X})$, which for a "
                r"vector is $\mathbf{g}^{\top}\mathrm{d}\mathbf{x}$, and read the gradient off: it is $\mathbf{G}$. "
                r"For a vector-valued $\mathbf{z}$ the form is $\mathrm{d}\mathbf{z} = "
                r"\mathbf{J}\,\mathrm{d}\mathbf{y}$. Here $\mathbf{x}$ is $m\times 1$, $\mathbf{y}$ is $n\times 1$ and "
                r"$\mathbf{A}$ is $m\times n$."
            ),
            Question("(1)", r"The gradient of $z = \mathbf{x}^{\top}\mathbf{x}$ with respect to $\mathbf{x}$."),
            Work(_gradient("x'*x", "x", layout), "z"),
            Text(r"Entry by entry it is the same: $z = \sum_k x_k^2$ has $\partial z/\partial x_i = 2x_i$."),
            Mistake(
                r"To name the chain rule. Nothing is composed here: $\mathbf{x}$ stands in $z$ twice, so it is the product "
                r"rule, with $\partial\mathbf{x}/\partial\mathbf{x} = \mathbf{I}$ for each of the two."
            ),
            Question(
                "(2)",
                r"The gradient of $z = \operatorname{tr}(\mathbf{A}^{\top}\mathbf{A})$ with respect to $\mathbf{A}$.",
            ),
            Work(_gradient("tr(A'*A)", "A", layout), "z"),
            Text(
                r"The trace is the sum of the squares of all entries, $z = \sum_{kl}A_{kl}^2 = "
                r"\lVert\mathbf{A}\rVert_F^2$: the matrix twin of (1)."
            ),
            Mistake(
                r"To write ``$\mathrm{d}\operatorname{tr}(\mathbf{B})/\mathrm{d}\mathbf{B} = \mathbf{I}$ and the chain "
                r"rule'' and then the result. The fact is true, but it does not say how $\mathbf{B} = "
                r"\mathbf{A}^{\top}\mathbf{A}$ depends on $\mathbf{A}$; that is the line with the two terms, which the "
                r"transpose makes equal."
            ),
            Question(
                "(3)", r"The gradient of $z = \mathbf{x}^{\top}\mathbf{A}\mathbf{y}$ with respect to $\mathbf{y}$."
            ),
            Work(_gradient("x'*A*y", "y", layout), "z"),
            Question("(4)", r"The derivative of $\mathbf{z} = \mathbf{A}\mathbf{y}$ with respect to $\mathbf{y}$."),
            Work(fourth, "z"),
            *_layout_of_the_fourth(layout),
        ),
    )


def _layout_of_the_fourth(layout):
    if layout == "numerator":
        return (
            Text(
                r"This is the numerator layout, $(\partial\mathbf{z}/\partial\mathbf{y}^{\top})_{ij} = "
                r"\partial z_i/\partial y_j$, of size $m\times n$. The formula sheet of the homework uses the other "
                r"one, in which the answer is its transpose, $\mathbf{A}^{\top}$."
            ),
        )
    return (
        Text(
            r"The last line is the layout of the formula sheet: its matrix has $\partial y_j/\partial x_i$ in row $i$ "
            r"and column $j$, so the derivative of an $m$-vector by an $n$-vector is $n\times m$, and "
            r"$(\partial\mathbf{z}/\partial\mathbf{y})_{ij} = \partial z_j/\partial y_i = A_{ji}$. It agrees with (3): "
            r"in this layout the chain rule reads $\partial z/\partial\mathbf{y} = "
            r"(\partial\mathbf{A}\mathbf{y}/\partial\mathbf{y})\,\mathbf{x} = \mathbf{A}^{\top}\mathbf{x}$."
        ),
        Mistake(
            r"To answer $\mathbf{A}$, of size $m\times n$. That is the numerator layout, and the formulae "
            r"printed with the question show the other one; with it the chain rule for (3) would give $\mathbf{A}\mathbf{x}$, whose sizes do not "
            r"even fit unless $m = n$. Tools differ too: "
            r"\texttt{torch.autograd.functional.jacobian} returns $\mathbf{A}$, SymPy's "
            r"\texttt{(A*y).diff(y)} returns $\mathbf{A}^{\top}$. Say which layout you use."
        ),
    )


def cross_entropy(settings):
    """1.2: the Bernoulli likelihood, its logarithm, and the loss."""
    minimum = likelihoods.expected_loss_minimum()
    return Answer(
        "1.2",
        "Deriving the cross-entropy loss",
        (
            Question("(i)", r"An expression for $p(y\mid x)$ in terms of $y$ and $\hat{y}$, and its justification."),
            Text(
                r"The classifier's output is its probability of the label $1$: $\hat{y} = p(y = 1\mid x)$, a number in "
                r"$(0, 1)$. So $y$ given $x$ is a Bernoulli variable with parameter $\hat{y}$, which takes the value "
                r"$1$ with probability $\hat{y}$ and $0$ with probability $1 - \hat{y}$. One formula covers both cases, "
                r"because a power with exponent $0$ is $1$ and drops out:"
                r"\[\boxed{p(y\mid x) = \hat{y}^{\,y}\,(1 - \hat{y})^{1 - y}},\qquad y\in\{0, 1\}.\]"
                r"Put in the two labels:"
            ),
            Work(likelihoods.bernoulli_case(1), "p", box=False),
            Work(likelihoods.bernoulli_case(0), "p", box=False),
            Text(
                r"The two probabilities add up to $1$, as they must. At $\hat{y} = 0$ and $\hat{y} = 1$ read $0^0$ as "
                r"$1$. (The sheet calls $p(y\mid x)$ the probability of ``an observation $\hat{y}$''; it is the "
                r"probability of the \emph{label} $y$ under the Bernoulli law whose parameter is $\hat{y}$.)"
            ),
            Mistake(
                r"To quote the formula and ``believe it is correct''. The two cases are the whole justification, and "
                r"they take one line each."
            ),
            Question("(ii)", r"The log-likelihood $\log p(y\mid x)$, which is to be maximised."),
            Work(likelihoods.bernoulli_log_likelihood(), r"\log p"),
            Text(
                r"The logarithm is the natural one. At $\hat{y}\in\{0, 1\}$ read $0\cdot\log 0$ as $0$; then only a classifier "
                r"that is certain \emph{and wrong} has the log-likelihood $-\infty$."
            ),
            Mistake(
                r"To name $\log(ab) = \log a + \log b$ only. The second law, $\log a^b = b\log a$, is what brings $y$ and "
                r"$1 - y$ down; and the value $-\infty$ deserves a word."
            ),
            Question("(iii)", r"The loss $L(y, \hat{y})$, which is to be minimised."),
            Text(
                r"Minus the logarithm turns the one into the other: $-\log$ is strictly decreasing, so the $\hat{y}$ "
                r"with the largest likelihood has the smallest loss."
            ),
            Work(likelihoods.bernoulli_loss(), "L"),
            Text(
                r"That is the loss of one example. The likelihood of $n$ independent examples is the product of "
                r"theirs, its logarithm is a sum, and the loss of a data set is, divided by $n$ so that it does not grow "
                r"with the data, \[\bar{L} = -\tfrac{1}{n}\log\prod_{i=1}^{n}p(y_i\mid x_i) = "
                r"\tfrac{1}{n}\sum_{i=1}^{n}L(y_i, \hat{y}_i).\] With the labels and predictions in vectors "
                r"$\mathbf{y}$ and $\hat{\mathbf{y}}$, powers and products taken entry by entry:"
            ),
            Work(likelihoods.bernoulli_mean_loss(), r"\bar{L}"),
            Mistake(
                r"To stop at one example. ``The loss'' of a classifier is that of its data, and the step from the one "
                r"to the other needs the examples to be independent."
            ),
            Text(
                r"\textbf{What training uses.} Three consequences are worth having. First, the slope. With "
                r"$\hat{y} = \sigma(\eta)$ for a logit $\eta$ it becomes as simple as it can be, and bounded:"
            ),
            Work(likelihoods.bernoulli_gradient(), "L", box=False),
            Work(likelihoods.logistic_gradient(), "L", box=False),
            Text(
                r"Second, the loss of a logit can be computed without ever taking the logarithm of zero. At $\eta = 40$ "
                r"and $y = 0$ the naive form is infinite already in double precision, because $1 - \sigma(40)$ rounds to "
                r"zero (for $y = 1$ it is $0\cdot\infty$, not a number). The last line below is finite for every $\eta$; "
                r"it is what \texttt{BCEWithLogitsLoss} computes, while \texttt{BCELoss}, which gets $\hat{y}$ itself, "
                r"has to cut its logarithms off at $-100$. It rests on $\log\sigma(\eta) = \eta - "
                r"\operatorname{softplus}(\eta)$ and $\log(1 - \sigma(\eta)) = -\operatorname{softplus}(\eta)$:"
            ),
            Work(likelihoods.stable_loss(), "L", box=False),
            Text(
                r"Third, in the form of the third line the loss is convex in the logit, for its second derivative is "
                r"positive:"
            ),
            Work(likelihoods.logistic_curvature(), "L", box=False),
            Text(
                r"\textbf{Why this loss asks for probabilities.} Let the label be $1$ with probability $q$. The expected "
                r"loss is the entropy of $q$ plus the Kullback--Leibler divergence of $\hat{y}$ from $q$, so it is "
                r"smallest at $\hat{y} = q$: the best thing a classifier can say is the truth (a \emph{proper scoring "
                r"rule}). Its derivatives say the same:"
            ),
            Work(minimum.curvature, r"\mathbb{E}L", box=False),
            Text(
                r"The slope vanishes at $\hat{y} = q$ only, and the second derivative is positive everywhere in $(0, 1)$."
            ),
        ),
    )


def perfect_classifier(settings):
    """1.3: 100 % on the training set, 20 % on the test set."""
    best = {n: expected_best_score(100, 0.2, n) for n in (100, 1000, 5000)}
    return Answer(
        "1.3",
        "Perfect classifier (?)",
        (
            Text(
                r"The gap between 100\,\% and 20\,\% is overfitting: the model remembers its training images instead of "
                r"learning what they have in common. That diagnosis supposes that both sets come from the same distribution. "
                r"Whether 20\,\% is bad depends on the number of classes: with ten it is twice what guessing gives, with "
                r"two it is far \emph{below} guessing, and then a bug in the labels, the preprocessing or the test set "
                r"is likelier than overfitting; look there first."
            ),
            Question("(1)", r"More training data."),
            Text(
                r"\textbf{This may well help.} More examples make memorising harder and what the examples share easier "
                r"to see: the part of the error that comes from having seen too little falls as $n$ grows. Two limits: "
                r"the new data must come from the distribution of the test set, and the fall need not be "
                r"monotone; around the point where a model can just fit its data exactly, more data can hurt for a "
                r"while (Nakkiran et al., 2020)."
            ),
            *evidence.compared(
                settings, "more-data", ("500 images", "8,000 images"), ("8,000 images", "40,000 images")
            ),
            Mistake(r"``I think I once heard that more samples help'': hearsay. The reason is what counts here."),
            Question("(2)", r"L2 regularisation."),
            Text(
                r"\textbf{This may help.} Adding $\lambda\mathbf{w}^{\top}\mathbf{w}$ to the loss makes large weights "
                r"expensive, so that of all the functions that fit the data a smoother one wins (3.3 shows what it does "
                r"to each update). Training accuracy may fall a little; "
                r"that is an acceptable price. A $\lambda$ that is too large underfits; choose it on validation data."
            ),
            *evidence.compared(
                settings,
                "weight-decay",
                ("weight decay 0", "weight decay 0.003"),
                ("weight decay 0", "weight decay 0.01"),
                ("weight decay 0", "weight decay 0.03"),
            ),
            Mistake(
                r"To give a name, ``ridge regression'', in the place of a mechanism. Penalised weights make the function "
                r"smoother; that is why it may generalise better."
            ),
            Question("(3)", r"A bigger model."),
            Text(
                r"\textbf{Unlikely to help by itself.} The training accuracy is 100\,\% already: there is no training "
                r"error left to gain, and more capacity makes memorising easier still. It is not a law of nature, "
                r"though. Past the size at which a model can fit all its data, test error can fall again with size "
                r"(Belkin et al., 2019; Nakkiran et al., 2020)."
            ),
            *evidence.compared(settings, "width", ("width 0.25", "width 1"), ("width 1", "width 4")),
            Mistake(
                r"``It will not help, simple models are better'' as a universal statement. As a first guess for this "
                r"classifier it is sound; as a law it is refuted by double descent."
            ),
            Question("(4)", r"A validation set, keeping the model that is best on it."),
            Text(
                r"\textbf{It may help, if there is something to choose from.} Selecting by training accuracy cannot "
                r"tell a model that generalises from one that memorises, since both have 100\,\%; selecting by "
                r"accuracy on images held out of training can: an earlier epoch, another $\lambda$, another model. It "
                r"improves nothing if all candidates memorise, and it costs the training data that are set aside."
            ),
            *evidence.compared(settings, "selection", ("last epoch", "best epoch on validation")),
            Text(
                r"The score of the model that won is, however, \emph{not} an unbiased estimate of its accuracy: the "
                r"winner was also lucky. Take 100 models with independent errors, all of true accuracy 0.200. The best of them scores, "
                rf"in expectation, {best[100]:.3f} on 100 validation images, {best[1000]:.3f} on 1000 and "
                rf"{best[5000]:.3f} on 5000. In general $\mathbb{{E}}\max_i \ge \max_i\mathbb{{E}}$. So a third set, "
                r"the test set, is looked at once, at the end."
            ),
            Checked(r"Computed from the binomial distribution; the tests repeat the first two by simulation."),
            Mistake(
                r"To call the validation score of the selected model ``an unbiased estimate'' (it is biased upwards, "
                r"as above), and to expect that it shows ``convergence to a local minimum'': that is a statement about "
                r"the training loss."
            ),
        ),
    )
