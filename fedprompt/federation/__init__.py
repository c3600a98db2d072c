"""Rounds: the hub sends, sites answer, the hub aggregates. To it a site is something that answers a task."""
