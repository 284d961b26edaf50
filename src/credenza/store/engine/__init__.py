"""Where mergeable work runs."""
