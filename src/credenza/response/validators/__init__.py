"""Independent looks at what is under suspicion, one file each."""
