"""ID3v2: the title in a tag, as HLS sends it between its audio. Only what says artist and title is read."""

from streamer.source.titles import clean_title, decode_title, join_title

MAX_TAGS = 100  # before a segment's audio; servers send one or two
MAX_FRAMES = 200  # of a tag; the largest hold some dozens

_ENCODINGS = {1: "utf-16", 2: "utf-16-be"}  # 0 and 3 (Latin-1, UTF-8) are left to `decode_title`


def id3_size(head: bytes) -> int:
    """Give the whole size of the ID3v2 tag that begins here; 0 where none does. Wants 10 bytes."""
    if len(head) < 10 or not head.startswith(b"ID3") or head[3] == 0xFF or max(head[6:10]) > 0x7F:
        return 0
    size = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
    return 10 + size + (10 if head[5] & 0x10 else 0)


def split_id3(data: bytes) -> tuple[str | None, bytes]:
    """Take the tags off the front: the last title in them, None where there is none, and the rest."""
    title: str | None = None
    at = 0
    for _ in range(MAX_TAGS):
        size = id3_size(data[at : at + 10])
        if not size:
            break
        title = id3_title(data[at : at + size]) or title
        at += size
    return title, data[at:]


def id3_title(tag: bytes) -> str | None:
    """Give `artist - title` of one ID3v2.3 or v2.4 tag, None where it has neither."""
    if id3_size(tag[:10]) == 0 or tag[3] not in (3, 4):
        return None
    texts: dict[bytes, str] = {}
    at = 10
    for _ in range(MAX_FRAMES):
        if at + 10 >= len(tag) or not tag[at : at + 4].isalnum():
            break
        raw = tag[at + 4 : at + 8]
        if tag[3] == 4:  # v2.4 leaves the top bit of each byte out
            size = raw[0] << 21 | raw[1] << 14 | raw[2] << 7 | raw[3]
        else:
            size = int.from_bytes(raw, "big")
        body = tag[at + 10 : at + 10 + min(size, 4096)]
        if tag[at : at + 4] in (b"TPE1", b"TIT2") and body:
            texts[tag[at : at + 4]] = _text(body)
        at += 10 + size
    return join_title(texts.get(b"TPE1", ""), texts.get(b"TIT2", "")) or None


def _text(body: bytes) -> str:
    encoding = _ENCODINGS.get(body[0])
    if encoding is None:
        return decode_title(body[1:].rstrip(b"\x00"))
    return clean_title(body[1:].decode(encoding, errors="ignore"))
