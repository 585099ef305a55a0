"""Codes drawn one by one: from nothing, after a beginning, or where some are missing."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from diarize.errors import BadCall
from diarize.layers.attention import Memory
from diarize.models.rqtransformer.direct import Beside
from diarize.models.rqtransformer.model import RQTransformer
from diarize.models.rqtransformer.order import Order, beside, known_first, put_back, put_in_order


@dataclass(frozen=True)
class Drawing:
    """How a code is drawn.

    Attributes:
        temperature: log odds are divided by it; 0 always takes the likeliest.
        top_k: only so many of the likeliest codes can be drawn; None: all.
        top_p: only the likeliest that together have this probability; 1: all.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.temperature <= 100:
            raise BadCall(f"temperature = {self.temperature}; 0 to 100 would be right")
        if self.top_k is not None and self.top_k < 1:
            raise BadCall(f"top_k = {self.top_k}; 1 or more would be right")
        if not 0 < self.top_p <= 1:
            raise BadCall(f"top_p = {self.top_p}; above 0 and at most 1 would be right")


def probabilities(odds: Float[Tensor, "row code"], drawing: Drawing) -> Float[Tensor, "row code"]:
    """How likely each code is to be drawn, by log odds: temperature, then top k, then top p.

    Source: of top p, Holtzman and others, arXiv 1904.09751, section 3.1.

    >>> odds = torch.tensor([[0.0, 2.0, 1.0]])
    >>> probabilities(odds, Drawing(temperature=0.0)).tolist()
    [[0.0, 1.0, 0.0]]
    >>> probabilities(odds, Drawing(top_k=2))
    tensor([[0.0000, 0.7311, 0.2689]])
    """
    if drawing.temperature == 0:
        likeliest = torch.nn.functional.one_hot(odds.argmax(1), odds.shape[1])
        return likeliest.to(odds)
    odds = odds / drawing.temperature
    if drawing.top_k is not None and drawing.top_k < odds.shape[1]:
        least = odds.topk(drawing.top_k, 1).values[:, -1:]
        odds = odds.masked_fill(odds < least, -torch.inf)
    found = odds.softmax(1)
    if drawing.top_p < 1:
        falling, places = found.sort(1, descending=True)
        too_many = falling.cumsum(1) - falling >= drawing.top_p
        dropped = torch.zeros_like(too_many).scatter_(1, places, too_many)
        found = found.masked_fill(dropped, 0)
        found = found / found.sum(1, keepdim=True)
    return found


@torch.no_grad()
def complete(
    model: RQTransformer,
    codes: Int[Tensor, "batch slot frame"],
    known: Bool[Tensor, "batch frame stem"],
    generator: torch.Generator,
    drawing: Drawing | None = None,
    cached: bool = True,
) -> Int[Tensor, "batch slot frame"]:
    """The same codes where stems are `known`, drawn ones elsewhere.

    Frames known as a whole are told first, whether before or after what is missing; then the
    others from first to last, in each the stems that are known before those that are not. So a gap
    is filled by both its sides; but known stems of a frame that lacks others say nothing of
    earlier such frames. `cached` False works everything out anew at every code, which is slow
    and draws the same.

    Raises:
        BadCall: more frames than were trained, or shapes that do not fit.
    """
    drawing = drawing or Drawing()
    n_data, n_slots, n_frames = codes.shape
    model.check_frames(n_frames)
    wanted = (n_data, n_frames, len(model.sources))
    if n_slots != model.n_slots or known.shape != wanted:
        raise BadCall(
            f"codes {tuple(codes.shape)} with known {tuple(known.shape)}; "
            f"{(n_data, model.n_slots, n_frames)} with {wanted} would be right"
        )
    order = known_first(known, model.n_stages)
    told = put_in_order(torch.where(_by_slot(known, model.n_stages), codes, 0), order)
    index = order.frames[..., None].expand(-1, -1, known.shape[2])
    is_known = torch.gather(known, 1, index).repeat_interleave(model.n_stages, 2)
    is_known = torch.gather(is_known, 2, order.slots)
    first = int(is_known.all(2).all(0).long().cumprod(0).sum())  # steps at which nothing is drawn
    walk = _Walk(model, order, told, cached)
    for step in range(first, n_frames):
        expected, near = walk.expected(step), walk.beside(step)
        slots = order.slots[:, step]
        memories = model.depth.memories()
        before: tuple[Tensor, Tensor] | None = None
        for turn in range(n_slots):
            own = torch.empty_like(slots).scatter_(1, slots, told[:, step])
            direct = model.next_to(model.codec, own, near)
            weights, slot = model.next_to.weights, slots[:, turn]
            if cached:
                odds = model.depth.step(expected, before, slot, direct, weights, memories)
            else:
                all_odds = model.depth(expected, own, slots, direct, weights)
                odds = all_odds[torch.arange(n_data, device=slot.device), slot]
            drawn = torch.multinomial(probabilities(odds, drawing), 1, generator=generator)[:, 0]
            told[:, step, turn] = torch.where(is_known[:, step, turn], told[:, step, turn], drawn)
            before = told[:, step, turn], slot
    return put_back(told, order)


