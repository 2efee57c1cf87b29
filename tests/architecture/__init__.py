"""What keeps the house in order, read from the syntax tree; `tests/test_architecture.py` is the law."""
