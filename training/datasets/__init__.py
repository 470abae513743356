"""One reader a data set; each gives `Clip`s, whatever the set looks like on the disk.

To add a set, add a file with a `Reader` and name it in `READERS`.
"""

from training.datasets.base import Clip, LeftOut, Reader
from training.datasets.fma import FmaReader
from training.datasets.folders import FoldersReader
from training.datasets.gtzan import GtzanReader
from training.datasets.manifest import ManifestReader

READERS: dict[str, type[Reader]] = {
    "manifest": ManifestReader,
    "folders": FoldersReader,
    "fma": FmaReader,
    "gtzan": GtzanReader,
}
"""Option of `python -m training prepare` -> what reads it."""

__all__ = ["READERS", "Clip", "LeftOut", "Reader"]
