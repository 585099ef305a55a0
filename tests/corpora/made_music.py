"""Soundfonts and MIDI files small enough to be made in a test."""

import struct

import mido
import numpy as np

RATE_HZ = 44100
BAND = {"bass": 33, "guitar": 25, "piano": 0}


def chunk(name, content):
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def listed(name, *chunks):
    return chunk(b"LIST", name + b"".join(chunks))


def save_soundfont(path, presets=((0, 0), (0, 25), (0, 33), (128, 0)), period=100):
    """A soundfont whose presets all play one looped square wave; 100 samples is A4."""
    wave = np.repeat([8000, -8000], period // 2).astype("<i2")
    sample = np.concatenate([np.tile(wave, 20), np.zeros(46, "<i2")])
    n_presets = len(presets)
    phdr = b"".join(
        struct.pack("<20sHHHIII", f"Preset {number}".encode(), number, bank, place, 0, 0, 0)
        for place, (bank, number) in enumerate(presets)
    ) + struct.pack("<20sHHHIII", b"EOP", 0, 0, n_presets, 0, 0, 0)
    pbag = b"".join(struct.pack("<HH", place, 0) for place in range(n_presets + 1))
    pgen = struct.pack("<HH", 41, 0) * n_presets + struct.pack("<HH", 0, 0)
    inst = struct.pack("<20sH", b"Square", 0) + struct.pack("<20sH", b"EOI", 1)
    ibag = struct.pack("<HH", 0, 0) + struct.pack("<HH", 2, 0)
    igen = struct.pack("<HHHHHH", 54, 1, 53, 0, 0, 0)  # looped; sample 0; the end
    last = len(wave) * 20
    shdr = struct.pack("<20sIIIIIBbHH", b"Square", 0, last, 0, last, RATE_HZ, 69, 0, 0, 1)
    shdr += struct.pack("<20sIIIIIBbHH", b"EOS", 0, 0, 0, 0, 0, 0, 0, 0, 0)
    content = b"sfbk" + listed(
        b"INFO",
        chunk(b"ifil", struct.pack("<HH", 2, 1)),
        chunk(b"isng", b"EMU8000\0"),
        chunk(b"INAM", b"made\0\0"),
    )
    content += listed(b"sdta", chunk(b"smpl", sample.tobytes()))
    content += listed(
        b"pdta",
        chunk(b"phdr", phdr),
        chunk(b"pbag", pbag),
        chunk(b"pmod", bytes(10)),
        chunk(b"pgen", pgen),
        chunk(b"inst", inst),
        chunk(b"ibag", ibag),
        chunk(b"imod", bytes(10)),
        chunk(b"igen", igen),
        chunk(b"shdr", shdr),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"RIFF" + struct.pack("<I", len(content)) + content)
    return path


def save_song(path, pitches=(60, 62, 64), players=("bass", "drums", "guitar", "piano"), beats=4):
    """A song at 120 beats a minute: each player plays each pitch for `beats` beats."""
    midi = mido.MidiFile(ticks_per_beat=480)
    for channel, player in enumerate(players):
        track = mido.MidiTrack()
        channel = 9 if player == "drums" else channel
        program = BAND.get(player, player)
        if player != "drums":
            track.append(mido.Message("program_change", channel=channel, program=program))
        for pitch in pitches:
            track.append(mido.Message("note_on", channel=channel, note=pitch, velocity=90))
            off = mido.Message("note_off", channel=channel, note=pitch, time=480 * beats)
            track.append(off)
        midi.tracks.append(track)
    path.parent.mkdir(parents=True, exist_ok=True)
    midi.save(path)
    return path
