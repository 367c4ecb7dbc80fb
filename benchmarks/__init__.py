"""Measurements from outside: each command prints a table, and `judge` says what is true."""
