"""Robust combination of federated updates, one file per rule or family."""
