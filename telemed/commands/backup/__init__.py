"""Backups of a whole installation: database, files, audit anchors, in one sealed file."""
