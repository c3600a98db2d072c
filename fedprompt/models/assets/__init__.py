"""Models, encoders and text that are fetched once and kept in the home."""
