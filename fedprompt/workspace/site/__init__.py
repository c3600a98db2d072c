"""What a site's operator does, a file a command."""
