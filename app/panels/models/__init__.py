"""The models that a visitor may choose, try and add."""
