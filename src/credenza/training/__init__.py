"""Defences while and after training; the reference model that the gate judges labels by."""
