"""The process that tags, and what becomes of a file that brings it down."""

import contextlib
import os
import signal
import threading
import time
from pathlib import Path

import pytest

from streamer.archive.tagger import StoppedError, Tagger
from streamer.archive.wire import Failed, Tagged
from streamer.errors import GenrecastError
from tests.tiny_model import model_bytes

pytestmark = pytest.mark.slow


@pytest.fixture
def paths(tmp_path, song):
    for number in range(6):
        (tmp_path / f"{number}.mp3").write_bytes(song)
    return [os.fsencode(tmp_path / f"{number}.mp3") for number in range(6)]


@pytest.fixture
def tagger():
    tagger = Tagger(model_bytes(), "tiny.onnx", quiet_s=20)
    yield tagger
    tagger.close()


def test_answers_come_in_order_and_one_process_does_all(tagger, paths, tmp_path):
    (tmp_path / "2.mp3").write_text("no audio\n" * 100)

    answers = list(tagger.tag(paths))
    process = tagger._child.process.pid

    assert [type(answer) for answer in answers] == [Tagged, Tagged, Failed, Tagged, Tagged, Tagged]
    assert answers[2].code == "not-audio"
    assert list(tagger.tag(paths[:1])) == answers[:1]
    assert tagger._child.process.pid == process


def test_a_file_that_kills_it_twice_is_told_and_the_others_are_done(tagger, paths, song):
    Path(os.fsdecode(paths[2])).write_bytes(song * 100)
    over = threading.Event()
    killer = threading.Thread(target=kill_at, args=(tagger, "2.mp3", over))
    killer.start()

    answers = list(tagger.tag(paths))
    over.set()
    killer.join()

    assert [type(answer) for answer in answers] == [Tagged, Tagged, Failed, Tagged, Tagged, Tagged]
    assert answers[2].code == "worker"
    assert "2.mp3" in answers[2].message
    assert "SIGKILL" in answers[2].message


def kill_at(tagger, name, over):
    """Kill whoever opens a file, as a broken decoder would do."""
    while not over.is_set():
        process = tagger._child.process if tagger._child else None
        with contextlib.suppress(OSError):
            for descriptor in Path(f"/proc/{process.pid}/fd").iterdir() if process else ():
                if descriptor.readlink().name == name:
                    process.kill()
        time.sleep(0.001)


def test_one_that_hangs_is_replaced(paths):
    tagger = Tagger(model_bytes(), "tiny.onnx", quiet_s=3)
    tagging = tagger.tag(paths * 50)
    answers = [next(tagging)]
    hangs = tagger._child.process

    hangs.send_signal(signal.SIGSTOP)
    answers += tagging
    replaced = tagger._child.process.pid != hangs.pid
    tagger.close()

    assert replaced
    assert len(answers) == 300
    assert all(isinstance(answer, Tagged) for answer in answers)


def test_a_model_that_can_not_be_used_is_nobody_s_file_s_fault(paths):
    tagger = Tagger(b"no model", "broken.onnx")

    with pytest.raises(GenrecastError) as told:
        list(tagger.tag(paths))

    tagger.close()
    assert told.value.code == "model-file"
    assert "broken.onnx" in told.value.message


def test_it_is_stopped_from_another_thread(tagger, paths):
    tagging = tagger.tag(paths * 1000)
    next(tagging)
    stopper = threading.Timer(0.1, tagger.stop)
    stopper.start()

    with pytest.raises(StoppedError):
        list(tagging)

    stopper.join()
