"""What Home Assistant is told of a station: three entities of one device, and the topics that they read.

https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery
"""

from collections.abc import Iterator
from typing import Any

from streamer import __version__
from streamer.sections import MqttConfig

# Without a word for so long, whatever the hop is, an entity is unavailable: its station is no more.
EXPIRE_S = 300


def availability_topic(config: MqttConfig) -> str:
    """Give the topic that says `online` while a daemon is heard of, else `offline`."""
    return f"{config.topic}/availability"


def state_topic(config: MqttConfig, station: str) -> str:
    """Give the topic of what a station plays."""
    return f"{config.topic}/station/{station}"


def announcements(config: MqttConfig, station: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give topic and payload of each entity of a station; none where discovery is not wanted."""
    if not config.discovery:
        return
    device = f"{config.topic.replace('/', '_')}_{station}"
    topic = state_topic(config, station)
    common = {
        "state_topic": topic,
        "availability_topic": availability_topic(config),
        "expire_after": EXPIRE_S,
        "device": {"identifiers": [device], "name": station, "manufacturer": "genrecast"},
        "origin": {"name": "genrecast", "sw_version": __version__},
    }
    entities: dict[str, tuple[str, dict[str, Any]]] = {
        "genre": (
            "sensor",
            {
                "name": "Genre",
                "value_template": "{{ value_json.genre or value_json.state }}",
                "json_attributes_topic": topic,
                "icon": "mdi:music",
            },
        ),
        "confidence": (
            "sensor",
            {
                "name": "Confidence",
                "value_template": "{{ (value_json.confidence * 100) | round(1) }}",
                "unit_of_measurement": "%",
                "state_class": "measurement",
                "icon": "mdi:gauge",
            },
        ),
        "signal": (
            "binary_sensor",
            {
                "name": "Signal",
                "value_template": "{{ 'OFF' if value_json.state == 'no-signal' else 'ON' }}",
                "device_class": "connectivity",
            },
        ),
    }
    for name, (component, own) in entities.items():
        payload = {**common, **own, "unique_id": f"{device}_{name}"}
        yield f"{config.discovery}/{component}/{device}/{name}/config", payload
