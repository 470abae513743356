from hypothesis import given, settings
from hypothesis import strategies as st
from tones import cut, encode

from streamer.source.ogg import MAX_PACKET, OggPage, OggReader


def page(body: bytes, lacing: list[int], *, serial: int = 1, sequence: int = 0, flags: int = 0) -> bytes:
    head = b"OggS\0" + bytes([flags]) + bytes(8) + serial.to_bytes(4, "little")
    return head + sequence.to_bytes(4, "little") + bytes(4) + bytes([len(lacing), *lacing]) + body


def read(pieces: list[bytes]) -> list[OggPage]:
    reader = OggReader()
    return [page for piece in pieces for page in reader.feed(piece)]


@settings(deadline=None, max_examples=30)
@given(st.sampled_from(["opus", "flac"]), st.lists(st.integers(1, 5000), min_size=1, max_size=6))
def test_any_chunking_gives_the_same_packets(codec: str, sizes: list[int]) -> None:
    data = encode(codec, seconds=0.5)

    assert read(cut(data, sizes)) == read([data])


def test_a_packet_over_several_pages_is_put_together() -> None:
    first = page(b"xx" + b"a" * 510, [2, 255, 255], flags=2)
    second = page(b"b" * 5, [5], sequence=1, flags=1)

    pages = read([first + second])

    assert [(p.packets, p.first) for p in pages] == [([b"xx"], True), ([b"a" * 510 + b"b" * 5], False)]


def test_a_missing_page_loses_its_packet_and_says_so() -> None:
    start = page(b"xy", [2], flags=2)
    after = page(b"restnew", [4, 3], sequence=2, flags=1)

    pages = read([start + after])

    assert [(page.packets, page.lost) for page in pages] == [([b"xy"], False), ([b"new"], True)]


def test_rubbish_between_pages_is_passed_over() -> None:
    one, two = page(b"a", [1], flags=2), page(b"b", [1], sequence=1)

    pages = read([b"rubbishOggO" + one + b"more" + two])

    assert [page.packets for page in pages] == [[b"a"], [b"b"]]


def test_a_packet_without_end_is_dropped_not_gathered() -> None:
    reader = OggReader()
    list(reader.feed(page(b"x", [1], flags=2)))
    pages = MAX_PACKET // (255 * 255) + 5
    for sequence in range(1, pages):
        flags = 1 if sequence > 1 else 0
        assert not list(reader.feed(page(bytes(255 * 255), [255] * 255, sequence=sequence, flags=flags)))
        assert len(reader._streams[1].partial) <= MAX_PACKET

    assert [p.packets for p in reader.feed(page(b"end", [3], sequence=pages, flags=0))] == [[b"end"]]


@given(st.binary(max_size=3000))
def test_no_bytes_fail(data: bytes) -> None:
    read([data, b"OggS" + data])
