"""Calls written to WebM as they are sent, without decoding: docs/decisions has the why."""
