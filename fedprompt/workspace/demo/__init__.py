"""The demo: its text, its time, its run and its result."""
