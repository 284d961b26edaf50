"""What a scan reads: one file per format, each under limits, none that unpickles."""
