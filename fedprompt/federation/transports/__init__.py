"""What carries tasks to sites and replies back, as opaque bytes."""
