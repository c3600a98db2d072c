"""Prompts out of the bank and into it, in the formats of other tools and as signed releases."""
