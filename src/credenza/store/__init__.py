"""Where bytes rest: blobs, the transparency log and the SQL catalog."""
