"""The meetings of AMI by their ids, and the ways they are shared out to train, dev and test.

The facts are in `ami_meetings.json`, with where each comes from. `but` is what the references of
BUT (AMI-diarization-setup) are shared out by: the same meetings as `full_corpus_asr`.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

Split = Literal["full_corpus_asr", "but", "full_corpus", "scenario_only"]
Part = Literal["train", "dev", "test"]
Microphone = Literal["mix_headset", "array1_01"]
FILE_NAMES: dict[str, str] = {"mix_headset": "Mix-Headset", "array1_01": "Array1-01"}
_FACTS = Path(__file__).with_name("ami_meetings.json")


def meetings_of(split: Split, parts: Iterable[Part]) -> list[str]:
    """The ids of the meetings in these parts of a split, sorted.

    >>> meetings_of("full_corpus_asr", ["test"])[:5]
    ['EN2002a', 'EN2002b', 'EN2002c', 'EN2002d', 'ES2004a']
    """
    facts = _facts()
    series = [one for part in parts for one in facts["splits"][split][part]]
    return sorted(one + letter for one in series for letter in facts["meetings"][one] or [""])


def all_meetings() -> list[str]:
    """The ids of all 171 meetings, sorted."""
    known: dict[str, str] = _facts()["meetings"]
    return sorted(one + letter for one, letters in known.items() for letter in letters or [""])


def never_recorded(microphone: Microphone) -> set[str]:
    """The meetings that AMI itself has no such audio of."""
    return set(_facts()["without_array1_01"]) if microphone == "array1_01" else set()


def known_sha256(microphone: Microphone, meeting: str) -> str | None:
    """The checksum of that file on AMI's mirror, where somebody has written it down."""
    known: dict[str, str] = _facts()["sha256"] if microphone == "mix_headset" else {}
    return known.get(meeting)


@functools.cache
def _facts() -> dict[str, Any]:
    facts: dict[str, Any] = json.loads(_FACTS.read_text(encoding="utf-8"))
    return facts
