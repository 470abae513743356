"""Where each key of a TOML text stands. Only asked when there is something to say about one.

tomllib keeps no positions. This walks a text that tomllib has taken, so it need not judge it.
"""

import re
import tomllib
from bisect import bisect_right

from streamer.errors import Key

_BLANK = re.compile(r"(?:[\s,]|#[^\n]*)*")  # between statements and between values: commas mean nothing here
_STRING = re.compile(r'"""(?:\\.|[^\\])*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\'', re.DOTALL)
_BARE_VALUE = re.compile(r"[^,\]}#\n]+")  # numbers, booleans, dates with a space in them
_KEY_PART = re.compile(r'[ \t]*("(?:\\.|[^"\\\n])*"|\'[^\'\n]*\'|[A-Za-z0-9_-]+)[ \t]*')


def places(text: str) -> dict[Key, tuple[int, int]]:
    """Give line and column, both from 1, of every key, table and list item of a valid TOML text."""
    return _Walk(text).places


class _Walk:
    def __init__(self, text: str) -> None:
        self.places: dict[Key, tuple[int, int]] = {}
        self._text, self._at = text, 0
        self._lines = [0, *(match.end() for match in re.finditer("\n", text))]
        self._lists: dict[Key, int] = {}  # of tables: the number of the newest
        table: Key = ()
        while self._skip():
            start = self._at
            if text[start] == "[":
                table = self._header(start)
            else:
                self._pair(table)

    def _header(self, start: int) -> Key:
        """Take `[a.b]` or `[[a.b]]`; give the table that begins."""
        double = self._text.startswith("[[", start)
        self._at += 2 if double else 1
        *above, last = self._key()
        self._at += 2 if double else 1
        key: Key = ()
        for part in above:
            key = self._newest((*key, part))
            self._note(key, start)
        key = (*key, last)
        self._note(key, start)
        if not double:
            return key
        self._lists[key] = self._lists.get(key, -1) + 1
        key = self._newest(key)
        self._note(key, start)
        return key

    def _newest(self, key: Key) -> Key:
        return (*key, self._lists[key]) if key in self._lists else key

    def _pair(self, table: Key) -> None:
        """Take `a.b = value`."""
        start, key = self._at, table
        for part in self._key():
            key = (*key, part)
            self._note(key, start)
        self._at += 1  # the equals sign
        self._value(key)

    def _key(self) -> list[str]:
        parts = []
        while match := _KEY_PART.match(self._text, self._at):
            self._at = match.end()
            name = match.group(1)
            parts.append(next(iter(tomllib.loads(f"{name} = 0"))) if name[0] in "\"'" else name)
            if self._text[self._at] != ".":
                break
            self._at += 1
        return parts

    def _value(self, key: Key) -> None:
        self._skip()
        text = self._text
        if text[self._at] == "[":
            self._at += 1
            number = 0
            while self._skip() and text[self._at] != "]":
                self._note((*key, number), self._at)
                self._value((*key, number))
                number += 1
            self._at += 1
        elif text[self._at] == "{":
            self._at += 1
            while self._skip() and text[self._at] != "}":
                self._pair(key)
            self._at += 1
        else:
            match = _STRING.match(text, self._at) or _BARE_VALUE.match(text, self._at)
            assert match is not None  # tomllib has taken it
            self._at = match.end()

    def _skip(self) -> bool:
        """Go to whatever comes next; say whether there is something."""
        match = _BLANK.match(self._text, self._at)
        assert match is not None  # it matches nothing, too
        self._at = match.end()
        return self._at < len(self._text)

    def _note(self, key: Key, offset: int) -> None:
        line = bisect_right(self._lines, offset)
        self.places.setdefault(key, (line, offset - self._lines[line - 1] + 1))
