"""Whether a session may be recorded: what everybody present says to it."""
