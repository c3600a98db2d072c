"""What a hub's operator does, a file a command."""
