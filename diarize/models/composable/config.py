"""The settings of a composable model: the `[model]` table of a conf."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from diarize.config import at_least, at_most
from diarize.errors import BadCall
from diarize.layers.lowrank import AdaptSettings


@dataclass(frozen=True)
class NetworkSettings:
    """A U-Net over frames that knows how much noise there is, and is told latents at every level.

    Attributes:
        channels: of each level, from the frames as they are to the fewest.
        kernels: of each level but the last, in frames.
        strides: from each level to the next.
        attention: whether the last level looks at all its frames at once.
        heads_of: channels to a head of that.
        groups: that are normalised together, where they divide the channels.
        dropout: share of values left out in training.
        level_width: numbers that say how much noise there is.
    """

    channels: tuple[int, ...] = (128, 128, 256, 256, 512)
    kernels: tuple[int, ...] = (5, 3, 3, 3)
    strides: tuple[int, ...] = (2, 2, 2, 2)
    attention: bool = True
    heads_of: int = 32
    groups: int = 16
    dropout: float = 0.1
    level_width: int = 128

    def __post_init__(self) -> None:
        if len(self.channels) < 2 or not (
            len(self.channels) - 1 == len(self.kernels) == len(self.strides)
        ):
            raise BadCall("channels, kernels, strides; expected one more channels than the others")
        if any(not kernel % 2 for kernel in self.kernels):
            raise BadCall(f"kernels = {list(self.kernels)}; expected odd numbers")
        if any(stride < 1 for stride in self.strides):
            raise BadCall(f"strides = {list(self.strides)}; expected 1 or more")
        if not 0 <= self.dropout < 1:
            raise BadCall(f"dropout = {self.dropout}; expected 0 to below 1")
        if self.level_width < 4 or self.level_width % 2:
            raise BadCall(f"level_width = {self.level_width}; expected an even number from 4")


@dataclass(frozen=True)
class ViewSettings:
    """How networks see a codec's latents.

    Attributes:
        kind: "latents": as they are; "levels": how loud they are in bands, in nats.
        n_bands: of "levels": half of them one number wide, the others ever wider.
        normalised: whether each number has mean 0 and variance 1 in training, and each window of
            sound a root mean square of 1.
        power: of "latents": to which their size is raised, after that; below 1 compresses.
        floor_db: of "levels": below the mean power of a window with root mean square 1, under
            which bands count as equally silent.
        counted: rows of a training after which means and variances stay as they are.
    """

    kind: Literal["latents", "levels"] = "latents"
    n_bands: int = 64
    normalised: bool = True
    power: float = 1.0
    floor_db: float = 60.0
    counted: int = 2000

    def __post_init__(self) -> None:
        if self.n_bands < 1 or self.counted < 1:
            raise BadCall(f"n_bands = {self.n_bands}, counted = {self.counted}; expected 1 or more")
        if not 0 < self.power <= 1:
            raise BadCall(f"power = {self.power}; expected above 0, at most 1")
        if not 0 < self.floor_db <= 120:
            raise BadCall(f"floor_db = {self.floor_db}; expected above 0, at most 120")


@dataclass(frozen=True)
class LossSettings:
    """What is minimised besides the distance of composed components to the mixture.

    Nothing here needs to know a stem.

    Attributes:
        steady: for each component, what its changes over time weigh; empty: nothing.
        even: for each component, what its changes over frequency weigh; empty: nothing.
        high, low: for each component, what its size above, or below, `split_hz` weighs, the more
            the farther from it (`objective.register`); empty: nothing.
        split_hz: from which frequency on sound is high.
        compression: exponent of the power of which those changes and sizes are.
        visits: of phase "visit", what the components of made mixtures weigh as such.
        shares: of phase "visit", what noise to signal of shares weighs, in dB.
        keep: of phase "visit", what the losses of phase "compose" weigh.
        alone: of phase "visit", the share of a batch that is taken for one component alone.
        whole: of phase "visit", for each component whether such windows are taken whole, or what of
            them is the component's by the model's own word; empty: all are whole.
        gated: of phase "visit", for each component, made mixtures (over the windows of a batch) in
            which it is what of other windows it has for itself frame by frame, and else silent;
            the others are of windows taken whole. Empty: none.
        sure: the share of a frame's energy, by the model's own word, from which on it has it so.
        gain_db: of phase "visit", the most by which such are louder or softer in made mixtures.
        pairs: of phase "visit", the made mixtures that each such window is in.
        speed: of phase "visit", by how much of its speed such a window is faster, or slower.
        shape_db: of phase "visit", the most by which a smooth curve over frequency changes it.
        unseen: of phase "visit", the share of made mixtures whose components are noise alone, as at
            the first step of the sampler; of the others, the noise level is any.
        keep_rows: of phase "visit", the share of a batch of which the losses of "compose" are.
    """

    steady: tuple[float, ...] = ()
    even: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    low: tuple[float, ...] = ()
    split_hz: float = 200.0
    compression: float = 0.25
    visits: float = 1.0
    shares: float = 0.1
    keep: float = 0.1
    alone: float = 0.15
    whole: tuple[bool, ...] = ()
    gated: tuple[float, ...] = ()
    sure: float = 0.98
    gain_db: float = 6.0
    pairs: int = 1
    speed: float = 0.0
    shape_db: float = 0.0
    unseen: float = 0.0
    keep_rows: float = 1.0

    def __post_init__(self) -> None:
        at_least(self, visits=0, shares=0, keep=0, gain_db=0, pairs=1)
        at_most(self, sure=1, speed=1, shape_db=40, unseen=1)
        for name in ("compression", "alone", "keep_rows"):
            if not 0 < getattr(self, name) <= 1:
                raise BadCall(f"{name} = {getattr(self, name)}; expected above 0, at most 1")
        if not self.split_hz > 0:
            raise BadCall(f"split_hz = {self.split_hz}; expected above 0")
        if any(not 0 <= share <= 1 for share in self.gated):
            raise BadCall(f"gated = {list(self.gated)}; expected numbers from 0 to 1")


@dataclass(frozen=True)
class ComposableSettings:
    """Which codec, how many components, and by which networks.

    Attributes:
        codec: by its name in `codecs`.
        codec_weights: the file of its weights; empty: those that it finds.
        n_fft: of codec "stft", samples to a frame.
        rate_hz, n_latents: of the codec: 0 takes what it has, and keeps that beside the weights.
        window_s: seconds that a long recording is cut into.
        n_components: latents, an encoder each.
        width: numbers a frame of each.
        encoder: channels of the stages of an encoder.
        encoder_kernel: frames that each of its convolutions sees.
        operator: what makes a mixture of components.
        form: what the decoder says of noisy data: what they are without noise ("clean"), or how
            they differ from noise ("difference").
        view: how the latents of the codec are seen.
        decoder: the network that all components share.
        guided: whether the decoder also sees the mixture, as networks see it.
        unguided: how often, in training, it does not; so that it can generate.
        output: "direct": a component is what the decoder says; "shares": it is a share of the
            mixture's latents, and shares add up to 1.
        sharpness: to which the power of a component is raised before shares are made.
        consistent: whether "direct" components are moved so that they add up to the mixture.
        losses: besides that of composition.
        prior: the network that latents are drawn by.
        all_masked: how likely, in its training, no latent is visible.
        n_steps: of the sampler, if nothing else is said.
        adapt: how shares are fitted to a recording.
    """

    codec: str = "rvq"
    codec_weights: str = ""
    n_fft: int = 2048
    rate_hz: int = 0
    n_latents: int = 0
    window_s: float = 6.0
    n_components: int = 2
    width: int = 1
    encoder: tuple[int, ...] = (256, 512)
    encoder_kernel: int = 3
    operator: Literal["mean", "sum", "min", "max"] = "mean"
    form: Literal["clean", "difference"] = "clean"
    view: ViewSettings = field(default_factory=ViewSettings)
    decoder: NetworkSettings = field(default_factory=NetworkSettings)
    guided: bool = False
    unguided: float = 0.2
    output: Literal["direct", "shares"] = "direct"
    sharpness: float = 1.0
    consistent: bool = True
    losses: LossSettings = field(default_factory=LossSettings)
    prior: NetworkSettings = field(
        default_factory=lambda: NetworkSettings((64, 128, 256, 512), (3, 3, 3), (1, 2, 2))
    )
    all_masked: float = 0.5
    n_steps: int = 50
    adapt: AdaptSettings = field(default_factory=AdaptSettings)

    def __post_init__(self) -> None:
        at_least(self, n_components=1, width=1, n_steps=1)
        if self.n_components > 8:
            raise BadCall(f"n_components = {self.n_components}; expected 1 to 8")
        if not self.encoder or not self.encoder_kernel % 2:
            raise BadCall("encoder, encoder_kernel; expected at least one stage, and an odd number")
        if not 0.1 <= self.window_s <= 120:
            raise BadCall(f"window_s = {self.window_s}; expected 0.1 to 120 seconds")
        at_most(self, unguided=1, all_masked=1)
        if not self.sharpness > 0:
            raise BadCall(f"sharpness = {self.sharpness}; expected above 0")
        if self.view.kind == "levels" and self.output == "direct":
            raise BadCall("output = 'direct' of view 'levels'; expected 'shares'")
        if self.adapt.steps and self.output == "direct":
            raise BadCall(f"adapt.steps = {self.adapt.steps} of output 'direct'; expected 0")
        for name in ("steady", "even", "high", "low", "whole", "gated"):
            weights: tuple[float, ...] = getattr(self.losses, name)
            if weights and len(weights) != self.n_components:
                found, wanted = len(weights), self.n_components
                raise BadCall(f"losses.{name}: {found} weights; expected {wanted}, or none")

    @property
    def names(self) -> tuple[str, ...]:
        """What components are called as long as nobody knows what they are."""
        return tuple(f"component_{number + 1}" for number in range(self.n_components))
