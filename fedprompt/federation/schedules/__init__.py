"""How the rounds of a strategy go: one schedule a file, each named in ``federation.rounds``."""
