"""Broken texts: they must be refused by name, or be accepted for what they say."""

import ast
import re

import derivations as dv
from derivations.notation import text as notation
from tests.derivations.fuzzing import judging

TOKENS = re.compile(r"[0-9]+(?:\.[0-9]+)?|[A-Za-z_]\w*|\.[*/^]|\s+|.", re.DOTALL)
NUMBERS = [
    *("0 1 2 -1 00012 .5 5. 0.1e-3 1e999 1e-999 1e99999999 1e-99999999 1E3 1e 1e+ 1..2 .5. 1.2.3".split()),
    *("0x10 1_000 1j inf nan NaN oo zoo 9999999999999999999999999 ٣ ² ½ Ⅷ".split()),
    "9" * 5000,
]
NAMES = """eye pi E I S N O Q e d lambda None True __class__ exp log tr det inv vector matrix ones zeros rows diag
sum vec kron comm softmax dX X_ _ x1 size n m""".split()
STRANGE = [*'=@[]{}|&!?;:,.#$%\\"`~<>', *"×·−≤≠π∂αλ√∞’′ᵀ⊙⊗", "\0", "\n", "\t", "\u00a0", "\u200b", "\ufeff", "\ud800"]
OPERATORS = ["+", "-", "*", "/", ".*", "./", ".^", "^", "'", "(", ")", ",", "()", "**", "..*", "^^", "--", "+-"]
WORDS = [*NUMBERS, *NAMES, *OPERATORS, *STRANGE]
# Long and deep: {} is the text.
SWOLLEN = [
    lambda t, g: "(" * g.choice((50, 99, 500, 5000)) + t,
    lambda t, g: "(" * (n := g.choice((50, 99, 500, 5000))) + t + ")" * n,
    lambda t, g: "-" * g.choice((50, 99, 101, 5000)) + t,
    lambda t, g: f"({t})" + "'" * g.choice((51, 99, 5000)),
    lambda t, g: "+".join([f"({t})"] * g.choice((30, 300))),
    lambda t, g: "*".join([f"sum({t})"] * g.choice((30, 200))),
    lambda t, g: f"sum({t})" + "^9" * g.choice((3, 12, 50)),
    lambda t, g: f"sum({t})^" + "9" * g.choice((3, 12, 300)),
    lambda t, g: f"9^9^9^9*({t})",
    lambda t, g: f"9^(9^(9^9))*({t})",
    lambda t, g: f"({t}).^(9^9^9)",
    lambda t, g: f"exp(exp(exp(99999)))*({t})",
    lambda t, g: f"factorial(99999999)*({t})",
    lambda t, g: "exp(" * (n := g.choice((5, 60, 98, 500))) + t + ")" * n,
    lambda t, g: f"({t})*eye({'9' * g.choice((3, 30))})",
    lambda t, g: t + " " * 100000,
    lambda t, g: t + "x" * 100000,
]
INFERRED = re.compile(r"\b(eye\b(?!\s*\()|vector\b|matrix\b)")


def broken(text, generator):
    """The text with one to four accidents."""
    for _ in range(generator.choice((1, 1, 1, 1, 2, 3))):
        parts = TOKENS.findall(text) or [""]
        at = generator.randrange(len(parts))
        what = generator.randrange(14)
        if what < 2:
            del parts[at]
        elif what < 3:
            parts.insert(at, parts[at])
        elif what < 5 and at:
            parts[at - 1], parts[at] = parts[at], parts[at - 1]
        elif what < 7:
            parts[at] = generator.choice(WORDS)
        elif what < 9:
            parts.insert(at, generator.choice(WORDS))
        elif what < 10:
            other = generator.randrange(len(parts))
            parts[at : at + 1] = parts[min(at, other) : max(at, other)]
        elif what < 11:
            parts = parts[:at]
        elif what < 13:
            text = "".join(parts)
            i = generator.randrange(len(text) + 1)
            parts = [text[:i], generator.choice([*STRANGE, *"0123 xyAB'()*+-./^,"]), text[i + generator.randrange(2) :]]
        else:
            parts = [generator.choice(SWOLLEN)("".join(parts), generator)] if generator.randrange(3) == 0 else []
        text = "".join(parts)
    return text


def judged(generator, problem):
    text = broken(problem.text, generator)
    arguments = problem.arguments()
    names = list(arguments["variables"])
    if generator.randrange(5) == 0:
        arguments["variables"] = None
    elif generator.randrange(4) == 0:
        # A function, a constant or a size as the name of a variable.
        old, new = generator.choice(names), generator.choice(NAMES)
        text = re.sub(rf"\b{old}\b", new, text)
        arguments["variables"][new] = arguments["variables"].pop(old)
        if arguments["wrt"] == old:
            arguments["wrt"] = new
    result = {"seconds": None, "proof": None, "stage": "derive", "text": text[:2000], "length": len(text), **arguments}
    try:
        with judging.limited(judging.LIMIT):
            try:
                derivation = dv.derive(text, **arguments)
            except dv.DerivationError as error:
                if len(str(error)) > 20000 + 3 * len(text):
                    raise judging.Found("exception", "the message is very long") from error
                return {**result, "verdict": "refused", "reason": f"{type(error).__name__}: {str(error)[:300]}"}
            if not is_expression(text):
                raise judging.Found("wrong", "nonsense was accepted")
            # What is inferred, the second opinion does not know.
            term = None if INFERRED.search(text) else notation.parse(text)
            judging.examine(derivation, term, arguments["variables"], result)
        return {**result, "verdict": "right", "reason": "accepted"}
    except judging.Found as found:
        return {**result, "verdict": found.verdict, "reason": found.reason}
    except judging.OutOfTime:
        if result["stage"] in judging.OPINIONS:
            return {**result, "verdict": "right", "reason": "no opinion in time"}
        return {**result, "verdict": "slow", "reason": f"{result['stage']}: more than {judging.LIMIT} s"}
    except Exception as error:
        reason = f"{result['stage']}: {type(error).__name__}: {str(error)[:300]}{judging.place(error)}"
        return {**result, "verdict": "exception", "reason": reason}


# ------------------------------------------------------------------- a second opinion on what is a text

PYTHON = {"^": "**", ".^": "**", ".*": "*", "./": "/", "'": ".T"}
WORD = re.compile(
    r"\s*(?:(?P<number>[0-9]+(?=\.[*/^])|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?)"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)|(?P<op>\.[*/^]|[-+*/^()',]))"
)


def is_expression(text):
    """Whether Python's own parser finds an expression, once the operators are spelled as Python's."""
    spelled, at = [], 0
    while text[at:].strip():
        match = WORD.match(text, at)
        if not match:
            return False
        word = match[match.lastgroup]
        spelled.append({"number": " _1 ", "name": f" v_{word} ", "op": f"{PYTHON.get(word, word)} "}[match.lastgroup])
        at = match.end()
    try:
        tree = ast.parse("".join(spelled).strip(), mode="eval").body
    except (SyntaxError, ValueError):
        return False
    except (MemoryError, RecursionError):
        return True
    return not any(
        isinstance(n, (ast.Tuple, ast.Starred, ast.keyword)) or (isinstance(n, ast.Call) and not _called(n.func))
        for n in ast.walk(tree)
    )


def _called(function):
    return isinstance(function, ast.Name) and function.id != "_1"
