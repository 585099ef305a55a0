"""The rqtransformer: how likely codes of music are, and what codes may come next."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from diarize.codecs.coarse import CoarseCodec
from diarize.corpora.code_windows import CodeWindows
from diarize.errors import BadCall
from diarize.models.contract import Batch, Losses
from diarize.models.rqtransformer.config import RQTransformerSettings
from diarize.models.rqtransformer.direct import NextTo
from diarize.models.rqtransformer.networks import OverDepth, OverTime, weighed
from diarize.models.rqtransformer.order import Order, beside, by_chance, in_time


class RQTransformer(nn.Module):
    """A codec of stems and a model of its codes, for `diarize.training`.

    Its phases: "codec", in which stems become codes and levels again; "counts", in which the codec
    stays as it is and pairs of its codes are counted; and "codes", in which the transformers learn
    to tell them better than those counts do. The last two take stems, or codes made of them before.

    Source: Berti, arXiv 2408.07020, its code: a transformer over time, whose step for a frame is
    given the codes of the frame before, and one over the codes of a frame. There, attention reads
    the diagonal alone, so that no step sees another; here each sees all before it. There, codes are
    of mixtures; here they are of stems, so that one stem can be told by the others.
    """

    settings_type = RQTransformerSettings
    phases = ("codec", "counts", "codes")

    def __init__(self, settings: RQTransformerSettings) -> None:
        super().__init__()
        self.settings, self.rate_hz = settings, settings.rate_hz
        self.sources, self.n_frames = settings.codec.sources, settings.n_frames
        self.codec = CoarseCodec(settings.codec, settings.rate_hz)
        self.n_slots, self.n_stages = self.codec.n_codes, settings.codec.n_stages
        self.n_codes = settings.codec.rules.n_codes
        self.time = OverTime(settings, self.codec.n_latents)
        self.next_to = NextTo(self.n_slots, self.n_codes, settings.codec.code_width)
        self.depth = OverDepth(settings, self.n_slots, self.n_codes, self.next_to.n_seen)
        self.phase = ""

    def begin(self, phase: str) -> None:
        """Set modes and what is to be trained for `phase`."""
        if phase not in self.phases:
            raise BadCall(f"no phase {phase!r}; there are {', '.join(self.phases)}")
        self.phase = phase
        self.train()
        self.requires_grad_(phase == "codes")
        self.codec.requires_grad_(phase == "codec")
        self.next_to.requires_grad_(phase != "codec")

    def end_epoch(self) -> Mapping[str, float]:
        """The share of the codes that are in use, while the codec is trained."""
        if self.phase != "codec":
            return {}
        used = [(book.usage > 0).float().mean() for book in self.codec.books.books()]
        return {"codes_in_use": float(torch.stack(used).mean())}

    def loss(self, batch: Batch, generator: torch.Generator) -> Losses:
        """What `batch`, `Songs` or `CodeWindows`, costs: decibels lost by the codec; nats a code.

        Raises:
            BadCall: the batch has no stems, or not those of the settings; codes of another codec.
        """
        if self.phase == "codec":
            return self._codec_loss(self._stems(batch), generator)
        codes = self._codes_of(batch)
        settings = self.settings
        shape = (len(codes), codes.shape[2], self.n_slots)
        in_any_order = self.training and self.phase == "codes"
        order = in_time(*shape)
        if in_any_order:
            shares = settings.infill, settings.any_stem_first
            order = by_chance(shape, self.n_stages, *shares, generator)
        share = settings.depth_share if self.training else 1.0
        chosen = _some(shape[0], shape[1], share, generator)
        wanted_precision = settings.training_precision == "bfloat16" and in_any_order
        with torch.autocast(codes.device.type, torch.bfloat16, enabled=wanted_precision):
            nats = self._told(codes, order, chosen)
        if self.phase == "counts" and self.training:
            self.next_to.count(codes)
        bits = (nats.detach() / math.log(2)).unflatten(2, (-1, self.n_stages)).mean((0, 1, 2))
        parts = {f"bits_{stage + 1}": one for stage, one in enumerate(bits)}
        return Losses(nats.mean(), parts)

    def _stems(self, batch: Batch) -> Float[Tensor, "batch source time"]:
        stems: Tensor | None = getattr(batch, "stems", None)
        wanted = f"{len(self.sources)} are wanted: {', '.join(self.sources)}"
        if stems is None or stems.shape[1] != len(self.sources):
            found = "no stems" if stems is None else f"{stems.shape[1]} stems"
            raise BadCall(f"a batch with {found}; {wanted}")
        return stems

    def _codes_of(self, batch: Batch) -> Int[Tensor, "batch slot frame"]:
        """Those that a batch has, or those of its stems."""
        if not isinstance(batch, CodeWindows):
            return self.codes(self._stems(batch))
        others = batch.codec[batch.codec != int(self.codec.name, 16)]
        if len(others):
            other = f"{int(others[0]):012x}"
            raise BadCall(f"codes of the codec {other}; this model's is {self.codec.name}")
        self.check_frames(batch.inputs.shape[2])
        return batch.inputs

    def _codec_loss(self, stems: Tensor, generator: torch.Generator) -> Losses:
        levels = self.codec.heard(stems)
        vectors = self.codec.vectors(levels)
        made = self.codec.books(vectors.flatten(1, 2), generator if self.training else None)
        back = self.codec.rebuilt(made.vectors.view_as(vectors))
        apart = (back - levels).abs().mean() + 0.5 * ((back - levels) ** 2).mean()
        pulled = made.commitment_error + made.total_error
        parts = {"levels": apart.detach(), "commitment": pulled.detach()}
        return Losses(apart + self.settings.commitment * pulled, parts)

    @torch.no_grad()
    def codes(self, stems: Float[Tensor, "batch source time"]) -> Int[Tensor, "batch slot frame"]:
        """The codes of stems, full scale 1, at `rate_hz`; of no more frames than were trained.

        Raises:
            BadCall: more stems or frames than there may be.
        """
        codes = self.codec.encode(stems).codes
        assert codes is not None
        self.check_frames(codes.shape[2])
        return codes

    def check_frames(self, n_frames: int) -> None:
        """See that a window is of frames that can be told together.

        Raises:
            BadCall: it is not.
        """
        if not 1 <= n_frames <= self.n_frames:
            most_s = self.n_frames / self.codec.frame_rate_hz
            most = f"{self.n_frames} ({most_s:.1f} s)"
            raise BadCall(f"{n_frames} frames; this model was trained on 1 to {most}")

    def nats(
        self, codes: Int[Tensor, "batch slot frame"], order: Order | None = None
    ) -> Float[Tensor, "batch slot frame"]:
        """How surprising each code is, in nats: -log of its probability by those told before it.

        By default frame by frame and stem by stem; the sum over all is that of the whole window.

        Raises:
            BadCall: more frames than were trained, or another number of codes a frame.
        """
        self.check_frames(codes.shape[2])
        if codes.shape[1] != self.n_slots:
            raise BadCall(f"{codes.shape[1]} codes a frame; this model tells {self.n_slots}")
        n_data, n_slots, n_frames = codes.shape
        order = order or in_time(n_data, n_frames, n_slots)
        everything = torch.arange(n_frames, device=codes.device).expand(n_data, -1)
        told = self._told(codes, order, everything)
        index = _each(order.frames.to(codes), n_slots)
        return torch.zeros_like(told).scatter(1, index, told).transpose(1, 2)

    def surprise(self, stems: Float[Tensor, "batch source time"]) -> Float[Tensor, " batch"]:
        """Nats of all codes of some stems, whole windows."""
        return self.nats(self.codes(stems)).flatten(1).sum(1)

    def log_odds(
        self, codes: Int[Tensor, "batch slot frame"], order: Order | None = None
    ) -> Float[Tensor, "batch step turn code"]:
        """Log odds of every code at every turn, in the order in which they are told."""
        n_data, n_slots, n_frames = codes.shape
        order = order or in_time(n_data, n_frames, n_slots)
        everything = torch.arange(n_frames, device=codes.device).expand(n_data, -1)
        odds, _ = self._odds(codes, order, everything)
        return odds.gather(2, order.slots.to(codes)[..., None].expand_as(odds))

    def _told(self, codes: Tensor, order: Order, chosen: Tensor) -> Tensor:
        """Nats of every slot of the steps that were chosen."""
        odds, told = self._odds(codes, order, chosen)
        flat = torch.nn.functional.cross_entropy(
            odds.flatten(0, 2), told.flatten(), reduction="none"
        )
        return flat.view_as(told)

    def _odds(self, codes: Tensor, order: Order, chosen: Tensor) -> tuple[Tensor, Tensor]:
        """Log odds and codes of every slot of the chosen steps."""
        frames = order.frames.to(codes)
        steps = codes.transpose(1, 2).gather(1, _each(frames, self.n_slots))
        own, slots = (
            one.gather(1, _each(chosen, self.n_slots)).flatten(0, 1)
            for one in (steps, order.slots.to(codes))
        )
        learns = self.training and self.phase == "codes"
        with torch.autocast(codes.device.type, enabled=False):
            direct = self.next_to(self.codec, own, beside(steps, frames, chosen), learns)
        if self.training and self.phase == "counts":
            odds = weighed(direct.terms, self.next_to.weights)
        else:
            vectors = self.codec.look_up(codes).flatten(2)
            in_order = vectors.gather(1, frames[..., None].expand_as(vectors))[:, :-1]
            before = torch.nn.functional.pad(frames[:, :-1], (1, 0), value=-1)
            expected = self.time(in_order if in_order.shape[1] else None, frames, before)
            some = expected.gather(1, _each(chosen, expected.shape[2])).flatten(0, 1)
            odds = self.depth(some, own, slots, direct, self.next_to.weights)
        shape = chosen.shape
        return odds.unflatten(0, shape), own.unflatten(0, shape)


def _some(n_data: int, n_frames: int, share: float, generator: torch.Generator) -> Tensor:
    """Numbers of some of the steps of each datum, drawn; all of them in their order for 1."""
    if share == 1:
        return torch.arange(n_frames, device=generator.device).expand(n_data, -1)
    keys = torch.rand(n_data, n_frames, generator=generator, device=generator.device)
    return keys.argsort(1)[:, : math.ceil(share * n_frames)]


def _each(chosen: Tensor, n: int) -> Tensor:
    return chosen[..., None].expand(-1, -1, n)
