"""Which codec bytes hold, told from the bytes: servers' Content-Type is often wrong, magic rarely."""

from typing import Literal

from streamer.errors import NotAudioError
from streamer.source.frames import FrameCodec, frame_length, same_kind

SNIFF_BYTES = 1 << 16  # a stream is joined anywhere: two MP3 or AAC frames in a row lie well within this
TEXT_BYTES = 512

_REMEDY = "give a stream of MP3, AAC or Ogg (Vorbis, Opus, FLAC), or a playlist of such streams"

_FRAMED: tuple[FrameCodec, ...] = ("mp3", "aac")
_KNOWN = {  # magic of what is no audio stream that we decode -> what to call it
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff\xe0": "a JPEG image",
    b"GIF8": "a GIF image",
    b"%PDF": "a PDF document",
    b"PK\x03\x04": "a ZIP archive",
    b"\x1f\x8b": "gzip data",
    b"FLV\x01": "a Flash video",
    b"\x1aE\xdf\xa3": "a Matroska or WebM file",
    b"RIFF": "a RIFF file (WAV or AVI)",
    b"ADIF": "AAC in ADIF",
    b"fLaC": "FLAC without Ogg around it",
}


def looks_like_text(head: bytes) -> bool:
    """True where the bytes are what people or programs write: HTML, JSON, a playlist, a letter."""
    head = head[:TEXT_BYTES]
    if len(head) < 4:
        return False
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) and head[2:].count(0) * 3 > len(head):
        return True  # UTF-16 with its mark
    if any(byte < 9 or 13 < byte < 27 or 27 < byte < 32 for byte in head):
        return False
    if len(head) >= 64 and max(map(head.count, set(head))) * 5 > 4 * len(head):
        return False  # LAME pads silence with hundreds of 'U'
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start >= len(head) - 3 and error.start > 0  # only cut in mid-character
    return True


def sniff(
    head: bytes, *, name: str, content_type: str = "", final: bool = False
) -> tuple[FrameCodec | Literal["ogg"], int] | None:
    """Say which codec begins where: ('mp3' | 'aac' | 'ogg', offset); None for "more bytes, please".

    Args:
        head: the first bytes, leading ID3v2 tags taken off.
        name: what to call the source in an error.
        content_type: what the server said, for an error.
        final: True when no more bytes will come.

    Raises:
        NotAudioError: this is nothing that we decode.
    """
    if head.startswith(b"OggS"):
        return "ogg", 0
    if len(head) < 4 and not final:
        return None
    what = next((what for magic, what in _KNOWN.items() if head.startswith(magic)), "")
    if head[4:8] == b"ftyp":
        what = "an MP4 file"
    if not what and (len(head) >= TEXT_BYTES or final) and looks_like_text(head):
        page = head.lstrip()[:15].lower().startswith((b"<!doctype html", b"<html"))
        what = "a web page" if page else "text"
    if what:
        raise not_audio(name, f"is {what}, not an audio stream", content_type)
    head, final = head[:SNIFF_BYTES], final or len(head) >= SNIFF_BYTES
    for at in range(max(0, len(head) - 3)):
        if head[at] == 0xFF and (codec := _frame_chain(head, at, final=final)) != "":
            return None if codec is None else (codec, at)
    if final:
        raise not_audio(name, "holds no audio that is known here", content_type)
    return None


def not_audio(name: str, what: str, content_type: str = "") -> NotAudioError:
    """Build the error of `sniff`, the server's Content-Type named where it gave one."""
    said = f" (the server calls it '{content_type[:80]}')" if content_type else ""
    return NotAudioError(f"{name}: {what}{said}", remedy=_REMEDY)


def _frame_chain(head: bytes, at: int, *, final: bool) -> FrameCodec | Literal[""] | None:
    """Name the codec of which three frames follow one another from here.

    Gives '' where they don't, None where more bytes must tell (so that the answer never depends
    on how the stream was cut). At the end of the data two frames do, or one that ends it.
    """
    for codec in _FRAMED:
        here, lengths = at, 0
        while lengths < 3 and (length := frame_length(head, here, codec)):
            if not same_kind(head, at, here, codec):
                break
            here += length
            lengths += 1
            if here + 8 > len(head):
                if not final:
                    return None
                return codec if lengths > 1 or here == len(head) else ""
        if lengths == 3:
            return codec
    return ""
