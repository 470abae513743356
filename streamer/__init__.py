"""genrecast: says all the time which genre of music live audio is playing.

Audio flows one way: source -> signal -> model -> decide -> publish. What flows
is defined in `streamer.flow`; whose turn it is, in `streamer.engine`.
"""

__version__ = "0.1.0"
