"""Prompts beside one another: rankings, comparisons, and the best of each study."""
