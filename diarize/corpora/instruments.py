"""The four classes of instruments that music is separated into, and which instrument is of which.

Source: General MIDI level 1 numbers programs in families of eight; the classes are those of the
Slakh2100 submixes (E. Manilow et al., "Cutting music source separation some Slakh", WASPAA 2019),
which puts drums at program 128.
"""

from __future__ import annotations

SOURCES = ("bass", "drums", "guitar", "piano")  # in the order that models and files have them
DRUMS = 128
DRUM_CHANNEL = 9  # from 0
_FAMILIES = {"piano": range(8), "guitar": range(24, 32), "bass": range(32, 40)}
_INST_CLASSES = {"Bass": "bass", "Drums": "drums", "Guitar": "guitar", "Piano": "piano"}


def source_of_program(program: int) -> str | None:
    """The class of a program of General MIDI (from 0; 128 is drums), or None for another one.

    >>> [source_of_program(program) for program in (0, 25, 33, 48, 128)]
    ['piano', 'guitar', 'bass', None, 'drums']
    """
    if program == DRUMS:
        return "drums"
    return next((source for source, family in _FAMILIES.items() if program in family), None)


def source_of_class(inst_class: str) -> str | None:
    """The class that Slakh's `inst_class` stands for, or None for another one.

    >>> source_of_class("Bass"), source_of_class("Synth Lead")
    ('bass', None)
    """
    return _INST_CLASSES.get(inst_class)


def class_of_source(source: str) -> str:
    """How Slakh writes a class in `inst_class`."""
    return next(name for name, one in _INST_CLASSES.items() if one == source)


def programs_of(source: str) -> tuple[int, ...]:
    """The programs of a class, but drums, whose kits differ from soundfont to soundfont."""
    return tuple(_FAMILIES[source]) if source in _FAMILIES else (DRUMS,)
