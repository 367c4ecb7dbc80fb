"""Answers 2.1 to 2.4: the CIFAR-10 classifier in PyTorch."""

from derivations.answers import diagrams, evidence
from derivations.answers.parts import Answer, Checked, Code, Figure, Mistake, Question, Table, Text
from derivations.topics.networks import Flatten, Linear, first_linear_inputs, lenet, propagate

IMAGE = (3, 32, 32)


def loading(settings):
    """2.1: what Normalize does, and how many images there are."""
    return Answer(
        "2.1",
        "Loading data",
        (
            Question("(i)", r"What does \texttt{transforms.Normalize} do, and how does it change for grey images?"),
            Text(
                r"It takes an image as a float tensor and computes, channel by channel,"
                r"\[\boxed{\text{output}_c = \frac{\text{input}_c - \text{mean}_c}{\text{std}_c}}\]"
                r"The arguments are what is subtracted and what is divided by. With mean and std 0.5 for each channel, "
                r"as in PyTorch's tutorial, pixels in $[0, 1]$ are mapped to $[-1, 1]$. Inputs of size about one, centred at "
                r"zero, keep the first layer's gradients well scaled. A grey image has one channel, so one number each: "
                r"\texttt{transforms.Normalize((0.5,), (0.5,))}."
            ),
            Text(
                r"A tuple of one number also works on a colour image, silently: it is broadcast over the channels. A "
                r"tuple of three on a grey image raises an error in \texttt{transforms} (\texttt{transforms.v2} broadcasts that "
                r"too), and a std of zero raises one."
            ),
            Mistake(
                r"``It normalises images so that they have a predefined mean and standard deviation.'' The result has "
                r"mean 0 and deviation 1 only if the arguments are the statistics of the data; with 0.5 and 0.5 it "
                r"generally has neither."
            ),
            Question("(ii)", r"Print the number of training and test samples."),
            Text(r"With the data sets and loaders of the tutorial,"),
            Code("setup.py"),
            Text(r"the numbers of images are the lengths of the data sets:"),
            Code("counts.py"),
            Checked(r"The tests run the second listing on small stand-in data."),
            Mistake(
                r"\texttt{len(train\_loader)} is the number of \emph{batches}, $\lceil N/B\rceil$: with batches of 4 it "
                r"prints 12500 and 2500 instead of 50000 and 10000."
            ),
        ),
    )


def _arrow(row):
    layer = row.layer
    kind = type(layer).__name__
    if kind == "Conv2d":
        return f"conv {layer.kernel_size}x{layer.kernel_size}, ReLU"
    if kind == "Linear":
        return "fc" if row.name == "fc3" else "fc, ReLU"
    return {"MaxPool2d": "max-pool", "Flatten": "flatten"}[kind]


def _shape(shape):
    return r"$" + r"\times ".join(map(str, shape)) + r"$"


ACTIVATION_AFTER = {"conv1": "ReLU", "conv2": "ReLU", "fc1": "ReLU", "fc2": "ReLU"}


def _layer_table(rows):
    """One row for each layer with a name, and for the flattening."""
    cells = []
    for row in rows:
        layer = row.layer
        name = row.name if not row.name.startswith("layer") else "flatten"
        what = {
            "Conv2d": lambda c: f"convolution {c.in_channels} to {c.out_channels}, $5\\times 5$, stride 1, no padding",
            "MaxPool2d": lambda _: r"max-pooling $2\times 2$, stride 2",
            "Flatten": lambda _: "reshape",
            "Linear": lambda f: f"fully connected, {f.in_features} to {f.out_features}",
        }.get(type(layer).__name__)
        if what is None:
            continue
        cells.append(
            (
                rf"\texttt{{{name}}}",
                what(layer),
                ACTIVATION_AFTER.get(name, "none"),
                _shape(row.output_shape),
                diagrams.thousands(row.parameters),
            )
        )
    return Table("lllrr", ("layer", "type", "activation", "output", "parameters"), tuple(cells))


