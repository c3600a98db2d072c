"""The state of a home at a glance."""
