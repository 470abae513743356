"""One socket for the subscribers of many daemons."""
