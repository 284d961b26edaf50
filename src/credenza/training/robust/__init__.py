"""Defences inside the training loop; none is on by itself."""
