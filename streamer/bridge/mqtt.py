"""The bridge to MQTT: what each station plays, retained, and Home Assistant told how to show it.

A broker that can't be reached is tried again for ever. All that is retained is told anew at each
connection, so nothing waits in the meantime and nothing is lost.
"""

import json
import ssl
import sys
import time
from contextlib import suppress
from typing import Any

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode

from streamer.attend import Say
from streamer.bridge.discovery import announcements, availability_topic, state_topic
from streamer.bridge.secret import secret
from streamer.config import STATION_ID, Config
from streamer.errors import ConfigError, MqttError
from streamer.publish.keys import own_keys
from streamer.publish.subscribe import Subscriber
from streamer.sections import MqttConfig

PORT, TLS_PORT = 1883, 8883
KEEPALIVE_S = 30  # a broker that vanished without a word is noticed after one and a half of them
LONGEST_WAIT_S = 60  # between two attempts; the first comes after 1 s
STALE_S = 15.0  # three heartbeats of the daemon: so long unheard of, it is not available
CLOSE_S = 0.3  # the daemon gives us half a second to end in

TOLD = ("state", "genre", "confidence", "since", "title", "level_dbfs", "time")
"""What of a `genre` message is told."""
NEWS = ("state", "genre", "title")
"""What of it is told at once when it changes."""


def attend(config: Config, endpoint: str, say: Say) -> None:
    """Tell the broker of `[mqtt]` what is said at `endpoint`, until the process is asked to end.

    Raises:
        ConfigError: the certificates or the password can't be read.
        PublishError: the endpoint is malformed.
    """
    section = config.mqtt or MqttConfig()
    bridge = Bridge(section, Broker(section, say))
    subscriber = Subscriber(
        endpoint, ("genre/", "status/", "heartbeat/"), keys=own_keys(config.security), who="[mqtt]"
    )
    try:
        for message in subscriber.messages():
            bridge.take(message, time.monotonic())
    finally:
        bridge.close()
        subscriber.close()


class Broker:
    """A connection to the broker, kept by a thread of paho's.

    Args:
        config: which broker.
        say: is told when it is lost and when it is there again.

    Raises:
        ConfigError: the certificates or the password can't be read.
    """

    def __init__(self, config: MqttConfig, say: Say) -> None:
        self.connected, self.connections = False, 0
        self._refusal: str | None = None
        self._say = say
        port = config.port or (TLS_PORT if config.tls else PORT)
        self._name = f"{config.host}:{port}"
        self._client = client = Client(CallbackAPIVersion.VERSION2)
        client.username_pw_set(config.user, secret("mqtt-password", config.password))
        if config.tls:
            client.tls_set_context(trust(config.ca))
        client.will_set(availability_topic(config), "offline", qos=1, retain=True)
        client.reconnect_delay_set(1, LONGEST_WAIT_S)
        client.on_connect = lambda *given: self._answered(given[3])
        client.on_connect_fail = lambda *_: self._failed()
        client.on_disconnect = lambda *given: self._lost(given[3])
        client.connect_async(config.host, port, KEEPALIVE_S)
        client.loop_start()

    def retain(self, topic: str, payload: dict[str, Any] | str) -> None:
        """Have the broker keep a payload, or none where it is empty; lost while not connected."""
        text = payload if isinstance(payload, str) else json.dumps(payload, ensure_ascii=False)
        self._client.publish(topic, text, retain=True)

    def close(self, topic: str, payload: str) -> None:
        """Have the broker keep a last word, and end the connection."""
        if self.connected:
            with suppress(RuntimeError):  # it went in this moment: then its last word is our will
                self._client.publish(topic, payload, qos=1, retain=True).wait_for_publish(CLOSE_S)
        self._client.disconnect()

    def _answered(self, code: ReasonCode) -> None:
        if code.is_failure:  # the end of the connection follows, and gives no reason
            self._refusal = f"refuses us: {code}"
            return
        self.connected = True
        self.connections += 1
        self._say(None, f"connected to the broker {self._name}")

    def _failed(self) -> None:
        error = sys.exception()  # paho calls us while it handles it, and doesn't hand it over
        why = getattr(error, "verify_message", None) or getattr(error, "strerror", None) or error
        self._trouble(f"can't be reached: {why}")

    def _lost(self, code: ReasonCode) -> None:
        refusal = "has ended the connection" if self.connected else self._refusal or "does not answer"
        self.connected, self._refusal = False, None
        if code.is_failure:
            self._trouble(refusal)

    def _trouble(self, what: str) -> None:
        self._say(MqttError.code, f"the broker {self._name} {what}; it is tried again")


def trust(ca: str | None) -> ssl.SSLContext:
    """Give what a broker's certificate is checked by: a file of certificates, or the system's.

    Raises:
        ConfigError: the file can't be read, or holds none.
    """
    try:
        return ssl.create_default_context(cafile=ca)
    except OSError as error:
        raise ConfigError(
            f"[mqtt] ca = '{ca}' can't be used: {error.strerror or 'no certificate in it'}",
            remedy="give a PEM file with the certificate of the broker's authority",
        ) from error


class Bridge:
    """What the broker has been told, and what it must be told next.

    Args:
        config: says how.
        broker: is told.
    """

    def __init__(self, config: MqttConfig, broker: Broker) -> None:
        self._config, self._broker = config, broker
        self._stations: dict[str, dict[str, Any]] = {}
        self._told: dict[str, tuple[tuple[Any, ...], float]] = {}  # of each: the news, and when
        self._removed: set[str] = set()
        self._connections = 0
        self._available = False
        self._beat = float("-inf")

    def take(self, message: dict[str, Any] | None, now: float) -> None:
        """Take a message of the bus, None where none came; tell what is due. `now` counts seconds."""
        if self._connections != self._broker.connections:
            self._connections = self._broker.connections
            self._renew(now)
        if message is not None:
            self._hear(message, now)
        available = now - self._beat < STALE_S
        if available != self._available:
            self._available = available
            self._tell_availability()

    def close(self) -> None:
        """Tell that nothing comes any more."""
        self._broker.close(availability_topic(self._config), "offline")

    def _hear(self, message: dict[str, Any], now: float) -> None:
        station = message["station"]
        match message["kind"]:
            case "heartbeat":
                self._beat = now
            case "genre" if STATION_ID.fullmatch(station):
                self._stations[station] = message
                self._removed.discard(station)
                self._tell(station, now)
            case "status" if message["reason"] == "removed" and station in self._stations:
                del self._stations[station]
                self._told.pop(station, None)
                self._removed.add(station)
                self._erase(station)

    def _renew(self, now: float) -> None:
        """Tell all there is: the broker may have been restarted without what it kept."""
        self._told.clear()
        self._tell_availability()
        for station in self._stations:
            self._tell(station, now)
        for station in self._removed:
            self._erase(station)

    def _tell(self, station: str, now: float) -> None:
        message = self._stations[station]
        news = tuple(message[name] for name in NEWS)
        before, at = self._told.get(station, (None, 0.0))
        if not self._broker.connected or (news == before and now - at < self._config.every):
            return
        if before is None:
            for topic, payload in announcements(self._config, station):
                self._broker.retain(topic, payload)
        self._broker.retain(state_topic(self._config, station), {name: message[name] for name in TOLD})
        self._told[station] = news, now

    def _tell_availability(self) -> None:
        self._broker.retain(availability_topic(self._config), "online" if self._available else "offline")

    def _erase(self, station: str) -> None:
        topics = [topic for topic, _ in announcements(self._config, station)]
        for topic in (*topics, state_topic(self._config, station)):
            self._broker.retain(topic, "")
