"""Print what every station plays, from the moment this starts: 15 lines and pyzmq."""

import json
import sys

import zmq

socket = zmq.Context().socket(zmq.SUB)
socket.connect(sys.argv[1] if len(sys.argv) > 1 else "tcp://127.0.0.1:5567")
socket.subscribe("genre/")  # all stations; "genre/kexp/" is one

while True:
    topic, payload = socket.recv_multipart()
    message = json.loads(payload)
    what = message["genre"] or message["state"]
    print(message["time"], message["station"], what, f"{message['confidence']:.0%}", flush=True)
