"""Words, colours, numbers and addresses: what the session and every panel show things with."""
