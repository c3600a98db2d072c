"""Chat models behind a server, and what they cost."""
