"""What a hub and a site keep in a home, and the process of the transport's engine."""
