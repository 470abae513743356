"""What the benchmarks said, as a table for people."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

Figures: TypeAlias = dict[str, Any]

BEGIN, END = "<!-- bench -->", "<!-- /bench -->"


def table(said: list[Figures]) -> str:
    """Give a Markdown table of what is known to it; the rest is passed over."""
    rows = [row for figures in said for row in _ROWS.get(figures.get("bench", ""), _nothing)(figures)]
    return "\n".join(["| what | figure |", "|---|---|", *(f"| {what} | {figure} |" for what, figure in rows)])


def write(readme: Path, text: str) -> None:
    """Put a table between the markers of a file.

    Raises:
        ValueError: the markers are not there.
    """
    before, begin, rest = readme.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{readme.name} has no lines '{BEGIN}' and '{END}'")
    readme.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")


def _nothing(_figures: Figures) -> list[tuple[str, str]]:
    return []


def _streams(f: Figures) -> list[tuple[str, str]]:
    if "largest" in f:
        return [("stations that hold real time here", f"{f['largest']} (p99 lag {f['lag_p99_ms']:.0f} ms)")]
    cpu, floor = f["cpu_ms_per_station_second"], f["decode_floor_ms"]
    return [
        (
            f"CPU for a second of a station, {f['stations']} of them",
            f"{cpu:.2f} ms: {f['ratio_to_decode']:.2f} times decoding alone ({floor:.2f} ms)",
        ),
        (f"windows lost in {f['seconds']:.0f} s", f"{f['lost_windows']} of {f['windows']}"),
        (
            "memory at 1 station, for each further one",
            f"{f['rss_mb_1']:.0f} MB, {f['rss_mb_per_station']:.2f} MB",
        ),
    ]


def _window(f: Figures) -> list[tuple[str, str]]:
    textbook = f"{f['ratio']:.1f} times less than {f['textbook_ms']:.1f} ms for librosa and PyTorch"
    agree = f"{100 * f['label_agreement']:.1f}% of {f['windows_compared']} windows"
    return [
        ("a window of 3 s at a 1 s hop, mel and network", f"{f['ours_ms']:.2f} ms, {textbook}"),
        ("the same label as theirs", agree),
    ]


def _overlap(f: Figures) -> list[tuple[str, str]]:
    by_hop = zip(f["hops_s"], f["cpu_ms_per_station_second"], strict=True)
    told = ", ".join(f"{ms:.2f} ms at {hop_s:g} s" for hop_s, ms in by_hop)
    return [("a second of a station, by hop", f"{told} ({f['ratio_025_to_1']:.2f} times from 1 to 0.25)")]


def _latency(f: Figures) -> list[tuple[str, str]]:
    return [
        (
            f"from a window's last sample to its message, {at['stations']} station(s)",
            f"{at['p50_ms']:.0f} ms median, {at['p99_ms']:.0f} ms p99",
        )
        for at in f["by_stations"]
    ]


def _prepare(f: Figures) -> list[tuple[str, str]]:
    ours, ffmpeg = f["audio_hours_per_core_hour"], f["ffmpeg_hours_per_core_hour"]
    return [
        ("MP3 prepared for training by an hour of a core", f"{ours:.0f} h (ffmpeg decodes {ffmpeg:.0f} h)")
    ]


def _archive(f: Figures) -> list[tuple[str, str]]:
    rates = f["files_per_s"]
    floor = f"without Ray {rates['local_1']:.1f} and {rates['local_2']:.1f}"
    told = f"{rates['1']:.1f} a second on one Ray node, {rates['2']:.1f} on two ({floor})"
    return [(f"files of {f['seconds']:.0f} s tagged, a core a node", told)]


def _start(f: Figures) -> list[tuple[str, str]]:
    return [("from start to the first message, a file", f"{f['median']:.2f} s")]


def _history(f: Figures) -> list[tuple[str, str]]:
    what = f"`genrecast history` of a station's week, out of {f['days']} days of {f['stations']} stations"
    return [(what, f"{f['week_s']['median']:.2f} s, of which `--help` takes {f['help_s']['median']:.2f} s")]


def _page(f: Figures) -> list[tuple[str, str]]:
    cost = f"{f['page_cpu_percent']:.1f}% of a core, {f['renderer_cpu_percent']:.1f}% in the browser"
    return [
        (
            f"the page with {f['stations']} stations",
            f"first paint after {f['first_paint_ms']} ms, rows after {f['first_rows_ms']} ms; {cost}",
        )
    ]


def _gateway(f: Figures) -> list[tuple[str, str]]:
    ours, proxy = f["ours_per_s"], f["proxy_per_s"]
    figure = f"{ours:,} (libzmq's own proxy: {proxy:,}); to one {f['ours_to_one_per_s']:,}"
    what = f"messages a second through a gateway, {f['daemons']} daemons to {f['subscribers']} subscribers"
    return [(what, figure)]


def _cluster(f: Figures) -> list[tuple[str, str]]:
    def ms(*parts: str) -> float:
        return sum(float(f["cluster"][part]["cpu_ms_per_station_second"]) for part in parts)

    engines, ray = ms("engine", "host"), ms("raylet", "gcs", "ray_others", "coordinator")
    alone = f["daemon"]["cpu_ms_per_station_second"]
    told = f"{engines:.2f} ms and {ray:.2f} ms of Ray's (one daemon: {alone:.2f} ms)"
    return [(f"CPU for a second of a station, {f['stations']} of them on a cluster of two nodes", told)]


_ROWS: dict[str, Callable[[Figures], list[tuple[str, str]]]] = {
    "streams": _streams,
    "window": _window,
    "overlap": _overlap,
    "latency": _latency,
    "prepare": _prepare,
    "archive": _archive,
    "start": _start,
    "history": _history,
    "page": _page,
    "gateway": _gateway,
    "cluster": _cluster,
}
