"""The map of prompts."""
