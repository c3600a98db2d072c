"""A federation: forecast, run, watched, ordered about, and told as a table at its end."""
