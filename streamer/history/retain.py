"""What is too old, or too much, goes: a slice at a time, so that nobody waits for it."""

from streamer.history.rows import DAY_S
from streamer.history.store import Store

SLICE = 5000  # segments that go at once: less than a tenth of a second


def retain(store: Store, *, keep_days: float, max_mb: float, now: float) -> bool:
    """Delete the oldest slice of what is older than `keep_days`, or of anything where it is over `max_mb`.

    Returns:
        whether there may be more to delete.
    """
    size_mb, edge = store.size_mb(), store.edge(SLICE)
    oldest = now - keep_days * DAY_S
    if size_mb is not None and size_mb > max_mb and edge is not None:
        oldest = max(oldest, edge)
    slice_end = oldest if edge is None else min(oldest, edge)
    store.forget(slice_end)
    return edge is not None and slice_end == edge
