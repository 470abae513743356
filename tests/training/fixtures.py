"""A small labelled set of synthetic sounds, and commands as a user gives them."""

import csv
import subprocess
import sys
import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
RATE = 22_050
LABELS = ("beat", "chord", "noise", "sweep")
GROUPS = 6
CLIPS = 2  # in each group


@dataclass(frozen=True)
class Outcome:
    """How a command ended and what it said."""

    status: int
    out: str
    err: str


def command(module: str, *words: object) -> Outcome:
    """Run `python -m module words` from the root, one thread."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", module, *map(str, words)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
        env={"PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1", "HOME": "/tmp", "MPLCONFIGDIR": "/tmp"},
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


def prepare(manifest: Path, out: Path, recipe: object = "smoke") -> Outcome:
    """Prepare a set with the front end of a recipe."""
    return command("training", "prepare", "--recipe", recipe, "--manifest", manifest, "--out", out)


def sound(label: str, seed: int, seconds: float) -> np.ndarray:
    """Give (n,) samples of a kind that a small network tells from the others."""
    random = np.random.default_rng(seed)
    t = np.arange(round(seconds * RATE)) / RATE
    pitch = random.uniform(150, 300)
    if label == "beat":
        pulse = np.exp(-30 * (t % random.uniform(0.3, 0.5)))
        x = pulse * random.standard_normal(len(t))
    elif label == "chord":
        x = sum(np.sin(2 * np.pi * pitch * ratio * t) for ratio in (1, 1.25, 1.5, 2))
    elif label == "noise":
        x = random.standard_normal(len(t))
    else:
        x = np.sin(2 * np.pi * (pitch * t + random.uniform(300, 600) * t**2))
    x = x + 0.003 * random.standard_normal(len(t))
    return random.uniform(0.1, 0.5) * x / np.abs(x).max()


def write_wav(path: Path, samples: np.ndarray) -> None:
    """Write mono 16-bit PCM."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes((samples * 32767).astype("<i2").tobytes())


def write_manifest(path: Path, rows: list[tuple[str, str, str]]) -> None:
    """Write path,label,group."""
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("path", "label", "group"), *rows])


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `manifest.csv` and 48 clips of 4 s; two last rows can't be used."""
    folder = tmp_path_factory.mktemp("corpus")
    rows = []
    for label in LABELS:
        for group in range(GROUPS):
            for clip in range(CLIPS):
                name = f"audio/{label}-{group}-{clip}.wav"
                write_wav(folder / name, sound(label, 1000 * LABELS.index(label) + 10 * group + clip, 4.0))
                rows.append((name, label, f"{label}-{group}"))
    (folder / "audio/broken.wav").write_bytes(b"RIFF\x00\x00\x00\x00WAVEfmt nothing follows" * 3)
    write_wav(folder / "audio/short.wav", sound("chord", 1, 0.4))
    rows += [
        ("audio/broken.wav", "beat", "beat-0"),
        ("audio/short.wav", "chord", "chord-0"),
        ("audio/missing.wav", "noise", "noise-0"),
    ]
    write_manifest(folder / "manifest.csv", rows)
    return folder


@pytest.fixture(scope="session")
def prepared(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The corpus, prepared by the command."""
    out = tmp_path_factory.mktemp("prepared")
    done = command(
        "training", "prepare", "--recipe", "smoke", "--manifest", corpus / "manifest.csv", "--out", out
    )
    assert done.status == 0, done.err
    return out


@pytest.fixture(scope="session")
def run_of_fold(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished smoke run that held fold 0 of 2 out."""
    out = tmp_path_factory.mktemp("runs") / "fold0"
    done = command(
        "training", "fit", "--recipe", "smoke", "--data", prepared, "--out", out, "--fold", 0, "--folds", 2
    )
    assert done.status == 0, done.err
    return out
