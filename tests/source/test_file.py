import asyncio
import io
import os
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import av
import numpy as np
import pytest
from loopback import listen
from tones import encode, formats_of, pitch_hz, samples_of, titles_of

from streamer.errors import EmptyAudioError, NotAudioError, SourceError, SourceNotFoundError
from streamer.flow import Block
from streamer.source.file import LIVE_SLICE_S, read_file
from streamer.source.open import open_source


@pytest.mark.parametrize("codec", ["mp3", "aac", "opus", "vorbis", "flac", "wav", "m4a"])
def test_a_tone_keeps_pitch_and_length(tmp_path: Path, codec: str) -> None:
    path = tmp_path / "no-hint-in-the-name"
    path.write_bytes(encode(codec, rate=48_000, title="A title"))

    events = list(read_file(path))

    samples = samples_of(events)
    assert formats_of(events)[0].rate == 48_000
    assert abs(len(samples) / 48_000 - 1.5) < 0.1
    assert abs(pitch_hz(samples[10_000:50_000, 0], 48_000) - 440) < 1
    assert max(len(event.samples) for event in events if isinstance(event, Block)) < 1.2 * 48_000
    if codec not in ("aac", "wav"):
        assert titles_of(events) == ["A title"]


def test_a_video_with_sound_is_its_sound(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    with av.open(str(path), "w") as film, av.open(io.BytesIO(encode("aac"))) as sound:
        picture = film.add_stream("mpeg4", rate=10)
        picture.width, picture.height, picture.pix_fmt = 64, 64, "yuv420p"
        track = film.add_stream_from_template(sound.streams.audio[0])
        for _ in range(10):
            film.mux(picture.encode(av.VideoFrame(64, 64, "yuv420p")))
        film.mux(picture.encode(None))
        for packet in sound.demux(audio=0):
            if packet.size:
                packet.stream = track
                film.mux(packet)

    events = list(read_file(path))

    assert abs(pitch_hz(samples_of(events)[10_000:50_000, 0], 48_000) - 440) < 1


def test_a_truncated_file_is_shorter_audio(tmp_path: Path) -> None:
    path = tmp_path / "cut.mp3"
    whole = encode("mp3", seconds=3.0)
    path.write_bytes(whole[: len(whole) // 2 + 7])

    samples = samples_of(list(read_file(path)))

    assert abs(len(samples) / 48_000 - 1.5) < 0.2


def _png() -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format="image2pipe") as container:
        stream = container.add_stream("png", rate=1)
        stream.width = stream.height = 32
        stream.pix_fmt = "rgb24"
        container.mux(stream.encode(av.VideoFrame(32, 32, "rgb24")))
        container.mux(stream.encode(None))
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", EmptyAudioError),
        (b"Dear Ada, this is a letter and no music at all.\n" * 500, NotAudioError),
        (b"x\n", NotAudioError),
        (bytes(100_000), NotAudioError),
        (np.random.default_rng(1).bytes(300_000), NotAudioError),
        (encode("mp3")[:200], NotAudioError),
        (encode("m4a")[:3000], NotAudioError),
        (encode("wav").partition(b"data")[0] + b"data" + bytes(4), EmptyAudioError),
        (_png(), NotAudioError),
    ],
    ids=["empty", "letter", "short-text", "zeros", "noise", "mp3-head", "mp4-head", "wav-head", "picture"],
)
def test_what_is_no_audio_has_its_own_final_error(
    tmp_path: Path, data: bytes, kind: type[SourceError]
) -> None:
    path = tmp_path / "song.mp3"
    path.write_bytes(data)

    with pytest.raises(kind) as caught:
        list(read_file(path))

    assert caught.value.final
    assert "song.mp3" in caught.value.message


