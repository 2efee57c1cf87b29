"""The synthetic province: made-up people, patients and cases to try everything with."""
