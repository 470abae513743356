"""Whether a configuration can be used: everything that is wrong with it, at once, with its place."""
