"""The bank's shelf, and what is said of each prompt on it."""
