"""A federation: who takes part, its rounds, its traffic and its orders."""
