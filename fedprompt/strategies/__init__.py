"""Strategies, one a file. To add one: write the file, then register it in one line of ``registry``."""
