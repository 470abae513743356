"""The music of the demo: a few bars each of very different kinds, arranged from a seed.

Each function takes a generator and a length in seconds and gives (n, 2) float32. None
knows what the model will say of it.
"""

import re

import numpy as np

from streamer.demo import drums, instruments
from streamer.demo.grid import Grid
from streamer.demo.synth import Mix, length, master
from streamer.flow import MultiSamples, Samples


def club(rng: np.random.Generator, seconds: float) -> MultiSamples:
    """Four on the floor: synthesiser bass between the kicks, chords that duck, an arpeggio above."""
    grid = Grid(126, seconds, rng)
    beat, synths = Mix(seconds), Mix(seconds)
    kick, clap = drums.kick(rng), drums.clap(rng)
    closed, opened = drums.hat(rng), drums.hat(rng, ring_s=0.09)
    kicks = list(grid.hits("X...X...X...X..."))
    for at_s, force in kicks:
        beat.add(kick, at_s, 2.2 * force)
    for at_s, force in grid.hits("....X.......X..."):
        beat.add(clap, at_s, 0.5 * force)
    for at_s, force in grid.hits("..X...X...X...X."):
        beat.add(opened, at_s, 0.9 * force, 0.2)
    for at_s, force in grid.hits("xoxoxoxoxoxoxoxo"):
        beat.add(closed, at_s, 0.5 * force, -0.2)
    chords = ((57, 60, 64, 69), (53, 57, 60, 67), (48, 55, 60, 64), (55, 59, 62, 67))
    for bar in range(grid.bars):
        chord = chords[bar % 4]
        stab = instruments.supersaw(rng, tuple(note + 12 for note in chord), 6 * grid.step_s)
        synths.add(stab, grid.at(bar, 0), 0.35)
        for step in range(16):
            note = chord[step % 4] + 24 + 12 * (step % 3 == 2)
            lead = instruments.synth_bass(note, grid.step_s, bite=0.05)
            synths.add(lead, grid.at(bar, step), 0.07, 0.6 * np.sin(step))
            if step % 4 != 0:
                bass = instruments.synth_bass(chord[0] - 24, 0.9 * grid.step_s)
                beat.add(bass, grid.at(bar, step), 0.8)
    synths.add_room(rng, 1.2, 0.3)
    synths.samples *= instruments.sidechain([at_s for at_s, _ in kicks], seconds)[:, np.newaxis]
    return master(beat.samples + synths.samples, -13)


def chamber(rng: np.random.Generator, seconds: float) -> MultiSamples:
    """A slow movement for strings in a hall: a melody, moving inner voices, a bass below."""
    grid = Grid(60, seconds, rng, loose_s=0.02)
    hall = Mix(seconds)
    chords = ((38, 57, 62, 65), (43, 58, 62, 67), (36, 55, 64, 67), (41, 57, 60, 65), (45, 57, 61, 64))
    melody = (74, 77, 82, 79, 79, 76, 77, 72, 76, 73)
    for half in range(2 * grid.bars):
        chord, after = chords[half % len(chords)], chords[(half + 1) % len(chords)]
        for voice, note in enumerate(chord):
            # In every second chord the voices in the middle go on to the next one a beat early.
            early = voice in (1, 2) and half % 2 == 1
            for beat, tone in enumerate((note, after[voice]) if early else (note,)):
                section = instruments.strings(rng, tone, (1 if early else 2) * grid.beat_s + 0.2)
                level = 0.6 if voice == 0 else 0.25  # cellos and basses
                hall.add(section, grid.at(0, 8 * half + 4 * beat), level, -0.6 + 0.4 * voice)
        for number, (step, beats) in enumerate(((0, 1.5), (6, 0.5))):
            note = melody[(2 * half + number) % len(melody)]
            violin = instruments.strings(rng, note, beats * grid.beat_s + 0.1, players=3)
            hall.add(violin, grid.at(0, 8 * half + step), 1.2, -0.4)
    hall.add_room(rng, 2.4, 0.5)
    swell = np.interp(
        np.arange(length(seconds)), length(seconds) * np.linspace(0, 1, 5), (0.5, 1.0, 0.6, 1.0, 0.5)
    )
    return master(hall.samples * swell[:, np.newaxis].astype(np.float32), -20)