def architecture(settings):
    """2.2: the network, padding, pooling, kernels of three, and what has no gradients."""
    rows = propagate(lenet(), IMAGE)
    blocks = [("input", IMAGE)] + [(_arrow(r), r.output_shape) for r in rows if type(r.layer).__name__ != "ReLU"]
    total = sum(r.parameters for r in rows)
    work = sum(r.multiply_adds for r in rows)
    narrow = [r for r in propagate(_features(lenet(kernel_size=3)), IMAGE) if type(r.layer).__name__ != "ReLU"]
    sizes = r" \to ".join(str(s) for s in [32, *(r.output_shape[1] for r in narrow)])
    channels, side, _ = narrow[-1].output_shape
    needed = first_linear_inputs(lenet(kernel_size=3), IMAGE)
    return Answer(
        "2.2",
        "Classifier architecture",
        (
            Text(
                r"The cell with the network is not part of the hand-out; we assume the network of PyTorch's CIFAR-10 tutorial, "
                r"a descendant of LeNet-5, which the attempt's description fits."
            ),
            Question("1.", r"Describe the architecture."),
            Figure(
                diagrams.network_shapes(blocks),
                r"The feature maps of the network, channels $\times$ height $\times$ width.",
            ),
            _layer_table(rows),
            Text(
                rf"Together {diagrams.thousands(total)} parameters and {diagrams.thousands(work)} multiply-adds for an image. One "
                r"pooling module is used twice (\texttt{pool1} and \texttt{pool2} in the table, \texttt{self.pool} in the "
                r"code); it has nothing to learn. The ReLUs stand after \texttt{conv1}, "
                r"\texttt{conv2}, \texttt{fc1} and \texttt{fc2}. The last layer gives ten logits without activation: "
                r"the softmax is inside \texttt{CrossEntropyLoss}."
            ),
            Code("network.py"),
            Checked(
                r"The tests run this network and compare the shape and the parameters of every layer with the table."
            ),
            Mistake(
                r"To say of \texttt{fc1} and \texttt{fc2} ``no activation is applied here'' and at the end ``ReLU after "
                r"fc1 and fc2''. Only one can be true, and the shapes, the flattening and the meaning of \texttt{fc3}'s "
                r"outputs belong to a description as well."
            ),
            Question("2.", r"What does the padding parameter control?"),
            Text(
                r"How many pixels are added on each side of the input before the window moves over it, zeros by default "
                r"(\texttt{padding\_mode}). It may be a number, a pair, \texttt{'valid'} (none) or \texttt{'same'}. So it "
                r"controls the size of the output, by the formula of 3.2. The size is preserved for every "
                r"input exactly when the stride is 1 and $2P = D(K - 1)$, for a $5\times 5$ kernel with $P = 2$. This network "
                r"uses $P = 0$, so each convolution makes the sides four pixels shorter."
            ),
            Mistake(
                r"To say that padding preserves the size. It does so for one value of $P$; in this network, without padding, it does not."
            ),
            Question("3.", r"Explain the max-pool layer."),
            Text(
                r"A window of $2\times 2$ moves in steps of 2 and passes on the largest of its four values, in each "
                r"channel by itself: in general $\lfloor (H - K)/S\rfloor + 1$ pixels remain per side, here exactly half, 28 to "
                r"14 and 10 to 5. It makes the following layers cheaper and the response less sensitive to small "
                r"shifts. There is nothing to learn in it."
            ),
            Question("4.", r"What happens with kernels of size 3 and nothing else changed?"),
            Text(
                rf"The feature maps become larger: their sides are ${sizes}$, so \texttt{{conv2}} and its pooling leave "
                rf"${channels}\times {side}\times {side}$ and flattening gives {channels * side * side} numbers, while "
                r"\texttt{fc1} expects 400. (Each convolution takes off two pixels, each pooling halves and rounds down.) "
                r"\textbf{A test input cannot pass.}"
            ),
            Text(
                r"What PyTorch says depends on how the network flattens. With \texttt{torch.flatten(x, 1)} the shapes "
                rf"do not meet in \texttt{{fc1}} ($4\times {needed}$ by $400\times 120$ for a batch of four). With "
                r"\texttt{x.view(-1, 400)} an error is raised unless 25 divides the batch size; for a batch of 25 the "
                r"view \emph{succeeds silently}, makes 36 rows out of 25 images, and fails only in the loss. Any one of "
                r"these mends it:"
                r"\begin{itemize}"
                rf"\item \texttt{{fc1 = nn.Linear({needed}, 120)}}, and {needed} in the view, if there is one;"
                r"\item \texttt{dilation=2} in both convolutions: a kernel of 3 then spans 5 pixels, as before;"
                r"\item \texttt{nn.AdaptiveAvgPool2d(5)} before flattening, which makes $5\times 5$ of anything."
                r"\end{itemize}"
                r"Then the output is $B\times 10$, as before. Padding does not help, it makes the maps larger still: "
                r"none of 0 to 3 leads to $5\times 5$."
            ),
            Checked(r"The tests run every one of these cases, the silent view among them."),
            Mistake(
                r"To compute no number, and to change the view only: then $4\times 576$ meets $400\times 120$ in \texttt{fc1}. And to say that "
                r"\texttt{conv2} gives $16\times 5\times 5$: that is what the pooling after it gives; \texttt{conv2} "
                r"itself gives $16\times 10\times 10$."
            ),
            Question("5.", r"Which layer needs no additional gradients in the backward pass?"),
            Text(
                r"The layers without parameters: the pooling (and the ReLUs and the reshape). No parameter gradient has "
                r"to be computed or stored for them. They do pass gradients \emph{through}: max-pooling sends the "
                r"gradient of each output to the position of the maximum and zero to the others. Without that, "
                r"\texttt{conv1} and \texttt{conv2} would get no gradient at all."
            ),
            Mistake(
                r"To give as the reason that max-pooling is ``a non-linear operation''. Linearity is beside the point: "
                r"average pooling is linear and has no parameter gradient either, PReLU is non-linear and has one. And it is "
                r"not true that nothing is computed: the gradient is routed to the maxima."
            ),
        ),
    )


