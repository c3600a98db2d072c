"""The statistics of scores: at a site over cases, and over sites from their sums."""
