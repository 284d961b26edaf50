"""Attacks on federated rounds, one file each: vectors in place of rows."""
