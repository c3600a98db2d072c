"""The ranking, its filters and its file."""
