"""The `[data]` table of a conf whose corpus is songs in stems."""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from diarize.corpora import instruments, musdb18hq
from diarize.corpora.latent_settings import Latents
from diarize.corpora.stem_brightness import Brightness
from diarize.corpora.stem_effects import Effects
from diarize.errors import BadCall

WINDOWS = ("train_part", "window_s", "batch", "n_batches", "remix", "least_active", "seed")
MIXED = ("sources", "sounding_rms", "excerpt_s", "brightness")
NOT_PREPARED = ("songs", "parts", "latents")
ON_THE_FLY = frozenset((*NOT_PREPARED, *WINDOWS, *MIXED))  # what no prepared file hangs on


@dataclass(frozen=True)
class Remix:
    """How windows are changed in training, so that one hears more than there is.

    Attributes:
        share: of windows, those whose stems come from songs (and times) of their own, each.
        sounding: how likely the place of such a stem is drawn again while the stem is silent there
            (up to four times), for the sake of instruments that play in few songs.
        gain_db: the most by which each stem is louder or softer.
        mute: how likely each stem is left out.
        invert: whether each stem is turned upside down half the time.
        level_db: the most by which the whole window is louder or softer.
        peak: above which the whole window is made softer.
        effects: by which stems are made to sound like others.
    """

    share: float = 0.5
    sounding: float = 0.75
    gain_db: float = 6.0
    mute: float = 0.05
    invert: bool = True
    level_db: float = 6.0
    peak: float = 1.0
    effects: Effects = field(default_factory=Effects)

    def __post_init__(self) -> None:
        for name, most in (
            ("share", 1),
            ("sounding", 1),
            ("gain_db", 40),
            ("mute", 0.9),
            ("level_db", 40),
        ):
            if not 0 <= getattr(self, name) <= most:
                raise BadCall(f"{name} = {getattr(self, name)}; expected 0 to {most}")
        if not self.peak > 0:
            raise BadCall(f"peak = {self.peak}; expected a number above 0")


NO_REMIX = Remix(0.0, 0.0, 0.0, 0.0, False, 0.0)


@dataclass(frozen=True)
class StemSettings:
    """What songs are prepared for separation, and how windows of them are handed out.

    Attributes:
        corpus: "stems": windows are of sound; "latents": of what `diarize prepare latents` made of
            it, and then only as they are in the songs (`corpora.latent_supply`).
        layout: of the songs: "slakh" (and what `diarize prepare rendered` makes), "musdb18hq".
        songs: where they are. None: the data folder itself.
        division, resplit, by: of Slakh's tracks, see `corpora.slakh`.
        parts: that are prepared, as the layout names them. Empty: all that are there.
        sources: that mixtures are made of, such as drums and bass, in the order that batches have
            them. Empty: all of the layout. Every source is prepared all the same, once for all
            confs; sets to test on are made for each choice, see `corpora.stem_sets`.
        rate_hz: of what is prepared.
        n_channels: 1 (the mean of all) or 2.
        least_s, most_s: shorter songs, and longer ones, are left out. MSDM and the RQ-VAE take
            12 to 640 s.
        train_part: that windows are drawn from.
        window_s: how long a window is.
        batch: windows in each.      n_batches: in an epoch.
        remix: how they are changed.
        brightness: which of them are drawn for how bright their mixture is.
        least_active: windows with fewer sources that sound are drawn again (up to ten times).
        sounding_rms: from which root mean square on a source counts as sounding in a window, before
            it is remixed. 0: whatever its samples say that is not silence. Above 0, no window with
            fewer sources than `least_active` is handed out. Composable representations (arXiv
            2408.09792) are trained and tested with 0.01 and all sources.
        excerpt_s: of each song of a set to test on, of some of the sources, only so many seconds:
            the first windows of 7 s in a row in which all sources sound most often. 0: whole songs.
        seed: of all that is drawn.
        latents: of corpus "latents", the codec, and how its latents are kept.
    """

    corpus: Literal["stems", "latents"] = "stems"
    layout: Literal["slakh", "musdb18hq"] = "slakh"
    songs: Path | None = None
    division: Literal["folders", "orig"] = "folders"
    resplit: Path | None = None
    by: Literal["program_num", "inst_class"] = "program_num"
    parts: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    rate_hz: int = 22050
    n_channels: Literal[1, 2] = 1
    least_s: float = 12.0
    most_s: float = 640.0
    train_part: str = "train"
    window_s: float = 4.0
    batch: int = 16
    n_batches: int = 500
    remix: Remix = field(default_factory=Remix)
    brightness: Brightness = field(default_factory=Brightness)
    least_active: int = 1
    sounding_rms: float = 0.0
    excerpt_s: float = 0.0
    seed: int = 0
    latents: Latents = field(default_factory=Latents)

    def __post_init__(self) -> None:
        object.__setattr__(self, "sources", self.sources or self.all_sources)
        strange = [one for one in self.sources if one not in self.all_sources]
        if strange or len(set(self.sources)) < len(self.sources):
            there = ", ".join(self.all_sources)
            raise BadCall(f"sources = {list(self.sources)}; expected some of {there}, each once")
        if not 8000 <= self.rate_hz <= 96000:
            raise BadCall(f"rate_hz = {self.rate_hz}; expected 8000 to 96000")
        if len(set(self.parts)) < len(self.parts):
            raise BadCall(f"parts = {list(self.parts)}; expected names, each once")
        if not 0 <= self.least_s <= self.most_s:
            raise BadCall(f"least_s = {self.least_s}, most_s = {self.most_s}; expected 0 <= least")
        if not 0.1 <= self.window_s <= 120:
            raise BadCall(f"window_s = {self.window_s}; expected 0.1 to 120 seconds")
        for name in ("batch", "n_batches"):
            if getattr(self, name) < 1:
                raise BadCall(f"{name} = {getattr(self, name)}; expected 1 or more")
        if not 0 <= self.least_active <= len(self.sources):
            raise BadCall(f"least_active = {self.least_active}; expected 0 to {len(self.sources)}")
        if not 0 <= self.sounding_rms < 1:
            raise BadCall(f"sounding_rms = {self.sounding_rms}; expected 0 to less than 1")
        if self.excerpt_s and not 7 <= self.excerpt_s < math.inf:
            raise BadCall(f"excerpt_s = {self.excerpt_s}; expected 0, or 7 seconds and more")

    @property
    def all_sources(self) -> tuple[str, ...]:
        """The stems that the layout has, in its order: what is prepared."""
        return instruments.SOURCES if self.layout == "slakh" else musdb18hq.SOURCES

    @property
    def choice(self) -> str:
        """What sets of these sources alone are called, such as drums_bass; "" of all sources."""
        return "" if set(self.sources) == set(self.all_sources) else "_".join(self.sources)

    @property
    def n_samples(self) -> int:
        """Of a window."""
        return round(self.window_s * self.rate_hz)

    def prepared(self) -> dict[str, Any]:
        """The settings that what is prepared hangs on, as JSON has them."""
        settings = dataclasses.asdict(self)
        kept = {name: value for name, value in settings.items() if name not in ON_THE_FLY}
        kept["corpus"] = "stems"  # latents are made of the same
        plain: dict[str, Any] = json.loads(json.dumps(kept, default=str))
        return plain
