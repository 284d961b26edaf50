"""From a wrong prediction to the rows, and the sources, that caused it."""
