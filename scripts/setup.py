"""Sets this checkout up, one step a call: `python scripts/setup.py python|sound|system|training`.

Standard library only, run by any system Python >= 3.11. A step that succeeds leaves
its stamp `.dev/<step>`, by which make knows that it is done. Nothing outside `.venv`
and `.dev` is touched, but for Debian packages where apt-get may be run without a password.
"""

from __future__ import annotations

import ctypes.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
DEV = ROOT / ".dev"
CONSTRAINTS = ROOT / "constraints.txt"

OLDEST_PYTHON = (3, 11)
OLDEST_TORCH = (2, 10)  # the exporter that `export` calls is the one of 2.10
TORCH = "torch==2.13.0"  # exact: a looser one brings gigabytes of CUDA where an index has such a build
TORCHAUDIO = "torchaudio==2.11.0"


class SetupError(Exception):
    """A step can't be done: one sentence, and what to do about it."""

    def __init__(self, message: str, *, remedy: str) -> None:
        super().__init__(message)
        self.remedy = remedy


def main() -> int:
    """Run the step that the command line names; give the exit status."""
    steps = {"python": python, "sound": sound, "system": system, "training": training}
    name = sys.argv[1] if len(sys.argv) == 2 else ""
    try:
        if name not in steps:
            raise SetupError(f"unknown step '{name}'", remedy="name one of: " + " ".join(steps))
        if sys.version_info < OLDEST_PYTHON:
            raise SetupError(
                "this is Python {}.{}, genrecast needs 3.11 or newer".format(*sys.version_info),
                remedy="name a newer one: make setup PYTHON=python3.11",
            )
        os.chdir(ROOT)
        DEV.mkdir(exist_ok=True)
        stamp = DEV / name
        stamp.unlink(missing_ok=True)
        steps[name]()
        stamp.touch()
    except SetupError as error:
        say(f"{error}\n  {error.remedy}")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def python() -> None:
    """Make `.venv`, with the project in it (editable) and what checks it; no torch."""
    if not works(PYTHON, "import pip"):
        if not works(Path(sys.executable), "import ensurepip, venv"):
            raise SetupError(
                "this Python has no venv module, as Debian's without its package python3-venv",
                remedy="apt-get install python3-venv, or name another: make setup PYTHON=python3.12",
            )
        say(f"making {VENV.name} with {sys.executable}")
        run(sys.executable, "-m", "venv", "--clear", str(VENV))
    pip("-e", ".[archive,cluster,dev,mqtt,parquet,postgres,server]", constraints=CONSTRAINTS)


def training() -> None:
    """Install torch, what else trains, exports and is measured, and torchaudio as the tests' oracle."""
    constraints = CONSTRAINTS
    own = version("torch")
    if own and release(own) >= OLDEST_TORCH:
        say(f"torch {own} is here already and stays")
        constraints = DEV / "constraints.txt"
        lines = CONSTRAINTS.read_text().splitlines(keepends=True)
        constraints.write_text("".join(line for line in lines if not line.startswith("torch==")))
        pip("-e", ".[training,bench]", f"torch=={own}", constraints=constraints)
    else:
        pip("-e", ".[training,bench]", TORCH, constraints=constraints)
    if not version("torchaudio"):
        pip("--no-deps", TORCHAUDIO, constraints=constraints)  # it would ask for a torch of its own number
    if works(PYTHON, "import torchaudio"):
        return
    # Its compiled extension is linked against CUDA. It is optional; the package imports without it.
    aside = DEV / "torchaudio-lib"
    aside.mkdir(exist_ok=True)
    for library in VENV.glob("lib/python*/site-packages/torchaudio/lib/*.so"):
        say(f"torchaudio's {library.name} can't load here and isn't needed: moved to {DEV.name}/{aside.name}")
        shutil.move(library, aside / library.name)
    if not works(PYTHON, "import torchaudio"):
        raise SetupError(
            f"torchaudio can't be imported beside torch {version('torch')}",
            remedy=f"see why: {PYTHON} -c 'import torchaudio'",
        )


class Part(NamedTuple):
    """Something of the system: what it is for, Debian's package of it, how to see that it is there."""

    purpose: str
    package: str
    present: Callable[[], bool]


def command(*names: str) -> Callable[[], bool]:
    """Give the check that one of the commands is there; sbin counts, where a user's PATH may lack it."""
    path = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"))
    return lambda: any(shutil.which(name, path=path) for name in names)


LIBS = ("lib", "lib64", "lib/*")  # plain, Fedora's, Debian's by architecture

