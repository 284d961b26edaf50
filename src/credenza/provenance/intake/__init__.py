"""Untrusted files to Arrow: one file per format, all of them read in a sandbox."""
