"""Control charts: one source against its own past, whatever the others do."""
