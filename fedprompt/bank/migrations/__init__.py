"""Numbered migrations: each is applied once, in order, and never edited afterwards."""
