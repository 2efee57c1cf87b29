"""Triage scores: pure, from published tables; advice beside the doctor's own urgency, never over it."""
