"""The lines of a table stand below its titles."""

from benchmarks.tables import note, row

COLUMNS = {"name": 6, "ms": 5, "error": 7}


def test_cells_end_where_their_titles_do():
    assert row(COLUMNS, COLUMNS) == "name      ms   error"
    assert row(COLUMNS, ["first", 1.5, "1e-16"]) == "first    1.5   1e-16"
    assert row(COLUMNS, ["first", "", ""]) == "first"


def test_notes_are_one_short_line():
    assert note("a\n  b") == "a b" and len(note("word " * 100)) <= 160
