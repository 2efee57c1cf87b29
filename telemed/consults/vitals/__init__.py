"""Vital signs: the table of what may be measured, its checks, and how values are shown."""
