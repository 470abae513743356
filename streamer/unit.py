"""The systemd unit that runs a daemon as a service, as tight as what its stations read allows.

Only keys that systemd 252 knows: it has no `Type=notify-reload`, and no `RestartSteps=`.
"""

import re
from pathlib import Path

from streamer.config import Config
from streamer.errors import ServiceError

NAME = "genrecast.service"
HEADER = "# Written by 'genrecast install', which writes it anew. What is yours: systemctl edit genrecast"
SYSTEM, USER = Path("/etc/systemd/system"), Path("~/.config/systemd/user")
HIDDEN = ("/home", "/root", "/run/user", "/tmp", "/var/tmp")

START = """
[Unit]
Description=genrecast: says which genre of music is playing
{order}
# Tried again for ever, whatever the reason.
StartLimitIntervalSec=0
"""

SYSTEM_ORDER = "Wants=network-online.target\nAfter=network-online.target sound.target"
USER_ORDER = "After=pipewire.service pulseaudio.service"

SERVICE = """
[Service]
Type=notify
NotifyAccess=main
ExecStart={run}
ExecReload={reload}
WorkingDirectory={folder}
RuntimeDirectory=genrecast
Restart=always
RestartSec=5
# The command line or the configuration has to be mended first.
RestartPreventExitStatus=2 3
TimeoutStartSec=120
# Of engine progress; a worker that hangs has been replaced long before.
WatchdogSec=60
TimeoutStopSec=10
# The daemon has its workers end.
KillMode=mixed
"""

ANYWHERE = """
NoNewPrivileges=yes
LockPersonality=yes
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged
SystemCallErrorNumber=EPERM
"""

SYSTEM_ONLY = """
# A user for as long as it runs; one of this name that is there is taken instead.
User=genrecast
DynamicUser=yes
StateDirectory=genrecast
UMask=0077
CapabilityBoundingSet=
ProtectSystem=strict
ProtectHome=yes
ProtectProc=invisible
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
PrivateTmp=yes
PrivateUsers=yes
RemoveIPC=yes
DevicePolicy=closed
"""

NO_SOUND_CARD = """
# Not where PortAudio is, whose callback is code that is made at run time.
MemoryDenyWriteExecute=yes
"""

NO_DEVICES = """
PrivateDevices=yes
"""

SOUND_CARDS = """
# Sound cards by ALSA; those of PulseAudio and PipeWire are a user's: genrecast install --user
SupplementaryGroups=audio
DeviceAllow=char-alsa rw
"""


def unit(config: Config, path: Path, program: list[str], *, user: bool) -> str:
    """Give the text of the unit.

    Args:
        config: checked; its sources say what the service must reach.
        path: of its file.
        program: the command line that is `genrecast`.
        user: for a user's own service manager, which reaches the sound server of that user's session.

    Raises:
        ServiceError: the service could not work so: it would not see a file, or needs a standard input.
    """
    path = path.absolute()
    if not str(path).isprintable():
        raise ServiceError(f"{str(path)!r} holds what no unit can", remedy="give it a name of plain letters")
    for station in config.station:
        if station.source.lower().startswith("stdin:"):
            raise ServiceError(
                f"station '{station.id}' reads stdin:, and a service has no standard input",
                remedy="run this station with 'genrecast run' at the end of a pipe",
            )
    if not user:
        _check_seen(config, path, program)
    service = SERVICE.format(
        run=_line([*program, "run", "--config", str(path)]),
        reload=_line([*program, "reload", "--config", str(path)]),
        folder=str(path.parent).replace("%", "%%"),
    )
    sound = any(station.source.lower().startswith("soundcard:") for station in config.station)
    start = START.format(order=USER_ORDER if user else SYSTEM_ORDER)
    rights = ANYWHERE + ("" if sound else NO_SOUND_CARD)
    if not user:
        rights += SYSTEM_ONLY + (SOUND_CARDS if sound else NO_DEVICES)
    end = f"\n[Install]\nWantedBy={'default' if user else 'multi-user'}.target\n"
    return f"{HEADER}{start}{service}{rights}{end}"


def _check_seen(config: Config, path: Path, program: list[str]) -> None:
    """See to it that the service, which sees no home and has a /tmp of its own, finds what it needs."""
    sources = [station.source.removeprefix("file:").partition("?")[0] for station in config.station]
    files = [source for source in sources if "://" not in source and not source.startswith("soundcard:")]
    model = [config.model] if config.model and "/" in config.model else []
    package = Path(__file__).parent
    for name in (*program[:1], str(Path(program[0]).resolve()), str(package), str(path), *model, *files):
        place = (path.parent / name).absolute()
        hidden = next((folder for folder in HIDDEN if place.is_relative_to(folder)), None)
        if hidden is not None:
            raise ServiceError(
                f"{place} lies in {hidden}, which the service can't see",
                remedy="keep it in /opt, /etc or /srv (python3 -m venv /opt/genrecast), or use --user",
            )
    if not _readable(path):
        raise ServiceError(
            f"{path} can't be read by the user 'genrecast', which the service runs as",
            remedy="chmod 644 it; where it is secret, make the user ('adduser --system --group genrecast'), "
            "then chgrp genrecast and chmod 640 it",
        )


def _readable(path: Path) -> bool:
    mode = path.stat().st_mode
    try:
        return bool(mode & 0o004) or (path.group() == "genrecast" and bool(mode & 0o040))
    except KeyError:  # a group without a name
        return False


def _line(words: list[str]) -> str:
    """Give a command line as systemd reads it back."""
    return " ".join(_word(word) for word in words)


def _word(word: str) -> str:
    word = word.replace("%", "%%").replace("$", "$$")
    if re.fullmatch(r"[\w/.,:+@%$=-]+", word, re.ASCII):
        return word
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'
