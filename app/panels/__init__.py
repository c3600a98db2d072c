"""Drawn pieces: each takes values and draws them; none calls an action of its own accord."""
