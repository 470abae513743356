"""What a run has to do: parts that are not done, and in those that are, files that are tagged again."""

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import NamedTuple

from streamer.archive.again import failures, forget, mark, marked
from streamer.archive.listing import Media
from streamer.archive.place import Place
from streamer.archive.plan import Part, Tags, cut, file_name, plan_name, read_plans, write_plan


class Plan(NamedTuple):
    """The parts of an archive, and what is to be done.

    Attributes:
        parts: all of them.
        todo: those with files that are to be tagged, the largest first, so that the last ones to end are
            small.
        new: how many files this run has added.
        unnamed: how many files of the plan this run's patterns don't name.
        changed: how many files have changed since they were tagged, and are left as they are.
    """

    parts: list[Part]
    todo: list[Part]
    new: int
    unnamed: int
    changed: int

    @property
    def files(self) -> int:
        """How many files it has in all."""
        return sum(len(part.media) for part in self.parts)


def open_plan(place: Place, media: Sequence[Media], tags: Tags, *, again: bool = False) -> Plan:
    """Give the plan that is there, with what is new among the media, or a new one.

    Args:
        place: of the tables.
        media: what there is now.
        tags: what it is tagged with.
        again: tag again what failed, and what has changed since it was tagged.

    Raises:
        ArchiveError: what is there was tagged with something else, or is no plan of ours.
    """
    plans, listed = read_plans(place, tags), {each.path: each for each in media}
    written = [*chain.from_iterable(plans.values())]
    planned = {each.path for part in written for each in part.media}
    new = [each for each in media if each.path not in planned]
    names = set(place.names("files"))
    undone = [part for part in written if file_name(part.number) not in names]
    done = [part for part in written if file_name(part.number) in names]
    forget(place, undone)
    todo = {part.number: part for part in undone + _redone(place, done, listed, again=again)}
    tried = {each.path for part in todo.values() for each in part.tried}
    left = (each for part in done for each in part.media if each.path not in tried)
    changed = sum(_differs(each, listed.get(each.path, each)) for each in left)
    parts: list[Part] = []
    for name, before in plans.items():
        after = [_seen_now(todo.get(part.number, part), tried, listed) for part in before]
        if [part.media for part in after] != [part.media for part in before]:
            write_plan(place, name, after, tags)
        parts += after
    if new:
        added = cut(new, len(parts))
        write_plan(place, plan_name(len(plans)), added, tags)
        parts += added
    rest = [part for part in parts if part.number in todo or part.number >= len(written)]
    rest.sort(key=lambda part: part.size, reverse=True)
    return Plan(parts, rest, len(new), len(planned - listed.keys()), changed)


def _redone(place: Place, done: list[Part], listed: Mapping[bytes, Media], *, again: bool) -> list[Part]:
    """Give the parts that are done and of which files are tagged again: what was begun, and what is asked."""
    begun = {part.number: part for part in marked(place, done)}
    if not again:
        return [*begun.values()]
    failed = failures(place, done)
    redone: list[Part] = []
    for each in done:
        part = begun.get(each.number, each)
        changed = {media.path for media in part.media if _differs(media, listed.get(media.path, media))}
        part = part._replace(
            failed=part.failed | failed.get(part.number, frozenset()), changed=part.changed | changed
        )
        if part.failed or part.changed:
            redone.append(part)
    mark(place, (part for part in redone if part != begun.get(part.number)))
    return redone


def _differs(was: Media, now: Media) -> bool:
    """Say whether a file has changed; a size or a stamp that isn't known tells nothing."""
    return any(before and after and before != after for before, after in zip(was[1:], now[1:], strict=True))


def _seen_now(part: Part, tried: set[bytes], listed: Mapping[bytes, Media]) -> Part:
    """Give a part with sizes and stamps as they are now, of files that are tagged after this.

    So a file that changes later is known to have.
    """
    now = (listed.get(each.path, each) if each.path in tried else each for each in part.media)
    return part._replace(media=tuple(now))
