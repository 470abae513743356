from hypothesis import given
from hypothesis import strategies as st
from tones import cut

from streamer.flow import Title
from streamer.source.icy import MAX_METAINT, IcyReader, parse_metaint, parse_title
from streamer.source.titles import MAX_TITLE, clean_title, decode_title


def interleave(audio: bytes, metaint: int, blocks: list[bytes]) -> bytes:
    """Write a stream as SHOUTcast does."""
    stream, turn = b"", 0
    for at in range(0, len(audio), metaint):
        part = audio[at : at + metaint]
        stream += part
        if len(part) == metaint:
            text = blocks[turn % len(blocks)] if blocks else b""
            turn += 1
            stream += bytes([(len(text) + 15) // 16]) + text.ljust((len(text) + 15) // 16 * 16, b"\0")
    return stream


def read(pieces: list[bytes], metaint: int) -> tuple[bytes, list[tuple[int, str]]]:
    """Give the audio, and each title with the count of audio bytes before it."""
    reader, audio, titles = IcyReader(metaint), b"", []
    for piece in pieces:
        for part in reader.feed(piece):
            if isinstance(part, Title):
                titles.append((len(audio), part.text))
            else:
                audio += part
    return audio, titles


@given(
    audio=st.binary(max_size=2000),
    metaint=st.integers(1, 300),
    names=st.lists(st.text(st.characters(categories=["L", "N"]), max_size=40), max_size=4),
    sizes=st.lists(st.integers(1, 500), min_size=1, max_size=8),
)
def test_any_chunking_gives_the_audio_and_titles_of_one_piece(
    audio: bytes, metaint: int, names: list[str], sizes: list[int]
) -> None:
    blocks = [f"StreamTitle='{name}';StreamUrl='';".encode() for name in names]
    stream = interleave(audio, metaint, blocks)

    whole = read([stream], metaint)

    assert whole[0] == audio
    assert read(cut(stream, sizes), metaint) == whole


def test_a_title_is_given_where_it_changes_and_only_there() -> None:
    blocks = [b"StreamTitle='A';", b"StreamTitle='A';", b"", b"StreamTitle='B';"]

    _, titles = read([interleave(bytes(400), 100, blocks)], 100)

    assert titles == [(100, "A"), (400, "B")]


def test_quotes_and_semicolons_within_a_title_stay() -> None:
    assert parse_title(b"StreamTitle='It's a 'Fine'; Day';StreamUrl='http://x/';\0\0") == "It's a 'Fine'; Day"
    assert parse_title(b"StreamTitle='Rock 'n' Roll';\0\0\0") == "Rock 'n' Roll"
    assert parse_title(b"StreamTitle='';StreamUrl='a';") == ""
    assert parse_title(b"StreamTitle='cut off in mid-ti") == "cut off in mid-ti"
    assert parse_title(b"StreamUrl='x';") is None


def test_charsets_are_tried_in_order() -> None:
    assert decode_title("Björk".encode()) == "Björk"
    assert decode_title("Björk".encode("latin-1")) == "Björk"
    assert decode_title("Кино".encode("cp1251"), "cp1251") == "Кино"
    assert decode_title(b"\x98 ", "cp1251") == ""  # unknown there: Latin-1, a control character there


@given(st.binary(max_size=4080))
def test_no_metadata_block_fails_and_no_control_character_comes_through(block: bytes) -> None:
    title = parse_title(b"StreamTitle='" + block, "cp1252")

    assert title is not None
    assert title.isprintable()
    assert len(title) <= MAX_TITLE


def test_hostile_titles_are_defused() -> None:
    assert clean_title("\x1b[31mred\x07\u202eevil\r\n next") == "[31mredevil next"
    assert len(clean_title("x" * 100_000)) == MAX_TITLE


def test_metaint_is_believed_only_where_it_makes_sense() -> None:
    assert parse_metaint(" 16000 ") == 16000
    for nonsense in ("", "0", "-1", "abc", "1e9", str(MAX_METAINT + 1), "9" * 5000, "²"):
        assert parse_metaint(nonsense) is None
