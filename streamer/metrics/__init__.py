"""How the daemon is, for Prometheus, and whether it is, for whoever watches it."""
