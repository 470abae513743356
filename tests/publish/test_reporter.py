"""What a station's voice says of errors: no secret of an address, nothing that a terminal obeys."""

from streamer.publish.messages import Message, Status
from streamer.publish.reporter import Reporter


class Kept:
    """Keeps what is sent."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    def send(self, message: Message) -> None:
        self.messages.append(message)


def test_a_status_shows_neither_secrets_nor_controls():
    kept = Kept()

    Reporter(kept, "kexp", "boot", ()).status(
        "lost", now=0.0, reason="source-http", detail="http://me:hidden@h/x?token=hidden: \x1b[31m503 \udcff"
    )

    (status,) = kept.messages
    assert isinstance(status, Status)
    assert status.detail == "http://h/x?...: \ufffd[31m503 \\udcff"
