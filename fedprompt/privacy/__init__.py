"""What bounds and checks an update: norms, and the schema of what may leave a site. numpy only."""
