"""The rqtransformer: how likely codes of music are, and what codes may come next."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from diarize.codecs.coarse import CoarseCodec
from diarize.errors import BadCall
from diarize.models.contract import Batch, Losses
from diarize.models.rqtransformer.config import RQTransformerSettings
from diarize.models.rqtransformer.networks import OverDepth, OverTime
from diarize.models.rqtransformer.order import Order, by_chance, in_time, put_back, put_in_order


class RQTransformer(nn.Module):
    """A codec of stems and a model of its codes, for `diarize.training`.

    Its phases: "codec", in which stems become codes and levels again, and "codes", in which the
    codec stays as it is and its codes are told one by one.

    Source: Berti, arXiv 2408.07020, its code: a transformer over time, whose step for a frame is
    given the codes of the frame before, and one over the codes of a frame. There, attention reads
    the diagonal alone, so that no step sees another; here each sees all before it. There, codes are
    of mixtures; here they are of stems, so that one stem can be told by the others.
    """

    settings_type = RQTransformerSettings
    phases = ("codec", "codes")

    def __init__(self, settings: RQTransformerSettings) -> None:
        super().__init__()
        self.settings, self.rate_hz = settings, settings.rate_hz
        self.sources, self.n_frames = settings.codec.sources, settings.n_frames
        self.codec = CoarseCodec(settings.codec, settings.rate_hz)
        self.n_slots, self.n_stages = self.codec.n_codes, settings.codec.n_stages
        self.n_codes = settings.codec.rules.n_codes
        self.time = OverTime(settings, self.codec.n_latents)
        self.depth = OverDepth(settings, self.n_slots, self.n_codes)
        self.phase = ""

    def begin(self, phase: str) -> None:
        """Set modes and what is to be trained for `phase`."""
        if phase not in self.phases:
            raise BadCall(f"no phase {phase!r}; there are {', '.join(self.phases)}")
        self.phase = phase
        self.train()
        self.requires_grad_(phase == "codes")
        self.codec.requires_grad_(phase == "codec")

    def end_epoch(self) -> Mapping[str, float]:
        """The share of the codes that are in use, while the codec is trained."""
        if self.phase != "codec":
            return {}
        used = [(book.usage > 0).float().mean() for book in self.codec.books.books()]
        return {"codes_in_use": float(torch.stack(used).mean())}

    def loss(self, batch: Batch, generator: torch.Generator) -> Losses:
        """What `batch`, `Songs`, costs: decibels lost by the codec; or nats a code.

        Raises:
            BadCall: the batch has no stems, or not those of the settings.
        """
        stems = getattr(batch, "stems", None)
        wanted = f"{len(self.sources)} are wanted: {', '.join(self.sources)}"
        if stems is None or stems.shape[1] != len(self.sources):
            found = "no stems" if stems is None else f"{stems.shape[1]} stems"
            raise BadCall(f"a batch with {found}; {wanted}")
        if self.phase == "codec":
            return self._codec_loss(stems, generator)
        codes = self.codes(stems)
        shape = (len(codes), codes.shape[2], self.n_slots)
        settings = self.settings
        if not self.training:
            order = in_time(*shape)
        else:
            shares = settings.infill, settings.any_stem_first
            order = by_chance(shape, self.n_stages, *shares, generator)
        share = settings.depth_share if self.training else 1.0
        chosen = _some(shape[0], shape[1], share, generator)
        wanted_precision = settings.training_precision == "bfloat16" and self.training
        with torch.autocast(stems.device.type, torch.bfloat16, enabled=wanted_precision):
            nats = self._told(codes, order, chosen)
        bits = nats.detach() / math.log(2)
        slots = torch.gather(order.slots.to(codes), 1, _each(chosen, self.n_slots))
        stages = slots % self.n_stages
        parts = {
            f"bits_{stage + 1}": bits[stages == stage].mean() for stage in range(self.n_stages)
        }
        return Losses(nats.mean(), parts)

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
        return put_back(told, Order(order.frames.to(codes), order.slots.to(codes)))

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
        return self._odds(codes, order, everything)[0]

    def _told(self, codes: Tensor, order: Order, chosen: Tensor) -> Tensor:
        """Nats of every turn of the steps that were chosen."""
        odds, told = self._odds(codes, order, chosen)
        flat = torch.nn.functional.cross_entropy(
            odds.flatten(0, 2).float(), told.flatten(), reduction="none"
        )
        return flat.view_as(told)

    def _odds(self, codes: Tensor, order: Order, chosen: Tensor) -> tuple[Tensor, Tensor]:
        """Log odds and codes of every turn of the chosen steps."""
        order = Order(order.frames.to(codes), order.slots.to(codes))
        told = put_in_order(codes, order)
        vectors = self.codec.look_up(codes).flatten(2)
        index = order.frames[..., None].expand_as(vectors)
        in_order = torch.gather(vectors, 1, index)[:, :-1]
        before = torch.nn.functional.pad(order.frames[:, :-1], (1, 0), value=-1)
        expected = self.time(in_order if in_order.shape[1] else None, order.frames, before)
        some = torch.gather(expected, 1, _each(chosen, expected.shape[2]))
        own, slots = (
            torch.gather(one, 1, _each(chosen, self.n_slots)) for one in (told, order.slots)
        )
        flat_slots = slots.flatten(0, 1)
        values = self.depth(some.flatten(0, 1), own.flatten(0, 1), flat_slots)
        return self.depth.odds(values, flat_slots).unflatten(0, slots.shape[:2]), own


def _some(n_data: int, n_frames: int, share: float, generator: torch.Generator) -> Tensor:
    """Numbers of some of the steps of each datum, drawn; all of them in their order for 1."""
    if share == 1:
        return torch.arange(n_frames, device=generator.device).expand(n_data, -1)
    keys = torch.rand(n_data, n_frames, generator=generator, device=generator.device)
    return keys.argsort(1)[:, : math.ceil(share * n_frames)]


def _each(chosen: Tensor, n: int) -> Tensor:
    return chosen[..., None].expand(-1, -1, n)
