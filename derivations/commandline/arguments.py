"""The arguments of the command line, and its help, which teaches by example."""

import argparse
import re

from derivations import catalogue
from derivations.commandline import reports
from derivations.differentiation import LAYOUTS

VERSION = "0.1.0"

PROGRAM = """\
Derive, step by step, and prove: gradients, Jacobians and Hessians of matrix expressions.

Expressions are text: ' transposes, * is the matrix product, .* the Hadamard product, inv(A), tr(A), det(A),
norm2(x), sum(x), exp(x), softmax(x), ... Capitals are matrices, lower-case letters vectors, unless declared
or inferred otherwise; vectors are columns."""

STATUS = """\
exit status: 0 fine, 1 a claim or a check is false or could not be made, 2 bad input, or no output"""

EXAMPLES = """\
examples:
  $ python -m derivations derive "x'*A*x" --wrt x
  gradient: (A + A')*x

     d(x'*A*x)
   = d(x)'*A*x + x'*A*d(x)    product rule
   = x'*A'*d(x) + x'*A*d(x)   a scalar equals its transpose
   = x'*(A' + A)*d(x)         collect terms
  => (A + A')*x               read off the gradient

  $ python -m derivations verify "x'*A*x" --wrt x --claim "(A + A')*x"
  true: (A + A')*x
  gradient: (A + A')*x
    compared at 3 random points, prime field, error probability below ...

more of them: python -m derivations derive --help
"""

DERIVE = """\
Derive the gradient, Jacobian or Hessian of an expression."""

DERIVE_EXAMPLES = """\
examples:
  # Shapes are inferred; declare those that the expression does not say.
  $ python -m derivations derive "x'*A*y" --wrt y --shape x=m --shape A=m,n --shape y=n --format latex

  # A scalar has no sizes. Properties are used in the result.
  $ python -m derivations derive "s*x'*S*x" --wrt x --shape s= --property S=symmetric

  # The Hessian, and a mixed second derivative.
  $ python -m derivations derive "logsumexp(z)" --wrt z --order 2
  $ python -m derivations derive "x'*A*z" --wrt x,z

  # Names for parts of the expression, and code.
  $ python -m derivations derive "sum(log(p))" --define "p=sigmoid(X*w)" --wrt w --format numpy

  # Many problems, one object of JSON a line; each is answered before the next is read.
  $ echo '{"id": 7, "expr": "A*x", "wrt": "x", "vars": {"A": "m,n"}}' | python -m derivations derive --input -
  {"line": 1, "id": 7, "expression": "A*x", "wrt": "x", "order": 1, "layout": "denominator", "result": "A'", ...}
"""

VERIFY = """\
Derive, and ask both witnesses: exact arithmetic for every line, torch's autograd for the result.
With --claim, judge a result of your own instead."""

VERIFY_EXAMPLES = """\
examples:
  $ python -m derivations verify "norm2(A*x - b)^2" --wrt x
  gradient: 2*A'*(A*x - b)
  exact (prime field): passed (2 points, worst relative error 0.0e+00, error probability below ...)
  autograd (float64): passed (3 points, worst relative error ...)

  $ python -m derivations verify "x'*A*x" --wrt x --claim "2*A*x"
  false: 2*A*x
  gradient: (A + A')*x
    at x = [...], A = [[...], [...]]
    entry (...) of the claim is ..., of the derivative ...

  # It is true if A is symmetric.
  $ python -m derivations verify "x'*A*x" --wrt x --claim "2*A*x" --property A=symmetric
  true: 2*A*x
  gradient: 2*A*x
    compared at 3 random points, prime field, error probability below ...

  # Many problems; without a claim, both witnesses are asked.
  $ echo '{"expr": "tr(A*X)", "wrt": "X", "claim": "A"}' | python -m derivations verify --input -
  {"line": 1, "expression": "tr(A*X)", ... "claim": {"text": "A", ...}}
"""

RULES = """\
Every rule of the engine with its statement in LaTeX, its source and an example; or those that WORD finds."""

RULES_EXAMPLES = """\
examples:
  $ python -m derivations rules logdet
  Differentials
    log-determinant of a power (LogDet)
        d\\log\\det U^k = k\\operatorname{tr}(U^{-1}dU)
        for example logdet(X^3) by X
        Magnus & Neudecker (2019), Matrix Differential Calculus, 3rd ed., ch. 8
    log-determinant (LogDet)
        ...

  # All rules, as a page in Markdown and as data.
  $ python -m derivations rules
  $ python -m derivations rules --format json
"""

JSON_LINES = """\
keys of a line: expr (or expression), wrt, wrt2, order, vars (or variables), definitions, layout, structure, id"""