def metal(rng: np.random.Generator, seconds: float) -> MultiSamples:
    """Two distorted guitars on low strings, a double bass drum, no mercy."""
    grid = Grid(180, seconds, rng, loose_s=0.002)
    kit = Mix(seconds)
    kick = drums.kick(rng, from_hz=260, to_hz=58, ring_s=0.06)
    snare = drums.snare(rng, tone_hz=210, ring_s=0.1)
    crash = drums.cymbal(rng, lowest_hz=2300, ring_s=0.7, stick=0.2, wash=0.5)
    for at_s, force in grid.hits("xxxxxxxxxxxxxxxx"):
        kit.add(kick, at_s, 1.2 * force)
    for at_s, force in grid.hits("....X.......X..."):
        kit.add(snare, at_s, 2.2 * force)
    for at_s, force in grid.hits("X...x...X...x..."):
        kit.add(crash, at_s, 0.12 * force, float(rng.uniform(-0.5, 0.5)))
    roots = (36, 36, 39, 41, 36, 36, 42, 41)
    riff = "XxxXxxXxXxxXxxXx"  # X rings until the next stroke, x is muted by the palm
    guitars: list[Samples] = []
    for _ in range(2):  # two takes, left and right
        take = np.zeros(length(seconds), np.float32)
        for bar in range(grid.bars):
            root = roots[bar % len(roots)]
            for stroke in re.finditer(r"[Xx]\.*", riff):
                muted = stroke[0] == "x"
                notes = (36, 43, 48) if muted else (root, root + 7, root + 12)
                ring = 0.97 if muted else 0.9995
                chord = instruments.electric_guitar(rng, notes, len(stroke[0]) * grid.step_s, ring=ring)
                start = length(grid.at(bar, stroke.start()))
                take[start : start + len(chord)] += chord[: len(take[start:])]
        guitars.append(instruments.amplifier(take, 60.0))
    for side, guitar in zip((-0.8, 0.8), guitars, strict=True):
        kit.add(guitar, 0.0, 1.1, side)
    for bar in range(grid.bars):
        for step in range(0, 16, 2):
            bass = instruments.finger_bass(rng, roots[bar % len(roots)] - 12, 2 * grid.step_s)
            kit.add(bass, grid.at(bar, step), 0.4)
    kit.add_room(rng, 0.5, 0.12)
    return master(kit.samples, -13)


def quartet(rng: np.random.Generator, seconds: float) -> MultiSamples:
    """Saxophone, piano, double bass and drums, swinging through II-V-I."""
    grid = Grid(152, seconds, rng, loose_s=0.006)
    cellar = Mix(seconds)
    ride = drums.cymbal(rng, lowest_hz=2900, ring_s=0.35, stick=0.35, wash=0.12)
    foot = drums.hat(rng, ring_s=0.02)
    snare = drums.snare(rng, tone_hz=230, ring_s=0.06)
    triplet = 4 * grid.step_s * 2 / 3  # the short note of a swung beat
    for bar in range(grid.bars):
        for beat in range(4):
            at_s = grid.at(bar, 4 * beat)
            cellar.add(ride, at_s, 0.25 + 0.1 * (beat % 2), 0.4)
            if beat % 2:
                cellar.add(ride, at_s + triplet, 0.2, 0.4)
                cellar.add(foot, at_s, 0.3, -0.3)
            if rng.random() < 0.35:
                cellar.add(snare, at_s + triplet, 0.12 * float(rng.uniform(0.5, 1.0)), 0.1)
    walk = (38, 41, 45, 44, 43, 47, 50, 49, 48, 52, 55, 52, 45, 49, 52, 51)
    voicings = ((53, 57, 60, 64), (53, 57, 59, 64), (52, 55, 59, 62), (55, 59, 61, 66))
    scale = (55, 57, 59, 60, 62, 64, 65, 67, 69, 71, 72, 74, 76)
    place = 6
    for bar in range(grid.bars):
        for beat in range(4):
            bass = instruments.upright_bass(rng, walk[(4 * bar + beat) % 16], 0.95 * grid.beat_s)
            cellar.add(bass, grid.at(bar, 4 * beat), 0.7, -0.1)
        for at, lasts in (((0.0, 0.5), (5 / 3, 0.3)), ((2 / 3, 0.3), (8 / 3, 0.8)))[bar % 2]:
            for note in voicings[bar % 4]:
                key = instruments.piano(rng, note, lasts * grid.beat_s, 0.5)
                cellar.add(key, grid.at(bar, 0) + at * grid.beat_s, 0.4, 0.2)
        for beat in range(4):
            for late in (0.0, 2 / 3):
                if rng.random() < 0.8:
                    place = int(np.clip(place + rng.integers(-3, 4), 0, len(scale) - 1))
                    solo = instruments.horn(rng, scale[place], 0.6 * grid.beat_s)
                    cellar.add(solo, grid.at(bar, 4 * beat) + late * grid.beat_s, 0.9, -0.1)
    cellar.add_room(rng, 0.7, 0.18)
    return master(cellar.samples, -18)
