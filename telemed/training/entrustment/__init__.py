"""Who may do which technique at which supervision, what was accepted, and whether it is still done."""