def parser():
    p = _parser(
        argparse.ArgumentParser, prog="python -m derivations", description=PROGRAM, epilog=f"{EXAMPLES}\n{STATUS}"
    )
    p.add_argument("--version", action="version", version=f"derivations {VERSION}")
    commands = p.add_subparsers(dest="command", required=True, metavar="{derive,verify,rules}")
    derive = _parser(
        commands.add_parser,
        "derive",
        help="derive step by step",
        description=DERIVE,
        epilog=f"{DERIVE_EXAMPLES}\n{JSON_LINES}\n\n{STATUS}",
    )
    _ask(derive, reports.DERIVE)
    derive.add_argument("--verify", action="store_true", help="ask both witnesses too")
    derive.set_defaults(claim=None)
    verify = _parser(
        commands.add_parser,
        "verify",
        help="prove a derivation, or judge a claim",
        description=VERIFY,
        epilog=f"{VERIFY_EXAMPLES}\n{JSON_LINES}, claim\n\n{STATUS}",
    )
    _ask(verify, reports.VERIFY)
    verify.add_argument("--claim", metavar="TEXT", help="is TEXT the derivative?")
    verify.set_defaults(verify=True)
    rules = _parser(
        commands.add_parser,
        "rules",
        help="list the rules, or look one up",
        description=RULES,
        epilog=f"{RULES_EXAMPLES}\n{STATUS}",
    )
    rules.add_argument("word", nargs="?", metavar="WORD", help="part of a name or of a node, such as trace or logdet")
    rules.add_argument("--format", choices=catalogue.FORMATS, help="(default: text with a WORD, markdown without)")
    rules.set_defaults(complain=rules.error)
    return p


def _parser(make, *name, **texts):
    return make(*name, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False, **texts)


def _ask(p, formats):
    """The arguments that all commands share."""
    many = {"action": "append", "type": pair}
    p.add_argument("expression", nargs="?", help="""what to differentiate, such as "x'*A*x" """)
    p.add_argument("--wrt", action="append", metavar="NAME", help="the variable; two, as x,z, for a mixed derivative")
    p.add_argument("--shape", **many, metavar="NAME=SIZES", help="such as A=m,n, x=n, W=5,2, or s= for a scalar")
    p.add_argument("--property", **many, metavar="NAME=WORD,...", help="such as A=symmetric or X=positive_definite")
    p.add_argument("--define", **many, metavar="NAME=TEXT", help="a name for a part of the expression")
    p.add_argument("--order", type=int, choices=(1, 2), help="2 for the Hessian of a scalar")
    p.add_argument("--layout", choices=LAYOUTS, help=f"(default: {LAYOUTS[0]})")
    p.add_argument("--structure", choices=("symmetric", "diagonal"), help="differentiate by the free entries")
    p.add_argument("--format", choices=formats, help=f"(default: {next(iter(formats))})")
    p.add_argument("--input", metavar="FILE", help="problems as JSON lines; - is standard input")
    p.set_defaults(complain=p.error)


def pair(given):
    """(name, value) of NAME=VALUE."""
    name, equals, value = given.partition("=")
    if not equals or not name.strip():
        raise argparse.ArgumentTypeError(f"{given!r} is not of the form NAME=...")
    return name.strip(), value.strip()


# What the way out of an error is called in Python, and here.
WORDS = (
    (r"in variables=\{'(\w+)': '([^']*)'\}", r"in --shape \1=\2"),
    ("the shape of a scalar is ''", "a scalar is declared as in --shape s="),
    ("declared in variables=", "declared with --shape"),
    ("which it does not have; declare it", "which it does not have; declare it with --shape"),
    (r"structure='(\w+)'", r"--structure \1"),
)


def in_options(message):
    """The message of an error in the words of the command line."""
    for there, here in WORDS:
        message = re.sub(there, here, message)
    return message


# What belongs to one problem, and stands on its line in a file of problems.
OF_ONE_PROBLEM = ("expression", "wrt", "shape", "property", "define", "order", "structure", "claim")


def parse(arguments):
    """The options. What is no option, or contradicts another, ends the program with status 2."""
    options = parser().parse_args([_protected(a) for a in arguments])
    if options.command == "rules":
        if options.word is not None and options.format == "markdown":
            options.complain("the page in markdown has all rules; leave WORD out")
        return options
    if options.input is None:
        for needed, name in (("expression", "an expression"), ("wrt", "--wrt")):
            if getattr(options, needed) is None:
                options.complain(f"{name} is missing (or --input, to read many problems)")
        return options
    for name in OF_ONE_PROBLEM:
        if getattr(options, name) is not None:
            options.complain(f"with --input, each line says its own {name}")
    if options.format not in (None, "json"):
        options.complain("with --input, the answers are lines of JSON")
    return options


def _protected(argument):
    """An expression that starts with a minus, told from an option by a blank."""
    return f" {argument}" if re.match(r"-[^-]", argument) and argument != "-h" else argument
