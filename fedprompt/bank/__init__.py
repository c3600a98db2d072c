"""The hub's store of studies, prompts, scores, rounds and jobs: one SQLite file that is appended to."""
