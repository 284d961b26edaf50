"""Versioned datasets, signed releases, and where each row came from."""
