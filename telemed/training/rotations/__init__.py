"""The rotation register: who is sent to which station, and what comes of it."""
