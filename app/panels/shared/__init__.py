"""Shared prompts put to work at home: the choice of a pack, one's own cases, what came of it, and where it goes on."""
