"""Measurements, each runnable alone (``python -m benchmarks.NAME --json``); results stand in ``LOG.md``."""
