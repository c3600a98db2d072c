"""This machine: what it has, who signs in, and the processes that the app starts."""
