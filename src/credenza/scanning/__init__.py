"""The scan of one training set: a table in, rows, groups and sources out."""