def _features(network):
    return [layer for layer in network if not isinstance(layer, (Flatten, Linear))]


def training(settings):
    """2.3: the training loop, on the CPU and on the GPU."""
    return Answer(
        "2.3",
        "Training the network",
        (
            Question("(i)", r"Train on the CPU for 3 epochs and plot the loss against the epochs."),
            Code("training.py"),
            Code("first_run.py"),
            *_measured(settings, "first-run"),
            Mistake(
                r"Five bugs are easy to make here. \texttt{Net().cuda()} is not a CPU run, and fails where there is no "
                r"GPU. Storing the \emph{sum} of 250 losses plots a constant loss of 2 as 500. Computing the epoch's "
                r"loss from a running sum that has just been reset prints 0.0000 every epoch when 250 divides the "
                r"number of batches (12500 batches of 4), and a fraction of the true mean otherwise. The list of "
                r"the epochs' losses is filled and never plotted. And an axis that counts blocks of 250 is not an axis of "
                r"epochs."
            ),
            Question("(ii)", r"What changes for the GPU? Train for 20 epochs."),
            Text(
                r"The parameters and every batch have to be on the device. In the function above, these are the lines "
                r"with \texttt{.to(device)}; with \texttt{.cuda()} they would read \texttt{net.cuda()} and "
                r"\texttt{images, labels = images.cuda(), labels.cuda()}. Everything else stays as it is:"
            ),
            Code("gpu_run.py"),
            Mistake(
                r"To go on with the network and the optimiser of (i): the 20 epochs are then epochs 4 to 23, "
                r"from a state that no seed describes. A new run starts with a new network and a new optimiser. To move the "
                r"inputs without naming the network is half of the lines asked for, and the epoch's loss is still wrong."
            ),
            Question("(iii)", r"Why must the gradients be reset for each pass?"),
            Text(
                r"Because \texttt{backward()} \emph{adds} to \texttt{.grad}. Without a reset, the step uses the sum of "
                r"all gradients so far; with plain SGD that is momentum with $\mu = 1$, which never forgets. The adding is a "
                r"feature where it is wanted: four micro-batches whose losses are divided by 4 give the gradient of one "
                r"batch four times as large, in about a quarter of the memory for activations (with parts of equal size and "
                r"without batch normalisation). Since PyTorch 2.0, \texttt{zero\_grad()} sets the gradients to \texttt{None}, "
                r"which also saves writing zeros."
            ),
            Checked(
                r"The tests run the code on small data, and show both statements: no reset equals momentum 1, and four "
                r"micro-batches equal one batch."
            ),
        ),
    )


def testing(settings):
    """2.4: the test accuracy, and four configurations compared."""
    return Answer(
        "2.4",
        "Testing the network",
        (
            Question("(i)", r"The accuracy on the whole test set."),
            Code("accuracy.py"),
            Checked(r"The tests run this code and compare it with a count by hand."),
            Mistake(
                r"After training on the GPU, \texttt{net(images)} with images on the CPU raises an error. Leaving out "
                r"\texttt{net.eval()} does no harm in this network, which has neither dropout nor batch "
                r"normalisation, and would be wrong in a network that has them. \texttt{torch.max(outputs.data, 1)} is dated, "
                r"\texttt{argmax} says what is meant. And \texttt{'\%d'} prints 65.97 as 65."
            ),
            Question("(ii)", r"Batches of 4 and 16, 5 and 20 epochs: test accuracies and loss curves."),
            Code("four_runs.py"),
            *_measured(settings, "homework"),
            Mistake(
                r"To call \texttt{train(\dots)} and then plot the list \texttt{running\_loss\_list}: the list "
                r"inside the function is local, so all four plots show the same old curve of 2.3. A fresh \texttt{Net()} "
                r"has its parameters on the CPU, so \texttt{net.cuda() if next(net.parameters()).is\_cuda else net} never "
                r"moves it, and the test runs on the CPU; \texttt{torch.load} of a GPU's checkpoint needs "
                r"\texttt{map\_location} there. One checkpoint path for four runs keeps the last one only; at batch 16, 125 "
                r"mini-batches of each epoch are missing from the log; ``a minibatch of size 250'' means 250 mini-batches. "
                r"And the accuracies and curves, which the question asks for, are not reported; without seeds and with one "
                r"run each they could not be compared."
            ),
            Question("(iii)", r"Explain what you see."),
            *_observations(settings),
        ),
    )


