"""Cases, their splits, scorers, and the statistics of scores.

What is measured and how sure one may be of it.
"""
