"""Moments and days as values of options."""

import time
from datetime import date
from typing import Any

import click

from streamer.history.when import day, moment


class When(click.ParamType[float]):
    """A moment, as seconds since the epoch."""

    name = "when"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Take what was given; see `streamer.history.when`."""
        try:
            return moment(value, time.time())
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Day(click.ParamType[date]):
    """A day of the viewer's zone."""

    name = "date"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        """Take what was given; see `streamer.history.when`."""
        try:
            return day(value, time.time())
        except ValueError as error:
            self.fail(str(error), param, ctx)
