"""Statistics of one batch that a campaign would bend; one family a file."""