def _measured(settings, experiment):
    """The table and the curves of an experiment, or a plain word that it was not run."""
    rows = evidence.table(settings, experiment)
    return (*rows, *evidence.curves(settings, experiment)) if rows else (evidence.missing(experiment),)


# (what differs, the one configuration, the other); a configuration is (experiment, name).
CONTRASTS = (
    ("batch 4: 5 to 20 epochs", ("homework", "batch 4, 5 epochs"), ("homework", "batch 4, 20 epochs")),
    ("batch 4: 10 to 20 epochs", ("control", "batch 4, 10 epochs"), ("homework", "batch 4, 20 epochs")),
    ("batch 16: 5 to 20 epochs", ("homework", "batch 16, 5 epochs"), ("homework", "batch 16, 20 epochs")),
    ("5 epochs: batch 4 to 16", ("homework", "batch 4, 5 epochs"), ("homework", "batch 16, 5 epochs")),
    ("20 epochs: batch 4 to 16", ("homework", "batch 4, 20 epochs"), ("homework", "batch 16, 20 epochs")),
    (
        "equal updates: batch 4, 5 epochs, to batch 16, 20 epochs",
        ("homework", "batch 4, 5 epochs"),
        ("homework", "batch 16, 20 epochs"),
    ),
    (
        r"equal $\alpha/B$, 5 epochs: batch 4 to 16",
        ("homework", "batch 4, 5 epochs"),
        ("control", "batch 16, 5 epochs, 4 times the rate"),
    ),
    (
        r"equal $\alpha/B$, 20 epochs: batch 4 to 16",
        ("homework", "batch 4, 20 epochs"),
        ("control", "batch 16, 20 epochs, 4 times the rate"),
    ),
    (
        r"equal $\alpha/B$, 20 epochs: batch 16 to 4",
        ("homework", "batch 16, 20 epochs"),
        ("control", "batch 4, 20 epochs, a quarter of the rate"),
    ),
)


def _observations(settings):
    steps = {(b, e): e * 50000 // b for b in (4, 16) for e in (5, 20)}
    design = Text(
        r"First, what can be concluded at all. Changing the batch size also changes the number of steps. At the fixed learning rate "
        r"$\alpha = 0.001$, the step per example, $\alpha/B$, is $2.5\cdot 10^{-4}$ for batches of 4 and "
        r"$6.25\cdot 10^{-5}$ for batches of 16, and the numbers of steps are "
        + ", ".join(rf"{diagrams.thousands(n)} (batch {b}, {e} epochs)" for (b, e), n in sorted(steps.items()))
        + r". Batches of 4 for 5 epochs and of 16 for 20 epochs make the same number of steps. So ``a larger batch is "
        r"better'' cannot be read off a comparison at equal epochs: at a fixed learning rate the larger batch trains "
        r"less. To compare batch sizes, scale the learning rate with them, and repeat each run with several seeds; the "
        r"differences between seeds are the yardstick."
    )
    reading = Text(
        r"Second, how to read the curves. As long as training loss and test error fall together, more epochs help. When "
        r"the training loss goes on falling and the test accuracy stays or drops, the network overfits; that is a "
        r"statement about two curves and cannot be made from the training loss alone. And no accuracy is good or "
        r"bad by itself: guessing gives 10\,\%."
    )
    separated = evidence.table(settings, "control")
    differences = evidence.contrasts(settings, CONTRASTS)
    return (
        design,
        *(
            (Text(r"The control that separates them, measured like the four configurations:"), *separated)
            * bool(separated)
        ),
        reading,
        *(evidence.overfitting(settings, "homework", "batch 4, 5 epochs", "batch 4, 20 epochs")),
        *(evidence.overfitting(settings, "homework", "batch 16, 5 epochs", "batch 16, 20 epochs")),
        *((_yardstick(), *differences) * bool(differences)),
        Mistake(
            r"To say that more epochs are better and may also overfit, and that the larger batch is best: claims that "
            r"contradict each other, without a number for any. And to call 65\,\% ``pretty bad'' without the 10\,\% that "
            r"guessing gives."
        ),
    )


def _yardstick():
    return Text(
        r"Third, what these runs allow to say. A difference of test accuracies is given with its standard error, from the "
        rf"spread of the seeds; one of less than {evidence.CERTAIN} standard errors (Student's $t$, two groups of three "
        r"seeds, 95\,\%) says nothing. Where the updates or $\alpha/B$ are made equal, what is left of a difference is "
        r"the doing of the batch."
    )
