"""Who speaks for a station: of all daemons that listen to it one is passed on, and each message once.

A daemon's `boot` sorts by its beginning, so that every gateway comes to the same answer.
"""

from typing import TypeAlias

from streamer.flow import State
from streamer.gateway.own import Own
from streamer.gateway.voice import FORGOTTEN_S, NOBODY, Head, Voice
from streamer.publish.messages import topic

Sent: TypeAlias = list[tuple[bytes, bytes]]

# Also of who has gone: what is told again when a connection comes back must not pass for new. No more: each
# message of a station is weighed against all of them.
MOST_OTHERS = 3


class Station:
    """Takes what all daemons say of a station, and passes on what one of them does.

    - The messages of the current voice pass where their `seq` is greater than before.
    - Of the others the last `status` and `genre` are kept. One takes over that is *heard* (its last `genre`
      isn't `no-signal`) and newer than the current one, or than whom it is heard alone; and any of them
      where the current one has said `stopped`, or is silent. Then what was kept of it is passed on.
    - Who has said `stopped`, or is silent, takes over from nobody. The `stopped` by which another takes
      over isn't passed on: the station has moved.

    Time is `now`, in seconds that never run back.

    Attributes:
        current: who speaks for it.
        state: that was last said.

    Args:
        id: of it.
        own: says what no daemon says.
    """

    __slots__ = ("_anew", "_id", "_lost", "_others", "_own", "_said", "_status", "current", "state")

    def __init__(self, id: str, own: Own) -> None:
        self.current = Voice(NOBODY)
        self.state: State = "no-signal"
        self._id, self._own = id, own
        self._others: dict[str, Voice] = {}
        self._status: bytes | None = None  # the last one that was passed on
        self._said: bytes | None = None  # likewise, of `genre`
        self._lost = False  # we have said so, and the current voice has not spoken since
        self._anew = False  # who speaks next has not said what was said last

    def take(self, kind: str, message: tuple[bytes, bytes], head: Head, now: float, out: Sent) -> None:
        """Take a message with its topic, and add to what is passed on."""
        voice = self.current
        if head.boot != voice.boot:
            self._take_other(kind, message, head, now, out)
        elif voice.take(kind, message[1], head, now):
            if self._others and self._settle(now, out):
                return  # by this very message, which is history
            if self._anew:
                self._resume(kind, message[1], out)
            if kind == "genre":
                self._said, self.state, voice.told = message[1], voice.state, True
            elif kind == "status":
                self._status = message[1]
            out.append(message)

    def tick(self, now: float, time: float, out: Sent) -> None:
        """Have another speak for it where that is due, or say that it is lost; `time` is since the epoch."""
        if self._others:
            self._settle(now, out)
        if self.current.is_silent(now) and not (self.current.stopped or self._lost):
            lost = self._own.lost(self._id, self._said, time)
            self._status, self._said = lost[0][1], lost[-1][1]
            self.state = "no-signal"
            self._lost = self._anew = True
            out += lost

    def is_over(self, now: float) -> bool:
        """Say whether it was removed so long ago that nothing comes again of what was said before."""
        return self.current.removed and now - self.current.at > FORGOTTEN_S

    def _take_other(self, kind: str, message: tuple[bytes, bytes], head: Head, now: float, out: Sent) -> None:
        voice = self._others.get(head.boot)
        if voice is None:
            voice = self._others[head.boot] = Voice(head.boot)
        new = voice.take(kind, message[1], head, now)
        if new and self._settle(now, out) and kind not in ("status", "genre"):
            out.append(message)
        if len(self._others) > MOST_OTHERS:
            del self._others[min(self._others, key=lambda boot: self._others[boot].at)]

    def _settle(self, now: float, out: Sent) -> bool:
        """Have that one of the others take over that may and is heard, or else is the newest; True if so."""
        may = [voice for voice in self._others.values() if voice.may_follow(self.current, now)]
        if not may:
            return False
        voice = max(may, key=lambda one: (one.is_heard, one.boot))
        del self._others[voice.boot]
        if self.current.boot != NOBODY:
            self._others[self.current.boot] = self.current
            self._anew = True
        self.current, self._lost = voice, False
        self._retell_status(out)
        if voice.genre is not None and not voice.told:
            if self._anew:
                self._resume("genre", voice.genre, out)
            self._said, self.state, voice.told = voice.genre, voice.state, True
            out.append((topic("genre", self._id), voice.genre))
        return True

    def _resume(self, kind: str, payload: bytes, out: Sent) -> None:
        """Add what must be known before the first messages of who has not spoken last."""
        self._lost = False
        if kind != "status":
            self._retell_status(out)
        if kind == "genre":
            out += self._own.change(self._id, self._said, payload)
            self._anew = False

    def _retell_status(self, out: Sent) -> None:
        """Add the current voice's last status, where another one was passed on last."""
        status = self.current.status
        if status is not None and status is not self._status:
            self._status = status
            out.append((topic("status", self._id), status))
