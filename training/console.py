"""Where training writes for people, and how its errors end a command."""

import sys
from collections.abc import Callable

from rich.console import Console

from streamer.errors import GenrecastError

out = Console(soft_wrap=True, highlight=False)


def guarded(command: Callable[[], object], *, name: str) -> int:
    """Run a command; give its exit status. An error that a user can meet is two lines, no traceback."""
    try:
        command()
    except GenrecastError as error:
        return told(error, name=name)
    except KeyboardInterrupt:
        print(f"{name}: stopped; the same command goes on from here", file=sys.stderr)
        return 130
    return 0


def told(error: GenrecastError, *, name: str) -> int:
    """Tell a user what went wrong and what to do; give the exit status."""
    print(f"{name}: {error.message}\n  -> {error.remedy}", file=sys.stderr)
    return error.exit_status
