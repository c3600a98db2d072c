"""Work in progress: buttons that start it, jobs that are followed."""
