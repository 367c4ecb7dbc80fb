"""The examples of the README and of the documentation run and print what they show."""

import doctest
import re
import shlex
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from derivations.__main__ import main

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
# Their examples add to the tables of the package, so they run in a process of their own.
ADDING = {"adding-a-rule.md"}


def over(pages):
    return pytest.mark.parametrize("page", pages, ids=lambda p: p.name)


@over([p for p in PAGES if p.name not in ADDING])
def test_examples(page):
    failed, _ = doctest.testfile(
        str(page), module_relative=False, encoding="utf-8", optionflags=doctest.ELLIPSIS, globs={}
    )
    assert failed == 0


@over([p for p in PAGES if p.name in ADDING])
def test_examples_that_add_to_the_tables(page):
    done = subprocess.run(
        [sys.executable, "-X", "utf8", "-m", "doctest", "-o", "ELLIPSIS", str(page)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout


def test_the_examples_are_there():
    examples = doctest.DocTestParser()
    assert all(examples.get_examples(p.read_text(encoding="utf-8")) for p in PAGES if p.name in ADDING)
    assert sum(len(examples.get_examples(p.read_text(encoding="utf-8"))) for p in PAGES) > 100
    assert sum(len(commands(p)) for p in PAGES) > 10


@over(PAGES)
def test_links_lead_somewhere(page):
    for target, heading in re.findall(r"\]\(([^)#]*)(?:#([^)]+))?\)", page.read_text(encoding="utf-8")):
        if target.startswith("http"):
            continue
        found = page.parent / target if target else page
        assert found.exists(), target
        assert not heading or heading in headings(found), f"{target}#{heading}"


def headings(page):
    """The anchors of a page's headings."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title).strip().lower().replace(" ", "-") for title in titles}


def test_every_page_is_linked_from_the_readme():
    linked = set(re.findall(r"\]\(docs/([^)#]+)", (ROOT / "README.md").read_text(encoding="utf-8")))
    assert {p.name for p in PAGES[1:]} <= linked


# ---------------------------------------------------------------------------------- command lines


def commands(page):
    """(command, what is shown below it) of the console blocks."""
    blocks = re.findall(r"^```console\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return [found for block in blocks for found in re.findall(r"^\$ (.+(?:\\\n.+)*)\n((?:(?!\$ ).*\n)*)", block, re.M)]


@over([p for p in PAGES if commands(p)])
def test_command_lines(page, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    status = None
    for command, shown in commands(page):
        *_, program = command.split(" | ")
        if command == "echo $?":
            out = f"{status}\n"
        elif command.startswith("cat "):
            (tmp_path / command.removeprefix("cat ")).write_text(shown, encoding="utf-8")
            out = shown
        else:
            assert program.startswith("python -m derivations "), f"{command} cannot be run here"
            monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=piped(command)))
            status = main(shlex.split(program.replace("\\\n", ""))[3:])
            out = "".join(capsys.readouterr())
        assert doctest.OutputChecker().check_output(shown, out, doctest.ELLIPSIS), f"$ {command}\n{out}"


def piped(command):
    """What `echo` gives to the program behind it, line by line."""
    first, *rest = command.split(" | ")
    return [f"{shlex.split(first)[1]}\n".encode()] if rest else []
