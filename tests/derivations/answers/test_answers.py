"""Every derivation of the document is proven by both kinds of witness, and the answers hold what they must."""

import re

import pytest

from derivations.answers.contents import ANSWERS, Settings
from derivations.answers.document import fragment
from derivations.answers.parts import Mistake, Question, Work
from derivations.derivation import Derivation
from derivations.verification import verify

BUILT = {number: make(Settings()) for number, make in ANSWERS.items()}
NUMERATOR = ANSWERS["1.1"](Settings(layout="numerator"))
DERIVATIONS = [
    pytest.param(d, id=f"{answer.number}-{place}")
    for answer in [*BUILT.values(), NUMERATOR]
    for place, d in enumerate(answer.derivations, start=1)
]


@pytest.mark.parametrize("derivation", DERIVATIONS)
def test_both_witnesses_prove_every_derivation(derivation):
    verification = verify(derivation)
    assert verification.passed, str(verification)
    assert len(verification.witnesses) == 2


@pytest.mark.parametrize("derivation", DERIVATIONS)
def test_a_derivation_takes_a_page_at_most_and_no_line_stands_still(derivation):
    assert 1 <= len(derivation.steps) <= 9
    assert all(step.before != step.after for step in derivation.steps)


def test_the_questions_of_the_homework_are_all_answered():
    assert ",".join(ANSWERS) == "1.1,1.2,1.3,2.1,2.2,2.3,2.4,3.1,3.2,3.3,3.4,4.1,4.2,4.3"
    assert all(answer.number == number for number, answer in BUILT.items())
    assert all(any(isinstance(p, Question) for p in a.parts) for a in BUILT.values())
    assert all(any(isinstance(p, Mistake) for p in a.parts) for a in BUILT.values())


RESULTS = {
    "1.1": ["2*x", "2*A", "A'*x", "A'"],
    "1.2": ["yhat", "1 - yhat", "y*log(yhat) + (1 - y)*log(1 - yhat)", "-y*log(yhat) - (1 - y)*log(1 - yhat)"],
    "3.2": ["62"],
    "4.2": ["(1 - b_r)*r' - b*y'", "-b*(step(W_g*x) .* W_d')*x'", "-(1 - b)*(step(W_g*x) .* W_d')*x'"],
}


@pytest.mark.parametrize("number", RESULTS)
def test_the_results_are_in_their_simplest_usual_form(number):
    found = [d.to_text() for d in BUILT[number].derivations[: len(RESULTS[number])]]
    assert found == RESULTS[number]


def test_the_numerator_layout_transposes_the_four_gradients():
    assert [d.to_text() for d in NUMERATOR.derivations] == ["2*x'", "2*A'", "x'*A", "A"]


def test_minus_log_four_is_derived():
    final = next(p.derivation for p in BUILT["4.1"].parts if getattr(p, "name", "") == r"V(D^{\star}, G^{\star})")
    assert isinstance(final, Derivation)
    assert final.to_text() == "-log(4)"


@pytest.mark.parametrize("number", BUILT)
def test_latex_of_an_answer_is_balanced(number):
    answer = BUILT[number]
    text = fragment(answer, ["proven"] * len(answer.derivations))
    # Code is shown verbatim.
    text = re.sub(r"\\begin\{lstlisting\}.*?\\end\{lstlisting\}", "", text, flags=re.S)
    bare = re.sub(r"\\[{}]", "", text)
    assert bare.count("{") == bare.count("}")
    assert sorted(re.findall(r"\\begin\{(\w+\*?)\}", text)) == sorted(re.findall(r"\\end\{(\w+\*?)\}", text))
    assert text.count(r"\boxed") >= sum(isinstance(p, Work) and p.box for p in answer.parts)
    assert "^{T}" not in text and r"^{\top})^{-1}" not in text
