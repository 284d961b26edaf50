"""The demo: a year of real flights passes the gate, told as it happens."""
