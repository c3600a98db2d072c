"""One answer of any model to one case."""
