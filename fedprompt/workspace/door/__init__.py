"""What stands before every server of ours: addresses, the token that opens the app, and patience with slow clients."""
