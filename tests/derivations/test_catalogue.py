"""The catalogue of rules: complete, and docs/rules.md is what it prints."""

import json
import pkgutil
import re
from importlib import import_module
from pathlib import Path

import pytest

import derivations
from derivations import catalogue, examples, rules, simplification
from derivations.api import derive, read
from derivations.derivation import Rule

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "rules.md"

# Those that need more than sympy, and those that run when they are imported.
LEFT_OUT = re.compile(r"derivations\.(__main__|answers\.snippets|verification\.|notation\.modules)")


def constants():
    """(module and name, rule) of every rule that a name of a module, or a table with a name, holds."""
    for found in pkgutil.walk_packages(derivations.__path__, "derivations."):
        if LEFT_OUT.match(found.name):
            continue
        for name, value in vars(import_module(found.name)).items():
            for rule in value.values() if isinstance(value, dict) else value if isinstance(value, tuple) else (value,):
                if isinstance(rule, Rule):
                    yield f"{found.name}.{name}: {rule.name}", rule


def test_the_page_is_what_the_command_prints():
    printed = catalogue.to_markdown(catalogue.entries()) + "\n"
    assert PAGE.read_text(encoding="utf-8") == printed, "run: python -m derivations rules > docs/rules.md"


def test_every_rule_is_in_the_catalogue():
    listed = {entry.rule for entry in catalogue.entries()}
    assert not {name for name, rule in constants() if rule not in listed}


def test_the_walk_sees_the_tables_and_the_topics():
    names = {name for name, _ in constants()}
    assert len(names) > 150
    assert {"derivations.rules.DIFFERENTIALS: trace", "derivations.topics.gan.MIXTURE: the mixture law"} <= names


def test_every_topic_is_in_the_catalogue():
    package = ROOT / "derivations" / "topics"
    modules = {p.stem for p in package.glob("*.py")} - {"__init__"}
    assert {m.__name__.rsplit(".", 1)[1] for m in catalogue.TOPICS} == modules


# ---------------------------------------------------------------------------------------- examples

# Nodes that the text notation has no form for.
WITHOUT = {"Unvec", "Loss"}
# Two that rows of tables take their names from, and one that is about definitions.
NAMES = {rules.TRACE, rules.SCALAR_TRANSPOSE, rules.ANOTHER_NAME}
OF_TOPICS = "Topic: "


def each(chosen):
    """The entries that are chosen as parameters, by what they are called."""
    return pytest.mark.parametrize(
        "entry",
        [
            pytest.param(e, id=f"{e.section}: {' '.join(h.__name__ for h in catalogue.heads(e.rule))} {e.rule.name}")
            for e in catalogue.entries()
            if chosen(e)
        ],
    )


@each(lambda e: not e.section.startswith(OF_TOPICS))
def test_every_rule_has_an_example(entry):
    exempt = entry.rule in NAMES or {h.__name__ for h in catalogue.heads(entry.rule)} & WITHOUT
    assert entry.example or exempt, "write one in derivations/examples.py"


TABLES = {
    **{name: getattr(rules, name) for name in ("DIFFERENTIALS", "SCALAR_DIFFERENTIALS")},
    **{name: getattr(rules, name) for name in ("TRACE_MOVES", "INNER_MOVES", "VEC_MOVES", "VECTOR_MOVES")},
    "IDENTITIES": simplification.IDENTITIES,
}


@pytest.mark.parametrize("table", TABLES)
def test_every_example_has_a_rule(table):
    rows = {(head.__name__, rule.name) for rule in TABLES[table] for head in catalogue.heads(rule)}
    assert getattr(examples, table).keys() <= rows


def test_every_example_of_a_line_has_a_rule():
    assert examples.LINES.keys() <= vars(rules).keys() and examples.STRUCTURES.keys() == rules.STRUCTURES.keys()


IDENTITIES = (catalogue.COLLECT, catalogue.SIMPLIFY)


@each(lambda e: e.example and e.section not in IDENTITIES)
def test_a_rule_takes_part_in_its_example(entry):
    expression, wrt, *asked = entry.example
    derivation = derive(expression, wrt, variables=examples.SHAPES, **(asked[0] if asked else {}))
    # Rules that meet in one line share it; one that changes nothing has none.
    named = ", ".join(step.rule.name for step in derivation.steps).split(", ")
    assert entry.rule.minor or entry.rule.name == "vec" or set(entry.rule.name.split(", ")) <= set(named)


@each(lambda e: e.example and e.section in IDENTITIES)
def test_an_identity_leads_to_its_example(entry):
    before, after = (read(source, examples.SHAPES)[0].expression for source in entry.example)
    found, used = simplification.simplify(before)
    assert found == after and entry.rule in used


# ---------------------------------------------------------------------------------------- the page


@each(lambda e: True)
def test_formulas_survive_markdown(entry):
    """Backticks would end a formula, and a table is cut at every bar."""
    assert "`" not in entry.rule.statement and "\n" not in entry.rule.statement
    assert entry.rule.statement.count("{") == entry.rule.statement.count("}")
    assert entry.rule.name and entry.rule.source


def test_every_line_of_a_table_has_as_many_cells():
    tables = re.findall(r"(?:^\|.*\|\n)+", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(tables) > 15
    for table in tables:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1, table


def test_conditions_and_conventions_are_on_the_page():
    page = PAGE.read_text(encoding="utf-8")
    for expression, wrt in [("sum(abs(x))", "x"), ("lambda_max(X)", "X"), ("sum(max(x, 1))", "x"), ("norm2(x)", "x")]:
        for words in derive(expression, wrt).conditions:
            assert words.replace("|", r"\|") in page


# ------------------------------------------------------------------------------------- looking up


@pytest.mark.parametrize("word", ["logdet", "LogDet", "log-determinant of a"])
def test_rules_are_found_by_names_and_nodes(word):
    assert "log-determinant of a power" in [e.rule.name for e in catalogue.find(word)]


def test_rules_are_found_by_what_the_text_notation_calls_a_node():
    assert {e.rule.name for e in catalogue.find("pinv")} == {"pseudo-inverse"}


def test_what_is_not_found_is_an_error_that_names_the_nodes():
    with pytest.raises(derivations.DerivationError, match=r"no rule has 'gradience' in its name .* Adjugate, Apply"):
        catalogue.find("gradience")


def test_text_is_for_people():
    assert catalogue.to_text(catalogue.find("nuclear")).splitlines() == [
        "Differentials",
        "  nuclear norm (NuclearNorm)",
        r"      d\lVert U\rVert_* = \operatorname{tr}(U^+(U U^\top)^{1/2}dU)",
        "      for example norm_nuc(Z) by Z",
        "      Watson (1992), Linear Algebra Appl. 170, 33-45",
    ]


def test_data_has_every_rule():
    found = json.loads(catalogue.to_json(catalogue.entries()))
    assert len(found) == len(catalogue.entries())
    assert all(f.keys() == found[0].keys() for f in found)
    assert [f["rule"] for f in found if f["minor"]][:2] == ["linearity", "constant factor"]
