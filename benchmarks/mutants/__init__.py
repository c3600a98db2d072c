"""Messages bent on purpose: honest ones, ways of bending them, and what may pass."""
