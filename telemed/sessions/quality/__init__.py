"""The quality of calls, as those who were in them measured it."""
