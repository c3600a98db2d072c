"""Prompts out of the bank and into it: one file a format, both ways."""
