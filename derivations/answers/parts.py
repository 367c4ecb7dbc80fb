"""What an answer is made of, as frozen data; `document.py` typesets it."""

from dataclasses import dataclass

from derivations.derivation import Derivation


@dataclass(frozen=True)
class Text:
    """A paragraph of LaTeX."""

    latex: str


@dataclass(frozen=True)
class Question:
    """A part of a question, in our own words, with its label such as "(i)"."""

    label: str
    latex: str


@dataclass(frozen=True)
class Work:
    """A derivation, shown line by line; `name` is what the function is called in it.

    where: whether the definitions that it uses are listed, or were already. box: whether its result is the
    answer, or a step on the way.
    """

    derivation: Derivation
    name: str = "f"
    lead: str = ""
    where: bool = True
    box: bool = True


@dataclass(frozen=True)
class Mistake:
    """What is often got wrong here, and why."""

    latex: str


@dataclass(frozen=True)
class Code:
    """A Python file of `answers/snippets`, which the tests run."""

    file: str


@dataclass(frozen=True)
class Figure:
    """A TikZ picture or pgfplots axis with its caption."""

    latex: str
    caption: str


@dataclass(frozen=True)
class Table:
    """Rows of LaTeX cells under a header; `columns` is the column specification."""

    columns: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Checked:
    """One line that says how a statement without a derivation was checked."""

    latex: str


@dataclass(frozen=True)
class Answer:
    """The answer to one question of the homework."""

    number: str
    title: str
    parts: tuple

    @property
    def derivations(self):
        return tuple(p.derivation for p in self.parts if isinstance(p, Work))
