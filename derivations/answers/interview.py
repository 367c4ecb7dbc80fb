"""Answers 3.1 to 3.4: batch normalisation, convolution sizes, weight decay, and why CNNs."""

from derivations.answers import diagrams, evidence
from derivations.answers.parts import Answer, Checked, Figure, Mistake, Question, Text, Work
from derivations.topics import batch_norm, convolution, weight_decay
from derivations.topics.networks import (
    Conv2d,
    convolution_parameters,
    lenet,
    linear_parameters,
    propagate,
)


def batch_normalisation(settings):
    """3.1: why it regularises, and training against inference."""
    return Answer(
        "3.1",
        "Batch normalisation",
        (
            Text(
                r"For one feature over a batch, $\mathbf{x}$ with $N$ entries, batch normalisation computes the mean "
                r"$m$, the deviation $s$, the normalised $\hat{\mathbf{x}} = (\mathbf{x} - m\mathbf{1})/s$, and passes "
                r"on $\gamma\hat{\mathbf{x}} + \beta\mathbf{1}$, with $\gamma$ and $\beta$ learnt."
            ),
            Question("(i)", r"Why does it act as a regulariser?"),
            Text(
                r"Because $m$ and $s$ are those of the batch, and the batch is drawn at random. The same image gets a "
                r"slightly different $\hat{x}$ each time it is seen, depending on the other images of its batch: noise is "
                r"injected into every layer, and a network that has to live with noise cannot rely on fine details of "
                r"single activations. How much noise? To first order in the deviations of $m$ and $s$, for an "
                r"activation $x$ in a batch of $B$ whose values are standard normal, we need the slopes of $\hat{x} = (x - m)/s$,"
            ),
            *(Work(slope, r"\hat{x}", box=False) for slope in batch_norm.noise_slopes()),
            Text(
                r"and the variances of the mean and of the deviation of $B$ standard normal numbers, which are independent: "
                r"$\operatorname{Var}m = 1/B$ and $\operatorname{Var}s \approx 1/(2B)$. Then $\operatorname{Var}\hat{x}$ is, "
                r"to first order, the sum of slope squared times variance:"
            ),
            Work(batch_norm.noise_variance(), r"\operatorname{Var}\hat{x}", where=True),
            Text(
                r"So the standard deviation is $\sqrt{(1 + x^2/2)/B}$: $0.0625$ at $x = 0$ for $B = 256$. The noise "
                r"shrinks as the batch grows, which is why very large batches regularise less. The second effect is "
                r"invariance to scale: multiplying the weights before the normalisation by $c$ changes nothing in the "
                r"output, so their gradient is orthogonal to them and shrinks as $1/c$. Weight decay then acts through "
                r"the effective learning rate rather than by limiting what the network can express."
            ),
            Checked(
                r"The tests simulate the noise: at $B = 256$ the formula holds within 3\,\% at $x = 0$ and $x = 2$."
            ),
            *evidence.compared(
                settings,
                "batch-norm",
                ("lenet, batch 8", "lenet-bn, batch 8"),
                ("lenet-bn, batch 8", "lenet-bn, batch 128"),
                ("lenet, batch 8", "lenet, batch 128"),
            ),
            Mistake(
                r"To give ``it reduces internal covariate shift'' as the reason. That was the original motivation of "
                r"the method for faster training; it is not an argument for regularisation, and experiments dispute "
                r"that it even happens (Santurkar et al., 2018). The comparison with dropout is apt, but it needs the size of "
                r"the noise to mean something."
            ),
            Question("(ii)", r"Training versus inference."),
            Text(
                r"\textbf{Training} (\texttt{model.train()}): $m$ and $s$ are those of the current batch, with the "
                r"biased variance (divided by $N$), and gradients flow through both, as the derivation below shows. "
                r"Besides, running estimates are kept, with PyTorch's default momentum "
                r"$r \leftarrow 0.9\,r + 0.1\cdot\text{batch}$, with the unbiased variance. A batch needs more than one value per channel."
            ),
            Text(
                r"\textbf{Inference} (\texttt{model.eval()}): the running estimates take the place of the batch's. "
                r"The output of an example no longer depends on its companions, a single example will do, and the "
                r"layer is a fixed affine map of each channel,"
            ),
            Work(batch_norm.inference(), "y", box=False),
            Text(r"which can be folded into the linear layer before it:"),
            Work(batch_norm.folded(), "y"),
            Text(
                r"with $\mathbf{s} = \sqrt{\text{running variance} + \varepsilon}$ and $\boldsymbol{\mu}$ the running "
                r"mean: $\mathbf{W}' = \operatorname{diag}(\boldsymbol{\gamma}\oslash\mathbf{s})\mathbf{W}$ and "
                r"$\mathbf{b}' = \boldsymbol{\gamma}\odot(\mathbf{b} - \boldsymbol{\mu})\oslash\mathbf{s} + "
                r"\boldsymbol{\beta}$. Forgetting \texttt{eval()} is the classic bug: test results then depend on the batch size and "
                r"on the order of the test set."
            ),
            Mistake(
                r"To begin with ``however, at inference \dots'' and call the stored numbers ``population statistics'' "
                r"without saying where they come from. They are running averages of the batches seen in training; the "
                r"answer needs both halves, and the two calls that switch between them."
            ),
            Text(
                r"\textbf{The backward pass.} With $\mathbf{g} = \partial L/\partial\mathbf{y}$ from the layer above, "
                r"the gradients by the input and by the two parameters are those of $\mathbf{g}^{\top}\mathbf{y}$ at "
                r"constant $\mathbf{g}$. The mean and the component along $\hat{\mathbf{x}}$ are taken out of "
                r"$\mathbf{g}$: that is the effect of the batch's own statistics."
            ),
            Work(batch_norm.backward("x"), "L"),
            Work(batch_norm.backward("gamma"), "L", where=False),
            Work(batch_norm.backward("beta"), "L", where=False),
        ),
    )


