"""What visitors try: variants over rows, kept as runs and test sets."""
