"""Write the answers document: `python -m derivations.render > answers.tex`."""

import argparse
import os
import sys
from pathlib import Path

from derivations.answers import document
from derivations.answers.contents import ANSWERS, Settings
from derivations.differentiation import LAYOUTS
from derivations.errors import DerivationError
from derivations.verification import verify
from derivations.verification.sampling import COUNT

DESCRIPTION = """\
Derive, prove and typeset the answers to the homework as one LaTeX document on standard output.
Nothing beside it is needed to compile it with pdflatex or on Overleaf."""
EXAMPLES = """\
examples:
  python -m derivations.render > answers.tex
  python -m derivations.render --only 1.1,4.2 > two.tex
  python -m derivations.render --fragments parts/       one .tex per answer and answers.sty, for \\input
  python -m derivations.render --verify all > a.tex     prove by autograd too (needs torch)

exit status: 0 fine, 1 a proof failed, 2 bad input or output"""

# --verify -> the witnesses that are asked.
WITNESSES = {"exact": ("exact",), "all": ("exact", "autograd"), "none": ()}


class ProofError(DerivationError):
    """A derivation of the document is false, or could not be proven."""


def main(arguments=None):
    """The command line; gives the exit status."""
    options = parser().parse_args(arguments)
    try:
        numbers = chosen(options.only)
        rendered = [render(n, Settings(options.layout, results_folder(options.results)), options) for n in numbers]
        write(rendered, options.fragments, options.layout)
    except ProofError as error:
        return complain(error, 1)
    except DerivationError as error:
        return complain(error, 2)
    except BrokenPipeError:
        # Python flushes standard output once more at the end; give it something to flush to.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return complain("standard output was closed before the document was written", 2)
    except OSError as error:
        return complain(f"cannot write the document: {error.strerror or error}", 2)
    return 0


def parser():
    p = argparse.ArgumentParser(
        prog="python -m derivations.render",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument("--only", metavar="1.1,4.2", help="answer these questions only")
    p.add_argument("--fragments", metavar="DIR", help="write answer-N.tex files and answers.sty into DIR instead")
    p.add_argument(
        "--results", metavar="DIR", help="measured results as N.json files (default: results/, if there is one)"
    )
    p.add_argument(
        "--layout", choices=LAYOUTS, default=LAYOUTS[0], help="of derivatives of vectors (default: %(default)s)"
    )
    p.add_argument(
        "--verify", choices=WITNESSES, default="exact", help="how to prove each derivation (default: %(default)s)"
    )
    p.add_argument("--quiet", action="store_true", help="no progress on standard error")
    return p


def chosen(only):
    """The numbers of the answers that were asked for, in the order of the document."""
    if only is None:
        return list(ANSWERS)
    asked = [n.strip() for n in only.split(",") if n.strip()]
    if not asked:
        raise DerivationError(f"--only names no question; the questions are {', '.join(ANSWERS)}")
    for n in asked:
        if n not in ANSWERS:
            raise DerivationError(f"no question {n!r}; the questions are {', '.join(ANSWERS)}")
    return [n for n in ANSWERS if n in asked]


def results_folder(asked):
    if asked is not None and not Path(asked).is_dir():
        raise DerivationError(f"no folder {asked!r} with results")
    return asked or ("results" if Path("results").is_dir() else None)


def render(number, settings, options):
    """(answer, one line on the proof of each of its derivations)."""
    answer = ANSWERS[number](settings)
    proofs = [prove(d, number, WITNESSES[options.verify]) for d in answer.derivations]
    if not options.quiet:
        derived = f"{len(proofs)} derivation{'s' * (len(proofs) != 1)}" if proofs else "prose"
        proven = " proven" if proofs and options.verify != "none" else ""
        print(f"{number}  {answer.title}: {derived}{proven}", file=sys.stderr)
    return answer, proofs


def prove(derivation, number, witnesses):
    """One line of LaTeX that says how a derivation was proven. Raises ProofError if it was not."""
    if not witnesses:
        return "Not proven in this run (\\texttt{-{}-verify none})."
    verification = verify(derivation, witnesses)
    if not verification.passed:
        raise ProofError(f"answer {number}: a derivation is not proven\n{verification}")
    return " ".join(PROOFS[w.name](w) for w in verification.witnesses)


def _probability(bound):
    exponent = f"{bound:.0e}".split("e")[1]
    return f"10^{{{int(exponent) + 1}}}"


# How each witness's word is put, by its name.
PROOFS = {
    "exact (prime field)": lambda w: (
        rf"Equality of the lines proven modulo $2^{{61}} - 1$ at {w.points} random points; "
        rf"probability of error below ${_probability(w.error_bound)}$."
    ),
    "exact (rational numbers)": lambda w: (
        rf"Equivalence of the lines checked for the numbers 0 to {w.points - 1}."
        if w.points > COUNT - 1
        else "Equality of the lines checked in rational numbers."
    ),
    **dict.fromkeys(
        ["exact (50 digits)", "exact (100 digits)"],
        lambda w: rf"Equality of the lines checked to 35 digits at {w.points} random points.",
    ),
    "autograd (float64)": lambda w: rf"Result checked by autograd, relative error {w.worst_error:.0e}.",
}


def write(rendered, folder, layout):
    """The document to standard output, or fragments into a folder."""
    answers = [answer for answer, _ in rendered]
    proofs = {answer.number: lines for answer, lines in rendered}
    if folder is None:
        if sys.stdout is None:
            raise OSError("standard output is closed")
        sys.stdout.write(document.document(answers, proofs, layout))
        sys.stdout.flush()
        return
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "answers.sty").write_text(document.package(), encoding="utf-8")
    for answer in answers:
        (folder / f"answer-{answer.number}.tex").write_text(
            document.fragment(answer, proofs[answer.number]), encoding="utf-8"
        )


def complain(message, status):
    print(f"render: {message}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
