"""Values: studies and their digests, scores and comparisons, and the closed schemas of tasks and replies."""
