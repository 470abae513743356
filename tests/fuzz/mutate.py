"""A small mutator: an input is a function of its target's seeds and a number, today and in a year."""

import random
from collections.abc import Callable, Sequence

MAX_BYTES = 64 * 1024
FLOODS = 1 / 64  # of all inputs: as long as they may be, by something over and over; finds what takes squares
_EXTREMES = [0, 1, 0x7F, 0x80, 0xFE, 0xFF]
_TEXTS = [
    *(
        b"\0",
        b"\r\n",
        b"\n",
        b"\xff\xfe",
        b"\xef\xbb\xbf",
        b"%00",
        b"../",
        b"\x1b[2J",
        b"'",
        b'"',
        b";",
        b"=",
    ),
    *(
        b"-1",
        b"0",
        b"99999999999999999999",
        b"1e309",
        b"NaN",
        b"0x7f",
        "\u202e\U0001f4a9".encode(),
        b"\xc3\x28",
    ),
    *(b"http://", b"https://[::1", b"file:///etc/passwd", b"//", b"@", b"#", b"?", b":", b"{", b"[", b"]]"),
    b"A" * 300,
]


def make_input(target: str, seeds: Sequence[bytes], number: int, tokens: Sequence[bytes] = ()) -> bytes:
    """Give the input of this number: a seed, changed one to eight times.

    Args:
        target: name of what it is for.
        seeds: valid inputs.
        number: of the input.
        tokens: what has a meaning to the target, to be strewn in.
    """
    chance = random.Random(f"{target}:{number}")
    data = bytearray(chance.choice(seeds))
    for _ in range(min(chance.randint(1, 8), chance.randint(1, 8))):
        chance.choice(_CHANGES)(data, chance, seeds, [*_TEXTS, *tokens])
    if chance.random() < FLOODS:
        _flood(data, chance, [*_TEXTS, *tokens])
    return bytes(data[:MAX_BYTES])


def _flip(data: bytearray, chance: random.Random, *_: object) -> None:
    if data:
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def _set(data: bytearray, chance: random.Random, *_: object) -> None:
    if data:
        data[chance.randrange(len(data))] = chance.choice([*_EXTREMES, chance.randrange(256)])


def _number(data: bytearray, chance: random.Random, *_: object) -> None:
    """Overwrite two to eight bytes with an extreme of that size."""
    size = chance.choice((2, 4, 8))
    if len(data) >= size:
        at = chance.randrange(len(data) - size + 1)
        top = 1 << 8 * size
        value = chance.choice((0, 1, top // 2 - 1, top // 2, top - 1, top - size))
        data[at : at + size] = value.to_bytes(size, chance.choice(("big", "little")))


def _insert(data: bytearray, chance: random.Random, _: object, tokens: Sequence[bytes]) -> None:
    at = chance.randint(0, len(data))
    data[at:at] = chance.choice(tokens)


def _overwrite(data: bytearray, chance: random.Random, _: object, tokens: Sequence[bytes]) -> None:
    at, token = chance.randint(0, len(data)), chance.choice(tokens)
    data[at : at + len(token)] = token


def _remove(data: bytearray, chance: random.Random, *_: object) -> None:
    at = chance.randint(0, len(data))
    del data[at : at + chance.choice((1, 1, 2, 16, 256))]


def _repeat(data: bytearray, chance: random.Random, *_: object) -> None:
    at = chance.randint(0, len(data))
    data[at:at] = data[at : at + chance.choice((1, 4, 64, 1024))] * chance.choice((1, 2, 50))


def _splice(data: bytearray, chance: random.Random, seeds: Sequence[bytes], _: object) -> None:
    other = chance.choice(seeds)
    at = chance.randint(0, len(other))
    data[chance.randint(0, len(data)) :] = other[at:]


def _cut(data: bytearray, chance: random.Random, *_: object) -> None:
    del data[chance.randint(0, len(data)) :]


def _flood(data: bytearray, chance: random.Random, tokens: Sequence[bytes]) -> None:
    at = chance.randint(0, len(data))
    piece = bytes(data[at : at + chance.choice((1, 2, 4, 16, 64))]) or chance.choice(tokens)
    piece = chance.choice((piece, chance.choice(tokens), chance.choice(tokens) + piece))
    data[at:at] = piece * (MAX_BYTES // len(piece))


_Change = Callable[[bytearray, random.Random, Sequence[bytes], Sequence[bytes]], None]
_CHANGES: list[_Change] = [_flip, _set, _number, _insert, _overwrite, _remove, _repeat, _splice, _cut]
