"""Texts for people to read: nothing that could harm a terminal."""


def printable(text: str) -> str:
    """Give a text that can't harm a terminal and that UTF-8 can hold: titles and file names are any bytes."""
    if text.isprintable():
        return text
    text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
