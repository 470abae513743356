"""The page: what all stations play, in a browser. It subscribes to the bus and only shows."""
