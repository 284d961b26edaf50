"""The porch: translate between people, terminals and the workspace; never decide."""
