"""The bridge to a URL: changes and tracks, posted one after the other as they happen.

They are signed as Standard Webhooks has it (https://www.standardwebhooks.com): receivers check them with
a library of theirs, and tell by `webhook-id` what they have had before. While the receiver fails, the
newest `WAITING` messages wait; those that are lost beyond them are counted and told.
"""

import asyncio
import base64
import hashlib
import hmac
import json
import ssl
import time
from collections import deque
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import h11

from streamer import __version__
from streamer.attend import Say
from streamer.backoff import Backoff
from streamer.bridge.secret import secret
from streamer.config import Config
from streamer.errors import ConfigError, WebhookError
from streamer.publish.keys import own_keys
from streamer.publish.subscribe import Subscriber
from streamer.sections import WebhookConfig

DEADLINE_S = 10.0  # for one attempt, from connecting to the answer
LONGEST_WAIT_S = 60.0  # from one attempt to the next
WAITING = 1000  # messages, a megabyte at most; hours of most configurations
OUR_FAULT = frozenset({400, 413, 415, 422})  # answers after which the same message can't do better
SECRET_PREFIX = "whsec_"


def attend(config: Config, endpoint: str, say: Say) -> None:
    """Post what is said at `endpoint` to the URL of `[webhook]`, until the process is asked to end.

    Raises:
        ConfigError: there is no such section, or its URL or secret can't be used.
        PublishError: the endpoint is malformed.
    """
    if config.webhook is None:
        raise ConfigError("there is no [webhook] in the configuration", remedy="add it, with 'url'")
    webhook = Webhook(config.webhook)
    subscriber = Subscriber(
        endpoint,
        tuple(f"{kind}/" for kind in config.webhook.on),
        keys=own_keys(config.security),
        who="[webhook]",
    )
    queue = Queue(webhook, say)
    try:
        for message in subscriber.messages():
            if message is not None:
                queue.put(message)
            queue.post(missed=subscriber.lost)
    finally:
        subscriber.close()


class Queue:
    """Messages that wait to be posted, one after the other.

    Args:
        webhook: posts them.
        say: is told how that goes.
    """

    def __init__(self, webhook: "Webhook", say: Say) -> None:
        self._webhook, self._say = webhook, say
        self._waiting: deque[dict[str, Any]] = deque()
        self._lost = 0
        self._backoff, self._due = Backoff(LONGEST_WAIT_S), 0.0

    def put(self, message: dict[str, Any]) -> None:
        """Take a message; the oldest one is lost where too many wait."""
        self._waiting.append(message)
        if len(self._waiting) > WAITING:
            self._waiting.popleft()
            self._lost += 1

    def post(self, missed: int) -> None:
        """Post what waits, until an attempt fails; the next one is made when it is due.

        Args:
            missed: how many messages the socket has lost so far.
        """
        while self._waiting and time.monotonic() >= self._due:
            try:
                self._webhook.post(self._waiting[0])
            except WebhookError as error:
                self._fail(error, missed)
                continue
            self._waiting.popleft()
            self._backoff = Backoff(LONGEST_WAIT_S)
            self._say(None, f"posts to {self._webhook.host}{self._losses(missed)}")

    def _fail(self, error: WebhookError, missed: int) -> None:
        if error.final:
            self._waiting.popleft()
            self._lost += 1
        else:
            self._due = time.monotonic() + self._backoff.failed(0.0)
        self._say(error.code, f"{error.message}; {len(self._waiting)} waiting{self._losses(missed)}")

    def _losses(self, missed: int) -> str:
        lost = self._lost + missed
        return f", {lost} lost so far" if lost else ""


class Webhook:
    """Where to post to, and how.

    Args:
        config: says so.

    Raises:
        ConfigError: the URL or the secret can't be used. Neither is shown.
    """

    def __init__(self, config: WebhookConfig) -> None:
        try:
            parts = urlsplit(config.url)
            self.host = (parts.hostname or "").encode("idna").decode("ascii")
            port = parts.port
        except ValueError:
            self.host = ""
        if not self.host:
            raise ConfigError("[webhook] url has no host, or a malformed one or port", remedy="mend it")
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        self._port = port or (443 if self._tls else 80)
        query = f"?{parts.query}" if parts.query else ""
        self._target = quote((parts.path or "/") + query, safe="/%:@!$&'()*+,;=~-._?")
        host = f"[{self.host}]" if ":" in self.host else self.host
        self._headers = [
            ("host", host if port is None else f"{host}:{port}"),
            ("user-agent", f"genrecast/{__version__}"),
            ("content-type", "application/json"),
            ("connection", "close"),
        ]
        if parts.username is not None:
            pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            self._headers.append(
                ("authorization", "Basic " + base64.b64encode(pair.encode()).decode("ascii"))
            )
        self._key = signing_key(secret("webhook-secret", config.secret))

    def post(self, message: dict[str, Any]) -> None:
        """Post a message once.

        Raises:
            WebhookError: there was no answer within `DEADLINE_S`, or not a good one.
        """
        try:
            status = asyncio.run(self._exchange(message))
        except (OSError, h11.RemoteProtocolError) as error:
            why = getattr(error, "strerror", None) or error
            if isinstance(error, TimeoutError):
                why = f"no answer within {DEADLINE_S:g} s"
            raise WebhookError(f"{self.host}: {why}", remedy="it is tried again") from error
        if not 200 <= status < 300:
            raise WebhookError(
                f"{self.host} answered {status}",
                remedy="see the receiver's own log",
                final=status in OUR_FAULT,
            )

    async def _exchange(self, message: dict[str, Any]) -> int:
        """Send a request; give the status of the answer. Redirects are not followed."""
        connection = h11.Connection(h11.CLIENT)
        async with asyncio.timeout(DEADLINE_S):
            reader, writer = await asyncio.open_connection(self.host, self._port, ssl=self._tls)
            try:
                for event in self._request(message):
                    writer.write(connection.send(event) or b"")
                while True:
                    answer = connection.next_event()
                    if isinstance(answer, h11.Response):
                        return answer.status_code
                    if answer is h11.NEED_DATA:
                        connection.receive_data(await reader.read(4096))
            finally:
                writer.transport.abort()

    def _request(self, message: dict[str, Any]) -> list[h11.Event]:
        body = json.dumps(message, ensure_ascii=False).encode()
        id = "{boot}-{kind}-{station}-{seq}".format_map(message)
        now = str(int(time.time()))
        headers = [*self._headers, ("content-length", str(len(body)))]
        headers += [("webhook-id", id), ("webhook-timestamp", now)]
        if self._key is not None:
            headers.append(("webhook-signature", sign(self._key, id, now, body)))
        request = h11.Request(method="POST", target=self._target, headers=headers)
        return [request, h11.Data(body), h11.EndOfMessage()]


def signing_key(secret: str | None) -> bytes | None:
    """Give the bytes that sign, of a secret as people write it.

    Raises:
        ConfigError: it is not `whsec_` and base64.
    """
    if secret is None:
        return None
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except ValueError:
        key = b""
    if not secret.startswith(SECRET_PREFIX) or len(key) < 24:
        raise ConfigError(
            f"the secret of [webhook] is not '{SECRET_PREFIX}' and at least 24 bytes in base64",
            remedy='make one: echo "whsec_$(openssl rand -base64 24)"',
        )
    return key


def sign(key: bytes, id: str, timestamp: str, body: bytes) -> str:
    """Give the `webhook-signature`: version 1 is HMAC-SHA256 over id, Unix seconds and body."""
    digest = hmac.new(key, f"{id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode("ascii")
