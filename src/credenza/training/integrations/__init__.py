"""Other people's training frameworks, each in a file that imports it."""
