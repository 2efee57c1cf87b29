"""Prints of papers: each has a code by which anybody can ask whether it is genuine and current."""
