"""Which files of a folder are media."""

import logging
import os
from collections.abc import Iterator

# What a folder is searched for; a file that is named is tried whatever its name.
MEDIA_SUFFIXES = frozenset(
    {".aac", ".ac3", ".aif", ".aiff", ".avi", ".flac", ".m4a", ".m4b", ".mka", ".mkv", ".mov"}
    | {".mp2", ".mp3", ".mp4", ".mpg", ".oga", ".ogg", ".opus", ".ts", ".wav", ".webm", ".wma"}
)


def is_media(name: str) -> bool:
    """Say whether a file is media, by its ending."""
    return os.path.splitext(name)[1].lower() in MEDIA_SUFFIXES  # noqa: PTH122 - a million of them, or a URL


def media_below(folder: str) -> Iterator[str]:
    """Give the media files in a folder and below it, in any order; what can't be read is logged."""

    def unreadable(error: OSError) -> None:
        logging.warning("%s: can't be read: %s", error.filename, error.strerror)

    for parent, _, names in os.walk(folder, onerror=unreadable):
        for name in filter(is_media, names):
            path = os.path.join(parent, name)  # noqa: PTH118
            if os.path.isfile(path):  # noqa: PTH113
                yield path
