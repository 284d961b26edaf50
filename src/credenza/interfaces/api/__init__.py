"""The service: what the gate found, over HTTP, for reading only."""