SOUND = (Part("the sound card", "libportaudio2", lambda: ctypes.util.find_library("portaudio") is not None),)
SERVERS = (
    Part("a sound server, for the tests", "pulseaudio", command("pulseaudio")),
    Part("its tools, for the tests", "pulseaudio-utils", command("paplay")),
    Part(
        "the way from PortAudio to it, for the tests",
        "libasound2-plugins",
        lambda: any(any(Path("/usr").glob(f"{lib}/alsa-lib/libasound_module_pcm_pulse.so")) for lib in LIBS),
    ),
    Part("a radio server, for the tests", "icecast2", command("icecast2", "icecast")),
    Part("its programme, for the tests", "ffmpeg", command("ffmpeg")),
    Part("a browser, for the tests", "chromium", command("chromium")),
    Part("an MQTT broker, for the tests", "mosquitto", command("mosquitto")),
    Part("a monitoring server, for the tests", "prometheus", command("prometheus")),
    Part(
        "a database server, for the tests",
        "postgresql",
        lambda: bool(shutil.which("initdb") or any(Path("/usr/lib/postgresql").glob("*/bin/initdb"))),
    ),
    Part("where a cluster keeps its state, for the tests", "redis-server", command("redis-server")),
    Part(
        "a clock that can be set, for the tests",
        "faketime",
        lambda: any(any(Path("/usr").glob(f"{lib}/faketime/libfaketimeMT.so.1")) for lib in LIBS),
    ),
    Part("what checks units, for the tests", "systemd", command("systemd-analyze")),
)


def sound() -> None:
    """Bring the library that the sound card needs, where apt-get may."""
    bring(SOUND)


def system() -> None:
    """Bring the servers that the tests talk to, where apt-get may."""
    bring(SOUND + SERVERS)


def bring(parts: tuple[Part, ...]) -> None:
    """Install what is missing; where that can't be, say what to install and go on."""
    missing = [part for part in parts if not part.present()]
    if not missing:
        return
    packages = [part.package for part in missing]
    root = as_root()
    if shutil.which("apt-get") and root is not None:
        say("installing " + " ".join(packages))
        # --no-remove: on a desktop with PipeWire, pulseaudio would throw out the sound server in use.
        flags = ("--yes", "--no-install-recommends", "--no-remove")
        apt_get = (*root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq", "-o=Dpkg::Use-Pty=0")
        attempt(*apt_get, "update")
        attempt(*apt_get, "install", *flags, *packages)
        missing = [part for part in missing if not part.present()]
    for part in missing:
        say(f"missing: {part.package}, for {part.purpose}")
    if missing and shutil.which("apt-get"):
        names = " ".join(part.package for part in missing)
        say(f"install with: sudo apt-get install --no-install-recommends {names}")
    elif missing:
        say("these are Debian's names: install what your system calls them, then run 'make setup' again")


def as_root() -> tuple[str, ...] | None:
    """Give what to put before a command so that root runs it; None where that needs a password."""
    if os.geteuid() == 0:
        return ()
    if shutil.which("sudo") and attempt("sudo", "-n", "true", quiet=True):
        return ("sudo", "-n")
    return None


def pip(*arguments: str, constraints: Path) -> None:
    """Install into `.venv`."""
    say("pip install " + " ".join(arguments))
    run(str(PYTHON), "-m", "pip", "install", "-qq", "-c", str(constraints), *arguments)


def version(distribution: str) -> str:
    """Give the version of what is installed in `.venv`; empty where it isn't."""
    code = f"import importlib.metadata as m; print(m.version({distribution!r}))"
    answer = subprocess.run([str(PYTHON), "-c", code], capture_output=True, text=True, check=False)
    return answer.stdout.strip()


def release(text: str) -> tuple[int, ...]:
    """Give the leading numbers of a version: (2, 13) of `2.13.0+cpu`."""
    return tuple(int(part) for part in text.split(".")[:2] if part.isdigit())


def works(python: Path, code: str) -> bool:
    """Tell whether this Python is there and runs this code."""
    return python.exists() and attempt(str(python), "-c", code, quiet=True)


def attempt(*line: str, quiet: bool = False) -> bool:
    """Run a command; tell whether it succeeded."""
    sink = subprocess.DEVNULL if quiet else None
    return subprocess.run(line, check=False, stdout=sink, stderr=sink).returncode == 0


def run(*line: str) -> None:
    """Run a command that must succeed."""
    if not attempt(*line):
        raise SetupError(
            "this failed: " + " ".join(line),
            remedy="its own words stand above; mend that and run 'make setup' again",
        )


def say(text: str) -> None:
    """Tell the user, at once even where stdout is a pipe."""
    sys.stdout.write(f"setup: {text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
