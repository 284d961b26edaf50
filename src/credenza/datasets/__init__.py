"""Versioned datasets, quarantine, signed releases, and where each row came from."""
