"""Solutions as people and programs read them."""

import json
from dataclasses import asdict

from derivations.errors import DerivationError
from derivations.notation import latex, text

# layout -> what the result is called.
TITLES = {
    "gradient": "gradient",
    "denominator": "Jacobian, denominator layout",
    "numerator": "derivative, numerator layout",
    "shape_of_output": "derivative",
    "vec": "Jacobian, vec form",
    "hessian": "Hessian",
    "hessian_vec": "Hessian, vec form",
}


def written(expression, variables):
    """The text of an expression, or None where the text notation has no form for it."""
    try:
        return text.write(expression, variables)
    except DerivationError:
        return None


def shown(expression, variables):
    """The text of an expression for people: where there is none, its LaTeX."""
    return written(expression, variables) or latex.write(expression)


# ---------------------------------------------------------------------------------------- people


def derived(solution):
    """The result, what it rests on, and the steps."""
    d = solution.derivation
    proof = [] if solution.verification is None else [str(solution.verification)]
    return "\n\n".join([_result(d), _lines(d), *proof])


def judged(solution):
    """The result and the word of each witness; or the word on a claim."""
    result, claim = _result(solution.derivation), solution.problem.claim
    if claim is None:
        return f"{result}\n{solution.verification}"
    if solution.comparison is None:
        return f"{NOT_JUDGED}\n{result}\n{solution.verification}"
    witness, counterexample = solution.comparison.witness, solution.comparison.counterexample
    lines = [f"{str(witness.passed).lower()}: {claim}", result]
    lines += [f"  {witness.note}"] if witness.note else []
    lines += _numbers(counterexample) if counterexample else [] if witness.note else [_evidence(witness)]
    return "\n".join(lines)


NOT_JUDGED = "not judged: the derivative itself is not proven"


def _result(d):
    conditions = "".join(f"\n  assumed: {c}" for c in d.conditions)
    where = "".join(f"\n  where {s} = {shown(e, d.variables)}" for s, e in d.definitions)
    return f"{TITLES.get(d.layout, d.layout)}: {shown(d.result, d.variables)}{where}{conditions}"


# Longer formulas have their rules where they end.
COLUMN = 60


def _lines(d):
    rows, after = [], None
    for step in d.steps:
        if step.before != after:
            rows.append(("", shown(step.before, d.variables), ""))
        # A line that reads a derivative off follows from the one before, but is not equal to it.
        rows.append(("=>" if step.rule.role else "=", shown(step.after, d.variables), step.rule.name))
        after = step.after
    column = min(COLUMN, max((len(formula) for _, formula, _ in rows), default=0))
    return "\n".join(f"{sign:>2} {formula:<{column}}   {rule}".rstrip() for sign, formula, rule in rows)


def _evidence(witness):
    bound = f", error probability below {witness.error_bound:.0e}" if witness.passed and witness.error_bound else ""
    return f"  compared at {witness.points} random points, {witness.name[len('claim (') : -1]}{bound}"


def _numbers(c):
    point = ", ".join(f"{name} = {_number(value)}" for name, value in c.point.items())
    # As many digits as it takes to see that the two differ.
    digits = next((k for k in (6, 10) if f"{c.claimed:.{k}g}" != f"{c.derived:.{k}g}"), 17)
    row, column = c.entry
    return [
        f"  at {point}",
        f"  entry ({row}, {column}) of the claim is {c.claimed:.{digits}g}, of the derivative {c.derived:.{digits}g}",
    ]


def _number(value):
    return f"[{', '.join(map(_number, value))}]" if isinstance(value, list) else f"{value:.6g}"


# -------------------------------------------------------------------------------------- programs


def data(solution):
    """The solution as an object of JSON."""
    problem, d = solution.problem, solution.derivation
    found = {
        "expression": problem.expression,
        "wrt": problem.wrt[0] if len(problem.wrt) == 1 else list(problem.wrt),
        "order": d.order,
        "layout": d.layout,
        "result": written(d.result, d.variables),
        "latex": latex.write(d.result),
        "steps": [_step(s, d.variables) for s in d.steps],
        "conditions": list(d.conditions),
        "seconds": round(solution.seconds, 6),
    }
    if solution.verification is not None:
        found["verification"] = [_witness(w) for w in solution.verification.witnesses]
    if solution.problem.claim is not None:
        found["claim"] = _claim(solution)
    return found


def _step(step, variables):
    return {
        "rule": step.rule.name,
        "statement": step.rule.statement,
        "source": step.rule.source,
        "before": written(step.before, variables),
        "after": written(step.after, variables),
    }


def _witness(w):
    found = {"witness": w.name, **asdict(w)}
    del found["name"]
    return found


def _claim(solution):
    found = {"text": solution.problem.claim}
    if solution.comparison is None:
        return found | {"passed": None, "note": NOT_JUDGED}
    counterexample = solution.comparison.counterexample
    return found | _witness(solution.comparison.witness) | {"counterexample": counterexample and asdict(counterexample)}


def failure(error, words=str):
    """An error as an object of JSON, put into words; of a ParseError with the place in the text."""
    place = {key: getattr(error, key) for key in ("line", "column") if hasattr(error, key)}
    return {"error": {"kind": type(error).__name__, "message": words(str(error)), **place}}


def line(found):
    """A line of JSON, which has no infinite numbers: they are null."""
    # Python writes NaN and Infinity, and gives them by name when it reads them back.
    return json.dumps(json.loads(json.dumps(found), parse_constant=lambda name: None), allow_nan=False)


# The formats of each command, by name; the first is the default.
DERIVE = {
    "text": derived,
    "latex": lambda s: s.derivation.to_latex(),
    "json": lambda s: line(data(s)),
    "numpy": lambda s: s.derivation.to_code("numpy").rstrip("\n"),
    "torch": lambda s: s.derivation.to_code("torch").rstrip("\n"),
}
VERIFY = {"text": judged, "json": DERIVE["json"]}
