"""Attacks on one's own gate: poison with a truthful mask, and the feeds it goes into."""
