"""`genrecast classify`: each kind of file has its documented answer (docs/operations.md)."""

import json
import subprocess
import sys

import numpy as np
import pytest

from tests.audio_files import sound, write

pytestmark = pytest.mark.slow  # each starts processes or waits; together too long for `make quick`


def test_music_is_classified(classify, tmp_path):
    path = write(tmp_path / "a.mp3", sound(10))

    (row,), status = classify(path)

    assert status == 0
    assert row["path"] == str(path)
    assert row["state"] in ("music", "speech", "noise", "unsure")
    assert sum(row["probabilities"].values()) == pytest.approx(1.0, abs=1e-3)
    assert row["seconds"] == pytest.approx(10, abs=0.1)
    assert "segments" not in row


def test_segments_are_a_time_line(classify, tmp_path):
    (row,), _ = classify("--segments", write(tmp_path / "a.mp3", sound(10)))

    spans = [(round(part["from"]), round(part["to"])) for part in row["segments"]]
    assert spans == [(0, 3), (3, 6), (6, 9), (7, 10)]  # the last ends with the audio


def test_truncated_mp3_is_classified_as_far_as_it_goes(classify, tmp_path):
    path = write(tmp_path / "a.mp3", sound(20))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2 + 13])

    (row,), status = classify(path)

    assert status == 0
    assert row["seconds"] == pytest.approx(10, abs=0.5)


@pytest.mark.parametrize(
    "content",
    [
        "this is a text\n" * 5000,
        "#EXTM3U\nfile:///etc/passwd\n",
        "ffconcat version 1.0\nfile /etc/passwd\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n",
    ],
)
def test_text_renamed_is_not_audio(classify, tmp_path, content):
    path = tmp_path / "a.mp3"
    path.write_text(content)

    (row,), status = classify(path)

    assert row["error"]["code"] == "not-audio"
    assert "a.mp3" in row["error"]["message"]
    assert status == 7


def test_empty_file(classify, tmp_path):
    path = tmp_path / "a.mp3"
    path.touch()

    (row,), status = classify(path)

    assert (row["error"]["code"], status) == ("empty", 7)


def test_half_a_second_is_too_short(classify, tmp_path):
    (row,), status = classify(write(tmp_path / "a.wav", sound(0.5), codec="pcm_s16le"))

    assert (row["error"]["code"], status) == ("too-short", 7)


def test_two_seconds_are_enough(classify, tmp_path):
    (row,), status = classify(write(tmp_path / "a.wav", sound(2), codec="pcm_s16le"))

    assert status == 0
    assert row["state"] != "silence"


def test_video_with_sound(classify, tmp_path):
    (row,), status = classify(write(tmp_path / "a.mp4", sound(6), codec="aac", video=True))

    assert status == 0
    assert row["seconds"] == pytest.approx(6, abs=0.2)


def test_missing_path(classify, tmp_path):
    (row,), status = classify(tmp_path / "nothing.mp3")

    assert (row["error"]["code"], status) == ("source-not-found", 7)


@pytest.mark.parametrize("name", ["x" * 300, "with space", "umlaut-\u00fc", "line\nbreak"])
def test_any_name_is_answered(classify, tmp_path, name):
    (row,), status = classify(tmp_path / name)

    assert (row["error"]["code"], status) == ("source-not-found", 7)
    assert row["path"] == str(tmp_path / name)


def test_file_that_can_not_be_read_does_not_stop_the_others(classify, tmp_path):
    good = write(tmp_path / "good.wav", sound(4), codec="pcm_s16le")

    rows, status = classify("/proc/self/mem", good)  # reads of it fail, as on a bad disk

    assert ["error" in row for row in rows] == [True, False]
    assert status == 7


def test_folder_means_the_files_in_it(classify, tmp_path):
    (tmp_path / "in").mkdir()
    write(tmp_path / "in" / "b.wav", sound(4), codec="pcm_s16le")
    write(tmp_path / "a.mp3", sound(4))
    (tmp_path / "cover.jpg").write_bytes(b"no sound in it")

    rows, status = classify(tmp_path)

    assert status == 0
    assert [row["path"] for row in rows] == [str(tmp_path / "a.mp3"), str(tmp_path / "in" / "b.wav")]


def test_empty_folder_is_told(classify, tmp_path):
    (row,), status = classify(tmp_path)

    assert (row["error"]["code"], status) == ("source-not-found", 7)


def test_digital_silence(classify, tmp_path):
    (row,), status = classify(write(tmp_path / "a.wav", np.zeros(44_100 * 8, np.float32), codec="pcm_s16le"))

    assert status == 0
    assert (row["state"], row["genre"], row["confidence"], row["probabilities"]) == (
        "silence",
        None,
        1.0,
        None,
    )


def test_bad_files_do_not_stop_the_others(classify, tmp_path):
    bad = tmp_path / "bad.mp3"
    bad.write_text("no")
    good = write(tmp_path / "good.mp3", sound(4))

    rows, status = classify(bad, good, tmp_path / "nothing.mp3")

    assert ["error" in row for row in rows] == [True, False, True]
    assert status == 7


@pytest.mark.slow
def test_three_hours_in_bounded_memory(tiny, tmp_path):
    minute = write(tmp_path / "minute.mp3", sound(60)).read_bytes()
    path = tmp_path / "long.mp3"
    path.write_bytes(minute * 180)
    # The process says its own peak: what the kernel tells of a child may be its parent's.
    code = (
        "import atexit, re, sys; from streamer.cli.main import main\n"
        "peak = lambda: re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1]\n"
        "atexit.register(lambda: print(peak(), file=sys.stderr)); main(sys.argv[1:])"
    )

    done = subprocess.run(
        [sys.executable, "-c", code, "classify", "--model", str(tiny), str(path)],
        capture_output=True,
        text=True,
        check=True,
    )

    assert json.loads(done.stdout)["seconds"] == pytest.approx(3 * 3600, rel=0.01)
    peak_mb = int(done.stderr) / 1024
    assert peak_mb < 200, f"{peak_mb:.0f} MiB"
