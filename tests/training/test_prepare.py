"""A data set becomes log-mel arrays; what can't be used is told."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from streamer.contract import FrontEnd
from tests.training.fixtures import LABELS, ROOT, command, prepare, sound, write_manifest, write_wav
from training.datasets import READERS, Clip, LeftOut
from training.errors import DataError
from training.prepare import _prepare_one
from training.recipe import read_recipe
from training.store import PreparedSet

pytestmark = [pytest.mark.training, pytest.mark.slow]


def die_of_beat(clip: Clip, out: Path, front_end: FrontEnd) -> object:
    """Stand in for a decoder that crashes on some files."""
    if clip.label == "beat":
        os.kill(os.getpid(), signal.SIGKILL)
    return _prepare_one(clip, out, front_end)


def test_every_clip_is_prepared_or_reported_with_its_reason(prepared: Path) -> None:
    report = json.loads((prepared / "report.json").read_text())

    assert report["listed"] == 51
    assert report["usable"] == 48
    assert report["by_label"] == dict.fromkeys(LABELS, 12)
    reasons = {item["id"]: item["reason"] for item in report["left_out"]}
    assert reasons["audio/short.wav"] == "too-short"
    assert reasons["audio/missing.wav"] == "source-not-found"
    assert reasons["audio/broken.wav"] in {"not-audio", "broken-audio", "empty"}
    assert sum(report["by_reason"].values()) == 3


def test_what_is_left_out_is_printed(corpus: Path, tmp_path: Path) -> None:
    done = command(
        "training", "prepare", "--recipe", "smoke", "--manifest", corpus / "manifest.csv", "--out", tmp_path
    )

    assert done.status == 0
    assert "48 of 51 clips usable (48 decoded now)" in done.out
    assert "[too-short] short.wav" in done.out

    again = command(
        "training", "prepare", "--recipe", "smoke", "--manifest", corpus / "manifest.csv", "--out", tmp_path
    )

    assert "48 of 51 clips usable (0 decoded now)" in again.out


def test_interrupted_prepare_does_only_what_is_missing(corpus: Path, tmp_path: Path) -> None:
    words = (
        "training",
        "prepare",
        "--recipe",
        "smoke",
        "--manifest",
        corpus / "manifest.csv",
        "--out",
        tmp_path,
    )
    command(*words)
    files = sorted((tmp_path / "clips").iterdir())
    for file in files[:5]:
        file.unlink()
    (tmp_path / "clips" / f".{files[0].name}.1.part").write_bytes(b"half")

    done = command(*words)

    assert "(5 decoded now)" in done.out


def test_arrays_are_what_the_streamer_hears(corpus: Path, prepared: Path) -> None:
    from streamer.flow import Block
    from streamer.signal.front_end import FrontEndStream
    from streamer.source.file import read_file

    opened = PreparedSet(prepared)
    clip = opened.clips[7]
    stream = FrontEndStream(opened.front_end, hop_s=0.5)
    heard = []
    for event in read_file(corpus / clip.id, slice_s=0.037):
        if isinstance(event, Block):
            heard += stream.push(event)
    heard += stream.flush()

    stored = opened.windows(clip, hop=20)

    assert len(stored) == len(heard)
    difference = np.abs(stored - np.stack([window.frames for window in heard])).max()
    assert difference < 0.008, difference  # half a step of float16 at 16


def test_clip_shorter_than_a_window_is_repeated(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", sound("chord", 3, 1.5))
    write_manifest(tmp_path / "m.csv", [("a.wav", "chord", "g")])
    out = tmp_path / "out"
    command("training", "prepare", "--recipe", "smoke", "--manifest", tmp_path / "m.csv", "--out", out)
    opened = PreparedSet(out)

    windows = opened.windows(opened.clips[0], hop=20)

    count = opened.clips[0].frames
    assert windows.shape == (1, 118, 40)
    np.testing.assert_array_equal(windows[0, :count], windows[0, count : 2 * count])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("path,label\na.wav,x\n", "column 'group' is missing"),
        ("path,label,group\na.wav,x,g\na.wav,x,g\n", "line 3 repeats 'a.wav' of line 2"),
        ("path,label,group\na.wav,,g\n", "line 2 has no 'label'"),
    ],
)
def test_manifest_says_what_is_wrong_with_it(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "m.csv").write_text(text)

    with pytest.raises(DataError, match=said):
        list(READERS["manifest"](tmp_path / "m.csv").clips())


def test_nothing_usable_is_an_error_without_traceback(tmp_path: Path) -> None:
    write_manifest(tmp_path / "m.csv", [("gone.wav", "x", "g")])

    done = command(
        "training", "prepare", "--recipe", "smoke", "--manifest", tmp_path / "m.csv", "--out", tmp_path
    )

    assert done.status == DataError.exit_status
    assert "none of the 1 clips can be used" in done.err
    assert "Traceback" not in done.err


def test_clip_that_kills_its_process_is_reported(
    tmp_path: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import training.prepare as room

    monkeypatch.setattr(room, "_prepare_one", die_of_beat)
    listed = list(READERS["manifest"](corpus / "manifest.csv").clips())
    clips = [listed[0], listed[6], listed[12], listed[13]]  # two of beats, two of chords
    (tmp_path / "clips").mkdir()

    results = list(room._prepare_all(clips, tmp_path, read_recipe("smoke").front_end, 2))

    failures = {result.id: result.reason for result, _ in results if isinstance(result, LeftOut)}
    assert failures == {clips[0].id: "decoder-died", clips[1].id: "decoder-died"}
    assert len(results) == 4


def test_ctrl_c_stops_at_once_and_the_same_command_goes_on(corpus: Path, tmp_path: Path) -> None:
    words = [
        "prepare",
        "--recipe",
        "smoke",
        "--manifest",
        str(corpus / "manifest.csv"),
        "--out",
        str(tmp_path),
    ]
    process = subprocess.Popen(
        [sys.executable, "-m", "training", *words, "--jobs", "1"],
        cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, process_group=0,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    while not list((tmp_path / "clips").glob("[!.]*.npz")) and process.poll() is None:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)

    _, said = process.communicate(timeout=20)

    assert process.returncode == 130, said
    assert "Traceback" not in said
    assert "48 of 51 clips usable" in prepare(corpus / "manifest.csv", tmp_path).out
