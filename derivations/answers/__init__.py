"""The answers to the homework, declared question by question."""
