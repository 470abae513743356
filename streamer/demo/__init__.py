"""A minute of synthetic radio, served and tagged for real."""
