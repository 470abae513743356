"""`python -m streamer.cli`: the command where no script is installed."""

from streamer.cli.main import main

main()
