"""The corpora that can be fetched, by name: settings of a conf file, under those of a call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from diarize.config import load, read_toml
from diarize.errors import BadCall

Settings = TypeVar("Settings")


@dataclass(frozen=True)
class FetchedCorpus:
    """What fetching did: what there is now and where, and whether it was there before."""

    path: Path
    what: str
    is_new: bool
    notes: tuple[str, ...] = ()


def fetch(
    corpus: str,
    folder: Path | str,
    conf: Path | None = None,
    given: Mapping[str, Any] | None = None,
    offline: bool = False,
) -> FetchedCorpus:
    """Get or make `corpus` in `folder`, unless it is there.

    `given` are settings by name, over those of the `[data]` table of `conf`.

    Raises:
        BadCall: no such corpus, or settings that cannot be meant.
        BadFile: it cannot be had, read or written.
    """
    folder, given = Path(folder), given or {}
    if corpus == "mnist":
        return _mnist(folder, conf, given, offline)
    if corpus == "rendered":
        return _rendered(folder, conf, given)
    if corpus == "mini":
        from diarize.corpora.mini import MiniSettings, make_mini

        made = make_mini(folder, _settings(MiniSettings, conf, given), offline=offline)
    elif corpus == "simulated":
        from diarize.corpora.simulated import SimulatedData, make_simulated

        made = make_simulated(folder, _settings(SimulatedData, conf, given))
    elif corpus == "two_speakers":
        from diarize.corpora.two_speaker_settings import TwoSpeakerSettings
        from diarize.corpora.two_speakers import make_two_speakers

        made = make_two_speakers(folder, _settings(TwoSpeakerSettings, conf, given))
    else:
        there = "mini, simulated, two_speakers, mnist, rendered"
        raise BadCall(f"no corpus {corpus!r} to fetch; there are {there}")
    number = f"{made.n_recordings} recording{'s' * (made.n_recordings != 1)}"
    return FetchedCorpus(made.manifest, number, made.is_new, made.notes)


def _mnist(
    folder: Path, conf: Path | None, given: Mapping[str, Any], offline: bool
) -> FetchedCorpus:
    from diarize.corpora.mnist import fetch_mnist

    source = _settings(_made_of_mnist(conf), conf, given).mnist
    made = fetch_mnist(folder, source, offline)
    return FetchedCorpus(made.folder, "the four files of MNIST", made.is_new, made.notes)


def _rendered(folder: Path, conf: Path | None, given: Mapping[str, Any]) -> FetchedCorpus:
    from diarize.corpora.rendered_fetch import fetch_rendered
    from diarize.corpora.rendered_settings import RenderedSettings

    plain = {name: value for name, value in given.items() if name != "soundfonts"}
    settings = _settings(RenderedSettings, conf, plain)
    made = fetch_rendered(folder, settings, given.get("soundfonts", ()))
    return FetchedCorpus(made.folder, f"{made.n_songs} MIDI files", made.is_new, made.notes)


def _made_of_mnist(conf: Path | None) -> Any:
    """The settings of the corpus that a conf makes of MNIST."""
    from diarize.corpora.digit_settings import DigitSettings
    from diarize.corpora.polymnist_settings import PolymnistSettings

    tables = read_toml(conf) if conf else {}
    is_poly = tables.get("data", {}).get("corpus") == "polymnist"
    return PolymnistSettings if is_poly else DigitSettings


def _settings(cls: type[Settings], conf: Path | None, given: Mapping[str, Any]) -> Settings:
    settings = load(cls, conf, "data") if conf else cls()
    return replace(settings, **given)  # type: ignore[type-var]
