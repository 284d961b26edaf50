"""A model audit as a page."""
