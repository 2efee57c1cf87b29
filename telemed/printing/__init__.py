"""Papers as PDF: made in a warm process of its own. Knows no domain."""
