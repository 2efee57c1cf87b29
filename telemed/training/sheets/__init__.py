"""Spreadsheets that people send: read as text in a process of its own."""
