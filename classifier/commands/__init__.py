"""One module per command of `python -m classifier`: its description, its options, and what it runs."""
