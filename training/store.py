"""Prepared clips on the disk: `index.json`, and one array file a clip under `clips/`.

The index holds the front end that made the arrays; another one makes other files. Frames
are kept as float16: its error is below 0.008 in a logarithm (0.03 dB), a hundredth of what
augmentation adds.
"""

import hashlib
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from streamer.contract import FrontEnd
from streamer.flow import Frames, Window
from streamer.signal.window import WindowStream
from streamer.whole import replacing, write_whole
from training.datasets import Clip
from training.errors import DataError


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One prepared clip: see `Clip`.

    Attributes:
        file: relative to the set's folder.
        frames: how many there are.
        also: group of another clip that was mixed in; a split holds it out with that group.
    """

    id: str
    label: str
    group: str
    licence: str
    file: str
    frames: int
    split: str = ""
    also: str = ""


class Index(msgspec.Struct, frozen=True, kw_only=True):
    """What `index.json` holds."""

    front_end: FrontEnd
    clips: list[Entry]


class PreparedSet:
    """A prepared set, opened for reading.

    Args:
        folder: as given to `prepare --out`.

    Raises:
        DataError: nothing was prepared there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            index = msgspec.json.decode((folder / "index.json").read_bytes(), type=Index)
        except (OSError, msgspec.MsgspecError) as error:
            raise DataError(
                f"{folder}: no prepared set: {error}",
                remedy="run 'python -m training prepare' with --out there",
            ) from error
        self.front_end = index.front_end
        self.clips = index.clips

    @property
    def labels(self) -> list[str]:
        """The labels that occur, in order."""
        return sorted({clip.label for clip in self.clips})

    def frames(self, clip: Entry) -> Frames:
        """Give the (k, n_mels) float32 frames of a clip."""
        return read_frames(self.folder, clip)

    def powers(self, clip: Entry) -> NDArray[np.float32]:
        """Give the (k,) mean squares of each frame's new part."""
        return _read(self.folder, clip, "powers")

    def windows(self, clip: Entry, hop: int) -> Frames:
        """Give the (n, n_frames, n_mels) windows that the streamer would judge, n >= 1.

        They come from the streamer's own `WindowStream`, so that a short clip is repeated as it is there.
        """
        windows = windows_of(self.frames(clip), self.powers(clip), self.front_end, hop)
        return np.stack([window.frames for window in windows])


def windows_of(frames: Frames, powers: NDArray[np.float32], front_end: FrontEnd, hop: int) -> list[Window]:
    """Give the windows that the streamer would judge of a clip's (k, n_mels) frames.

    There are none where it is too short. Their ends count `hop_length` samples a frame.
    """
    stream, end = WindowStream(front_end, hop), len(frames) * front_end.hop_length
    return [*stream.push(frames, powers, end), *stream.flush(end)]


def read_frames(folder: Path, clip: Entry) -> Frames:
    """Give the (k, n_mels) float32 frames of a clip.

    Raises:
        DataError: its file is gone or damaged.
    """
    return _read(folder, clip, "frames").astype(np.float32)


def _read(folder: Path, clip: Entry, name: str) -> NDArray[np.float32]:
    try:
        with np.load(folder / clip.file, allow_pickle=False) as arrays:
            return arrays[name]
    except (OSError, ValueError, KeyError) as error:
        raise DataError(
            f"{folder / clip.file}: can't be read: {error}",
            remedy="run 'prepare' again; it fills the hole",
        ) from error


def clip_file(clip: Clip, front_end: FrontEnd) -> str:
    """Name the array file of a clip: another front end, or another audio file, has another name."""
    status = clip.path.stat()
    key = [clip.id, status.st_size, status.st_mtime_ns, msgspec.to_builtins(front_end)]
    return f"clips/{hashlib.sha256(msgspec.json.encode(key)).hexdigest()[:20]}.npz"


def write_clip(path: Path, frames: Frames, powers: NDArray[np.float32]) -> None:
    """Write an array file; one that exists is whole."""
    write_arrays(path, frames=frames.astype(np.float16), powers=powers)


def write_json(path: Path, content: object) -> None:
    """Write what msgspec encodes, for people to read too; a file that exists is whole."""
    write_whole(path, msgspec.json.format(msgspec.json.encode(content), indent=1))


def write_arrays(path: Path, **arrays: NDArray[Any]) -> None:
    """Write arrays under their names, as `np.load` reads them; a file that exists is whole."""
    with replacing(path) as part, part.open("wb") as file:
        np.savez(file, **arrays)
