"""An append-only RFC 6962 log in C2SP tlog-tiles files, with signed checkpoints."""
