"""What the best validation score of many models is worth."""

from fractions import Fraction
from math import comb


def expected_best_score(models: int, accuracy: Fraction, examples: int) -> float:
    """The expected highest validation accuracy of models that all have the same true accuracy.

    The scores are independent, each the mean of `examples` Bernoulli trials:
    E max = sum over k of P(max > k) / examples, with P(max <= k) = F(k)^models.
    Source: David & Nagaraja (2003), Order Statistics, 3.1.
    """
    accuracy = Fraction(accuracy)
    hit, miss = accuracy.numerator, accuracy.denominator - accuracy.numerator
    total = accuracy.denominator**examples
    cumulative, expected = 0, 0.0
    for k in range(examples):
        cumulative += comb(examples, k) * hit**k * miss ** (examples - k)
        expected += 1 - (cumulative / total) ** models
    return expected / examples
