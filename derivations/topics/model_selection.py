"""What the best validation score of many models is worth."""

from math import exp, lgamma, log, log1p


def expected_best_score(models: int, accuracy: float, examples: int) -> float:
    """The expected highest validation accuracy of models that all have the same true accuracy, in (0, 1).

    The scores are independent, each the mean of `examples` Bernoulli trials:
    E max = sum over k of P(max > k) / examples, with P(max <= k) = F(k)^models.
    Source: David & Nagaraja (2003), Order Statistics, 3.1.
    """
    hit, miss = log(accuracy), log1p(-accuracy)
    cumulative, expected = 0.0, 0.0
    for k in range(examples):
        choices = lgamma(examples + 1) - lgamma(k + 1) - lgamma(examples - k + 1)
        cumulative += exp(choices + k * hit + (examples - k) * miss)
        expected += 1 - min(cumulative, 1.0) ** models
    return expected / examples