def test_missing_paths_folders_and_pipes_have_final_errors(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    for path, kind in (
        (tmp_path / "none.mp3", SourceNotFoundError),
        (tmp_path, NotAudioError),
        (tmp_path / "pipe", NotAudioError),
        (Path("/dev/zero"), NotAudioError),
    ):
        with pytest.raises(kind) as caught:
            list(read_file(path))
        assert caught.value.final


SCRIPTS = {
    "m3u": b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{target}\n#EXT-X-ENDLIST\n",
    "ffconcat": b"ffconcat version 1.0\nfile '{target}'\n",
    "ffconcat-binary": b"ffconcat version 1.0\n#\x00\x01\x02\xff\nfile '{target}'\n",
    "m3u-binary": b"#EXTM3U\n#\x00\x01\xff\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{target}\n",
    "sdp": b"v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=audio 5004 RTP/AVP 0\n",
    "dash": b'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><BaseURL>{target}</MPD>',
}


@pytest.mark.parametrize("suffix", ["mp3", "m3u8", "ffconcat"])
@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_that_names_other_files_opens_none(tmp_path: Path, script: str, suffix: str) -> None:
    secret = tmp_path / "secret.wav"
    secret.write_bytes(encode("wav"))
    path = tmp_path / f"song.{suffix}"
    path.write_bytes(SCRIPTS[script].replace(b"{target}", b"secret.wav"))
    code = "import sys, pathlib, streamer.source.file as f; list(f.read_file(pathlib.Path(sys.argv[1])))"
    os.utime(secret, ns=(1, secret.stat().st_mtime_ns))  # an access older than the change is always renewed

    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}

    done = subprocess.run(  # in the folder itself, so that the name in the script leads to the file
        [sys.executable, "-c", code, path], capture_output=True, text=True, cwd=tmp_path, env=env
    )

    assert "NotAudioError" in done.stderr
    assert secret.stat().st_atime_ns == 1, "the file that the script names was read"


@pytest.mark.slow
def test_memory_is_bounded_whatever_the_length(tmp_path: Path) -> None:
    path = tmp_path / "long.flac.ogg"
    path.write_bytes(encode("flac", seconds=600, level=0.0))

    tracemalloc.start()
    seconds = sum(len(event.samples) for event in read_file(path) if isinstance(event, Block)) / 48_000
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert abs(seconds - 600) < 1
    assert peak < 20_000_000


def test_a_paced_file_comes_as_it_would_be_heard_and_then_ends(tmp_path: Path) -> None:
    path = tmp_path / "a.mp3"
    path.write_bytes(encode("mp3", seconds=0.8))

    begun = time.monotonic()
    events, error = asyncio.run(listen(open_source(f"file:{path}?pace=live")))
    took_s = time.monotonic() - begun

    assert error is None
    assert took_s >= len(samples_of(events)) / 48_000
    assert max(len(e.samples) for e in events if isinstance(e, Block)) <= 1.2 * LIVE_SLICE_S * 48_000


def test_a_file_source_gives_way_and_ends_by_itself(tmp_path: Path) -> None:
    path = tmp_path / "a.mp3"
    path.write_bytes(encode("mp3", seconds=30))

    async def run() -> tuple[int, float]:
        turns = 0

        async def others() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        task = asyncio.create_task(others())
        events, error = await listen(open_source(str(path)))
        task.cancel()
        assert error is None
        return turns, len(samples_of(events)) / 48_000

    turns, seconds = asyncio.run(run())

    assert abs(seconds - 30) < 0.1
    assert turns >= 30


def test_closing_in_the_middle_is_clean(tmp_path: Path) -> None:
    path = tmp_path / "a.mp3"
    path.write_bytes(encode("mp3", seconds=30))

    async def run() -> None:
        source = open_source(str(path))
        task = asyncio.create_task(listen(source))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await source.close()

    asyncio.run(run())


def test_a_track_of_a_codec_that_ffmpeg_does_not_know_is_no_audio(tmp_path: Path) -> None:
    path = tmp_path / "strange.mp4"
    path.write_bytes(encode("m4a").replace(b"mp4a", b"zzzz").replace(b"esds", b"zzzz"))

    with pytest.raises(NotAudioError, match="not decoded here"):
        list(read_file(path))
