"""The command line: `python -m derivations derive "x'*A*x" --wrt x`."""

import os
import sys
from contextlib import suppress

from derivations import catalogue
from derivations.commandline import arguments, objects, problems, reports
from derivations.errors import DerivationError

# As a shell counts programs that end by a signal: 128 and its number.
CLOSED_PIPE, INTERRUPTED = 141, 130


class EngineError(DerivationError):
    """The engine stumbled; that is our mistake, and not of who asked."""


def main(argv=None):
    """The command line; gives the exit status."""
    try:
        options = parsed(sys.argv[1:] if argv is None else argv)
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
        return CLOSED_PIPE
    except UnicodeEncodeError as error:
        missing = ascii(error.object[error.start])
        return complain(f"{UNWRITTEN}: {error.encoding} has no {missing}; say PYTHONIOENCODING=utf-8", 2)
    except OSError as error:
        return complain(f"{UNWRITTEN}: {error.strerror or error}", 2)
    finally:
        discard_the_rest()


UNWRITTEN = "cannot write to standard output"


def parsed(argv):
    """The options; what the help and the usage say is written before they end the program."""
    try:
        return arguments.parse(argv)
    finally:
        for stream in streams():
            stream.flush()


def complain(message, status):
    # Who cannot be told sees the status.
    with suppress(OSError):
        tell(f"derivations: {message}")
    return status


def tell(message, end="\n"):
    if sys.stderr is not None:
        print(message, end=end, file=sys.stderr, flush=True)


def streams():
    """Standard output and standard error, as far as they are open."""
    return [stream for stream in (sys.stdout, sys.stderr) if stream is not None]


def discard_the_rest():
    """Python flushes both streams once more at the end; what is broken gets something to flush to."""
    for stream in streams():
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


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
        failure = reports.failure(error, arguments.in_options)
        if form == "json":
            say(reports.line(failure))
        return complain(failure["error"]["message"], 2)
    say(answer)
    if solution.verification is not None and form not in ("text", "json"):
        tell(solution.verification)
    return problems.status(solution)


# ------------------------------------------------------------------------------------ many problems


def many(options):
    """One line of JSON for each that is read, written before the next is read."""
    statuses = []
    counting = options.input != "-" and sys.stderr is not None and sys.stderr.isatty() and not sys.stdout.isatty()
    for number, line in enumerate(lines_of(options.input), 1):
        if line.strip():
            found, status = answered(line, number, options)
            say(reports.line(found))
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