def filter_sizes(settings):
    """3.2: the output size of a convolution, and the settings that halve 64 pixels."""
    layer = Conv2d(32, 64, 3, name="conv")
    (row,) = propagate((layer,), (32, 64, 64))
    channels, height, width = row.output_shape
    found = convolution.settings(64, 32, kernel=3)
    more = [s for s in convolution.settings(64, 32, kernel=3, max_padding=16) if s not in found]
    (only,) = found
    also = ", ".join(f"$({s.stride}, {s.padding})$" for s in more)
    return Answer(
        "3.2",
        "CNN filter sizes",
        (
            Text(
                r"A window of $K$ pixels, spread by the dilation $D$, starts at the left end of the padded input and "
                r"moves right by the stride $S$ as long as it fits. Counting its positions gives the size of the "
                r"output; the floor is there because the last step may not fit:"
                r"\[H_{\text{out}} = \left\lfloor\frac{H + 2P - D(K - 1) - 1}{S}\right\rfloor + 1.\]"
            ),
            Figure(
                diagrams.convolution_windows(8, 3, 2, 1),
                r"Eight pixels, padded by one on each side (dashed), and a kernel of three that moves by two: four "
                r"outputs, and one padded pixel that no window reaches (grey). That is what the floor drops.",
            ),
            Question("(i)", r"$64\times 64$ pixels, $K = 3$, no padding, stride 1."),
            Work(convolution.output_size_derivation(64, 3), "H_out", box=False),
            Text(
                rf"The width is the same, and there is one output channel for each of the 64 filters, so the output is "
                rf"\[\boxed{{{channels}\times{height}\times{width}}}\] "
                rf"The layer has {diagrams.thousands(row.parameters)} parameters and makes {diagrams.thousands(row.multiply_adds)} "
                r"multiply-adds."
            ),
            Question("(ii)", r"Padding and stride for an output of $64\times 32\times 32$."),
            Text(
                r"We need $\lfloor(61 + 2P)/S\rfloor + 1 = 32$, and by the definition of the floor that is "
                r"$31S \le 61 + 2P < 32S$. Which strides are possible at all? With $0 \le P \le K - 1 = 2$, beyond which a "
                r"window would see nothing but padding, $61 + 2P$ lies between 61 and 65, so"
            ),
            Work(convolution.stride_derivation(64, 32), "S", box=False),
            Text(r"With this stride, the padding follows from the floor:"),
            Work(convolution.padding_derivation(64, 32, 2), "P", box=False),
            Text(
                rf"So \[\boxed{{S = {only.stride},\quad P = {only.padding}}}\] and nothing else within $P \le K - 1$. "
                rf"Larger paddings would allow $(S, P)$ = {also} and so on, whose outermost windows see only zeros. "
                rf"Check: $\lfloor 63/2\rfloor + 1 = {convolution.output_size(64, 3, 2, 1)}$."
            ),
            Mistake(
                r"To leave out the floor. Then $(64 - 3 + 2P)/2 + 1 = 32$ gives $P = 0.5$, and ``rounding to 1'' is a "
                r"guess that happens to be right: rounding to 0, which is what Python's \texttt{round(0.5)} does, "
                r"gives 31 pixels. With the floor, $P = 0.5$ is not a near miss but the lower end of an interval that "
                r"contains one integer. "
            ),
            Text(
                r"$P = 0.5$ has an exact meaning, too: one padded pixel in all, on one side only, as TensorFlow's "
                rf"\texttt{{SAME}} padding has it. That gives $\lfloor 62/2\rfloor + 1 = "
                rf"{convolution.output_size(64, 3, 2, (0, 1))}$ pixels as well."
            ),
        ),
    )


