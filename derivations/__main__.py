"""The command line: `python -m derivations derive "x'*A*x" --wrt x`."""

import json
import os
import sys

from derivations import catalogue
from derivations.commandline import arguments, objects, problems, reports
from derivations.errors import DerivationError

# As a shell counts programs that end by a signal: 128 and its number.
CLOSED_PIPE, INTERRUPTED = 141, 130


class EngineError(DerivationError):
    """The engine stumbled; that is our mistake, and not of who asked."""


def main(argv=None):
    """The command line; gives the exit status."""
    options = arguments.parse(sys.argv[1:] if argv is None else argv)
    try:
        if sys.stdout is None:
            raise OSError("it is closed")
        if options.command == "rules":
            return listed(options)
        return (one if options.input is None else many)(options)
    except DerivationError as error:
        return complain(error, 2)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        discard_output()
        return CLOSED_PIPE
    except OSError as error:
        discard_output()
        return complain(f"cannot write to standard output: {error.strerror or error}", 2)


def complain(message, status):
    tell(f"derivations: {message}")
    return status


def tell(message, end="\n"):
    print(message, end=end, file=sys.stderr, flush=True)


def discard_output():
    """Python flushes standard output once more at the end; give it something to flush to."""
    if sys.stdout is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def guarded(work, *args):
    """What work gives; whatever goes wrong inside it is a DerivationError."""
    try:
        return work(*args)
    except DerivationError:
        raise
    except Exception as error:
        raise EngineError(f"the engine fails here: {type(error).__name__}: {error}. Please report it") from error


def say(line):
    print(line, flush=True)


# -------------------------------------------------------------------------------------------- rules


def listed(options):
    found = catalogue.entries() if options.word is None else catalogue.find(options.word)
    say(catalogue.FORMATS[options.format or ("markdown" if options.word is None else "text")](found))
    return 0


# -------------------------------------------------------------------------------------- one problem


def one(options):
    formats = {"derive": reports.DERIVE, "verify": reports.VERIFY}[options.command]
    form = options.format or next(iter(formats))
    try:
        solution = guarded(lambda: problems.solve(problems.from_options(options), options.verify))
        answer = guarded(formats[form], solution)
    except DerivationError as error:
        if form == "json":
            say(json.dumps(reports.failure(error)))
        raise
    say(answer)
    if solution.verification is not None and form not in ("text", "json"):
        tell(solution.verification)
    return problems.status(solution)


# ------------------------------------------------------------------------------------ many problems


def many(options):
    """One line of JSON for each that is read, written before the next is read."""
    statuses = []
    counting = options.input != "-" and sys.stderr.isatty() and not sys.stdout.isatty()
    for number, line in enumerate(lines_of(options.input), 1):
        if line.strip():
            found, status = answered(line, number, options)
            say(json.dumps(found))
            statuses.append(status)
            if counting:
                tell(f"\r{len(statuses)} answered", end="")
    if counting:
        tell("")
    if any(statuses):
        bad, false = statuses.count(2), statuses.count(1)
        tell(f"derivations: of {len(statuses)} problems {bad} were bad input, and {false} checks failed")
    return max(statuses, default=0)


def answered(line, number, options):
    """(object of JSON, exit status) for a line."""
    about = {"line": number}
    try:
        given = objects.parsed(line)
        about |= {"id": given["id"]} if "id" in given else {}
        problem = objects.from_object(given, options.layout, may_claim=options.command == "verify")
        solution = guarded(problems.solve, problem, options.verify)
        return about | guarded(reports.data, solution), problems.status(solution)
    except DerivationError as error:
        return about | reports.failure(error), 2


def lines_of(path):
    """The lines of a file, or of standard input, as bytes; each as soon as it is there."""
    try:
        if path != "-":
            with open(path, "rb") as file:
                yield from file
        elif sys.stdin is None:
            raise OSError("it is closed")
        else:
            yield from sys.stdin.buffer
    except OSError as error:
        raise problems.InputError(f"cannot read {path}: {error.strerror or error}") from error


if __name__ == "__main__":
    sys.exit(main())