def generate(
    model: RQTransformer,
    n_data: int,
    n_frames: int,
    generator: torch.Generator,
    drawing: Drawing | None = None,
    beginning: Int[Tensor, "slot given"] | None = None,
) -> Int[Tensor, "batch slot frame"]:
    """Codes of `n_data` pieces of music, `n_frames` long; all with one `beginning`, if any.

    Raises:
        BadCall: more frames than were trained, or a beginning that leaves nothing to draw.
    """
    model.check_frames(n_frames)
    codes = torch.zeros(n_data, model.n_slots, n_frames, dtype=torch.long)
    known = torch.zeros(n_data, n_frames, len(model.sources), dtype=torch.bool)
    if beginning is not None:
        n_given = beginning.shape[1]
        if n_given >= n_frames:
            raise BadCall(f"a beginning of {n_given} frames of {n_frames}; fewer would be right")
        if beginning.shape[0] != model.n_slots:
            raise BadCall(f"{beginning.shape[0]} codes a frame; this model tells {model.n_slots}")
        codes[:, :, :n_given] = beginning
        known[:, :n_given] = True
    device = next(model.parameters()).device
    return complete(model, codes.to(device), known.to(device), generator, drawing)


def _by_slot(known: Tensor, n_stages: int) -> Tensor:
    return known.repeat_interleave(n_stages, 2).transpose(1, 2)


class _Walk:
    """What is to be expected of one step after another; `told` may change at steps not yet seen."""

    def __init__(self, model: RQTransformer, order: Order, told: Tensor, cached: bool) -> None:
        self.model, self.order, self.told, self.cached = model, order, told, cached
        self.memories: list[Memory] = model.time.memories()
        self.n_seen = 0
        self.before = torch.nn.functional.pad(order.frames[:, :-1], (1, 0), value=-1)

    def expected(self, step: int) -> Float[Tensor, "row width"]:
        """What the transformer over time makes of all steps before this."""
        start = self.n_seen if self.cached else 0
        vectors = self._vectors(max(0, start - 1), step)
        times, before = self.order.frames[:, start : step + 1], self.before[:, start : step + 1]
        memories = self.memories if self.cached else None
        self.n_seen = step + 1
        return self.model.time(vectors, times, before, memories)[:, -1]

    def beside(self, step: int) -> Beside:
        """The frames beside that of this step which were told before it."""
        steps = torch.empty_like(self.told).scatter_(2, self.order.slots, self.told)
        chosen = torch.full_like(self.order.frames[:, :1], step)
        return beside(steps, self.order.frames, chosen)

    def _vectors(self, start: int, end: int) -> Tensor | None:
        """What the codes of these steps stand for."""
        if end <= start:
            return None
        told, slots = self.told[:, start:end], self.order.slots[:, start:end]
        frames = torch.empty_like(told).scatter_(2, slots, told)
        return self.model.codec.look_up(frames.transpose(1, 2)).flatten(2)