def decay(settings):
    """3.3: L2 regularisation and weight decay."""
    return Answer(
        "3.3",
        "L2 regularisation and weight decay",
        (
            Question(
                "Question.", r"Why does adding $\lambda\mathbf{w}^{\top}\mathbf{w}$ to the loss make weights decay?"
            ),
            Text(
                r"Compare the two updates. The regularised loss $L' = L + \lambda\mathbf{w}^{\top}\mathbf{w}$ has the gradient"
            ),
            Work(weight_decay.penalised_gradient(), "L'", box=False),
            Text(r"so a step of gradient descent with learning rate $\alpha$, and its terms regrouped, is"),
            Work(weight_decay.gradient_descent(), "w_new"),
            Text(
                r"Without regularisation the factor in front of $\mathbf{w}$ is $1$. With it, every step first "
                r"multiplies the weights by $1 - 2\alpha\lambda$ and then takes the ordinary gradient step: that "
                r"multiplication is the decay. Where the loss is flat, nothing else happens, and the weights go to "
                r"zero geometrically, provided $0 < 2\alpha\lambda < 1$. For $2\alpha\lambda$ between 1 and 2 they flip their sign in each step while "
                r"they shrink, beyond 2 they diverge."
            ),
            Figure(
                diagrams.update_shrinkage(),
                r"$w \leftarrow (1 - 2\alpha\lambda)\,w$ for three values of $\alpha\lambda$, where $\partial L/\partial w = 0$.",
            ),
            Mistake(
                r"To stop at $w \leftarrow w - \alpha(\partial L/\partial w + 2\lambda w)$: the regrouping \emph{is} the "
                r"answer to ``compare the updates''. And ``the weights shrink with each update'' is not true as it "
                r"stands: they shrink relative to the step without regularisation, and only if $0 < 2\alpha\lambda < 1$. With "
                r"$\alpha = 0.1$, $\lambda = 0.5$ and the gradient $-1$, the weight $0.1$ becomes $0.19$: it grows (without "
                r"the penalty, to $0.20$)."
            ),
            Text(
                r"\textbf{Other optimisers.} With momentum $\mu$ and velocity $\mathbf{v}$ the same factor appears, but "
                r"the velocity also remembers earlier decay:"
            ),
            Work(weight_decay.momentum(), "w_new"),
            Text(
                r"With Adam it is lost. Adam divides the gradient $\mathbf{g}$ it is given, here $\partial L/\partial"
                r"\mathbf{w} + 2\lambda\mathbf{w}$, by its own size. In the first step from rest the corrected moments are "
                r"$\mathbf{g}$ and $\mathbf{g}^{\odot 2}$; in the first step from rest all that remains of "
                r"it is the sign. $\lambda$ may turn that sign, but it does not change how far the step goes:"
            ),
            Work(weight_decay.adam_first_step(), "w_new"),
            Text(
                r"AdamW therefore keeps the decay out of the gradient and shrinks the weights themselves, by a factor "
                r"$1 - \alpha\delta$ with its own parameter $\delta$:"
            ),
            Work(weight_decay.adamw_first_step(), "w_new"),
            Text(
                r"(There $\mathbf{g}$ is $\partial L/\partial\mathbf{w}$ alone.) In PyTorch's SGD and Adam, "
                r"\texttt{weight\_decay} adds $\texttt{weight\_decay}\cdot\mathbf{w}$ to the gradient, so for the $L'$ of this "
                r"question it is $2\lambda$, not $\lambda$; in AdamW it is $\delta$."
            ),
            Checked(r"The tests follow \texttt{torch.optim}'s SGD, SGD with momentum, Adam and AdamW step by step."),
        ),
    )


def why_cnns(settings):
    """3.4: two reasons for convolutions on images."""
    rows = propagate(lenet(), (3, 32, 32))
    shared = convolution_parameters(3, 6, 5)
    inputs, outputs = 3 * 32 * 32, 6 * 28 * 28
    dense = linear_parameters(inputs, outputs)
    field = next(r for r in rows if r.name == "pool2").receptive_field[0].size
    return Answer(
        "3.4",
        "Why CNNs?",
        (
            Question("Question.", r"Two reasons to prefer convolutions to fully connected layers for images."),
            Text(
                r"\textbf{1. Shared, local weights.} A filter looks at a small window and is the same at every "
                rf"position. The first layer of the network of 2.2 maps $3\times 32\times 32$ to $6\times 28\times 28$ "
                rf"with {shared} parameters; a fully connected layer between the same sizes has {diagrams.thousands(dense)}, "
                rf"about {diagrams.thousands(round(dense, -2) // shared // 100 * 100)} times as many. Fewer parameters need less "
                r"memory and, above all, fewer images to learn from."
            ),
            Text(
                r"\textbf{2. Translation equivariance, and a hierarchy of sizes.} Shift the image and the output of a "
                r"convolution shifts with it (up to the border): what is learnt at one place is known at all places. Stacked layers see "
                rf"more and more of the image (after the second pooling of that network, {field}$\times${field} "
                r"pixels), so that edges are put together into parts and parts into objects. Pooling and strides keep "
                r"the equivariance only for shifts by a multiple of the stride."
            ),
            Checked(
                r"The tests compare the counts with \texttt{numel()} of PyTorch's layers, the receptive field with autograd, and "
                r"the equivariance on random filters."
            ),
            *evidence.compared(settings, "architecture", ("fully connected", "LeNet")),
            Mistake(
                r"To credit the convolution with recognising objects ``at various scales and orientations''. It is "
                r"equivariant to translation only; rotate or enlarge an image and a random filter's response does not "
                r"follow. What networks know about rotation and scale they learn from data, often by augmentation."
            ),
        ),
    )
