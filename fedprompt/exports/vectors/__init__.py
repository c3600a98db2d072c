"""Formats that hold a soft prompt's vectors."""
