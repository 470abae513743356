"""From other people's lists of stations to a configuration: read, named, told apart, written."""
