"""Scores: what a tracker said against what was true. Arrays in, numbers out; nothing here reads a file."""
