"""Judges rows: features, detectors, calibration against trusted data, fusion. Pure."""
