"""The roster of who is on duty, and how long stations wait for an answer."""
