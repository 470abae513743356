"""Print what every station plays, as an MQTT broker has it from the bridge: paho-mqtt and a few lines."""

import json
import sys

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion


def show(_: Client, __: object, message: MQTTMessage) -> None:
    if message.payload:  # it is empty where a station was removed
        told = json.loads(message.payload)
        what = told["genre"] or told["state"]
        print(told["since"], message.topic.rpartition("/")[2], what, f"{told['confidence']:.0%}", flush=True)


client = Client(CallbackAPIVersion.VERSION2)
client.on_connect = lambda *_: client.subscribe("genrecast/station/+")
client.on_message = show
client.connect("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 1883)
client.loop_forever()
