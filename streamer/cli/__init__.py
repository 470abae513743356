"""The commands: each reads arguments, builds, calls, prints."""
