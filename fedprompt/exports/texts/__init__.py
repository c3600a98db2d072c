"""Formats of other tools that hold a prompt's text."""
