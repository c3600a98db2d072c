"""The other side of a benchmark: scripts that run in a peer's own environment and import nothing of fedprompt."""
