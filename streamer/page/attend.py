"""The page's process: hears the bus, and serves what it hears."""

import asyncio
import socket

from streamer.attend import Say
from streamer.config import Config
from streamer.page.app import Page
from streamer.page.hearing import TOPICS, Hearing
from streamer.page.past import Past
from streamer.publish.keys import own_keys
from streamer.publish.subscribe import Subscriber
from streamer.sections import PageConfig
from streamer.web.serve import listen, serve, url_of


def attend(config: Config, endpoint: str, say: Say) -> None:
    """Show what is published until SIGTERM or SIGINT.

    Args:
        config: what `[page]` says, and `[history]`; the defaults where they aren't there.
        endpoint: where the daemon publishes.
        say: takes trouble and its end.

    Raises:
        WebError: the address can't be had.
        PublishError: the endpoint is malformed.
    """
    page = config.page or PageConfig()
    with listen(page.bind) as listener:
        subscriber = Subscriber(endpoint, TOPICS, keys=own_keys(config.security), who="[page]")
        try:
            say(None, f"the page is at {url_of(listener)}")
            asyncio.run(_run(page, Hearing(subscriber, Past(config.history)), listener))
        finally:
            subscriber.close()


async def _run(config: PageConfig, hearing: Hearing, listener: socket.socket) -> None:
    page = Page(hearing, config.base_path)
    tasks = [
        asyncio.create_task(serve(page.app, listener, config, ending=hearing.streams.end)),
        asyncio.create_task(hearing.run()),
    ]
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    done.pop().result()
