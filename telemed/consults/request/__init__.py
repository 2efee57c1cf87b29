"""The request for a consult: the form as typed, what is sent of it, and its pages."""
