"""One case as its own people see it: page, timeline, conversation and what is done with it."""
