"""Encodings of a view's columns that detectors share."""
