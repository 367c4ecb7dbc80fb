"""All answers, in the order of the document."""

from dataclasses import dataclass

from derivations.answers import adversarial, basics, classifier, interview


@dataclass(frozen=True)
class Settings:
    """layout: "denominator" or "numerator"; results: the folder of measured results, or None."""

    layout: str = "denominator"
    results: str | None = None


# number -> a function of the Settings that gives the Answer
ANSWERS = {
    "1.1": basics.gradients,
    "1.2": basics.cross_entropy,
    "1.3": basics.perfect_classifier,
    "2.1": classifier.loading,
    "2.2": classifier.architecture,
    "2.3": classifier.training,
    "2.4": classifier.testing,
    "3.1": interview.batch_normalisation,
    "3.2": interview.filter_sizes,
    "3.3": interview.decay,
    "3.4": interview.why_cnns,
    "4.1": adversarial.loss_function,
    "4.2": adversarial.gradients,
    "4.3": adversarial.input_distributions,
}
