"""One module per command of `python -m gan`: its description, its options, and what it runs."""
