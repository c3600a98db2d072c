"""Prompts for other programs: in Python, and behind OpenAI's HTTP interface."""
