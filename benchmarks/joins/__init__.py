"""Parts of ``benchmarks.joining``."""
