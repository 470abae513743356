"""What systemd is told of the service, where it asks to be told (sd_notify(3)).

It imports next to nothing: it looks before workers are started, so that they don't inherit what is asked.
"""

import contextlib
import os
import socket
import time


class Notifier:
    """Speaks to the service manager; to nobody where there is none."""

    def __init__(self) -> None:
        path = os.environ.pop("NOTIFY_SOCKET", "")
        interval, pid = os.environ.pop("WATCHDOG_USEC", ""), os.environ.pop("WATCHDOG_PID", "")
        self._address = "\0" + path[1:] if path.startswith("@") else path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) if path else None
        self._watched = interval.isdecimal() and pid in ("", str(os.getpid()))

    def ready(self) -> None:
        """Tell that it works, for the first time or again."""
        self._tell("READY=1")

    def reloading(self) -> None:
        """Tell that the configuration is read again; `ready` ends that."""
        self._tell("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def status(self, text: str) -> None:
        """Tell in one line how it is, for `systemctl status`."""
        self._tell(f"STATUS={text}")

    def alive(self) -> None:
        """Feed the watchdog, where there is one."""
        if self._watched:
            self._tell("WATCHDOG=1")

    def stopping(self) -> None:
        """Tell that it is about to end."""
        self._tell("STOPPING=1")

    def close(self) -> None:
        """Say nothing more."""
        if self._socket is not None:
            self._socket.close()

    def _tell(self, *lines: str) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):  # a manager that doesn't listen must not stop us
                self._socket.sendto("\n".join(lines).encode(), socket.MSG_NOSIGNAL, self._address)
