"""The command line: thin, it reads options, calls one workspace action and prints. Starts without torch."""
