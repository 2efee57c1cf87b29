"""A small province that never rests: for the short test of wear, and for its bench."""
