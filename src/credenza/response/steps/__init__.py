"""The steps of a recovery: each a value that says what it does, checks itself and does it."""
