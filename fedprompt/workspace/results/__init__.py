"""Scores as people read them: how they were got, what they took, which can be told apart."""
