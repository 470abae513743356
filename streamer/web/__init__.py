"""What the page and the metrics share: a socket that is served, and a guard before it."""
