"""Telemed: remote consultation and technical transfer for one province."""

__version__ = "0.1.0"
