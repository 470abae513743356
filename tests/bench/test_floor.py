"""The floor decodes what the stations send."""

from bench.floor import ogg_packets


def page(*lengths: int, body: bytes) -> bytes:
    """Give an Ogg page with this lacing; nothing else of its header is looked at."""
    return b"OggS" + bytes(22) + bytes([len(lengths), *lengths]) + body


def test_packets_are_cut_over_the_bounds_of_pages() -> None:
    long = bytes(range(256)) + b"end"
    data = page(8, body=b"OpusHead") + page(8, body=b"OpusTags")
    data += page(2, 255, body=b"ab" + long[:255]) + page(4, 1, body=long[255:] + b"c")
    data += page(8, body=b"OpusHead") + page(3, body=b"def")

    assert ogg_packets(data) == [b"OpusHead", b"OpusTags", b"ab", long, b"c", b"def"]
