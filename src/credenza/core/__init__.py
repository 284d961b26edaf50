"""Nouns, protocols, errors and exact encodings. Imports nothing of ours."""
