"""Where bytes rest: blobs, the transparency log, the SQL catalog, and engines for work."""
