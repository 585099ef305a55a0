"""In which order frames, and the stems of a frame, are told."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int, Shaped
from torch import Tensor

from diarize.models.rqtransformer.direct import Beside


@dataclass(frozen=True)
class Order:
    """What is told when, one for each datum.

    Attributes:
        frames: the number of the frame that each step tells; every frame once.
        slots: the number of the code, of all codes of a frame, that each turn within a step tells.
            A code is (stem, stage); those of a stem follow one another from the first stage on.
    """

    frames: Int[Tensor, "batch frame"]
    slots: Int[Tensor, "batch frame slot"]


def in_time(n_data: int, n_frames: int, n_slots: int) -> Order:
    """Frames from the first to the last, stems as the codec has them."""
    frames = torch.arange(n_frames).expand(n_data, -1)
    return Order(frames, torch.arange(n_slots).expand(n_data, n_frames, -1))


def by_chance(
    shape: tuple[int, int, int],
    n_stages: int,
    infill: float,
    any_stem_first: float,
    generator: torch.Generator,
) -> Order:
    """Orders to train with, for data of `shape` (batch, frame, slot).

    Of a share `infill` of the data a stretch in the middle is told last, after what comes before
    and after it; of a share `any_stem_first` the stems are told in an order of chance, the same in
    all frames.

    Source: of the middle told last, Bavarian and others, arXiv 2207.14255.
    """
    n_data, n_frames, n_slots = shape
    n_stems, device = n_slots // n_stages, generator.device
    drawn = torch.rand(n_data, 4, generator=generator, device=device)
    ends = (drawn[:, :2] * (n_frames + 1)).long().sort(1).values
    at = torch.arange(n_frames, device=device).expand(n_data, -1)
    is_last = (at >= ends[:, :1]) & (at < ends[:, 1:]) & (drawn[:, 2:3] < infill)
    frames = (at + n_frames * is_last).argsort(1)
    keys = torch.rand(n_data, n_stems, generator=generator, device=device)
    as_they_are = torch.arange(n_stems, device=device).expand(n_data, -1)
    stems = torch.where(drawn[:, 3:] < any_stem_first, keys.argsort(1), as_they_are)
    slots = _slots(stems, n_stages)
    return Order(frames, slots[:, None].expand(-1, n_frames, -1))


def known_first(known: Bool[Tensor, "batch frame stem"], n_stages: int) -> Order:
    """Frames known as a whole first; in every frame stems that are known before the others."""
    n_data, n_frames, _ = known.shape
    at = torch.arange(n_frames, device=known.device).expand(n_data, -1)
    frames = (at + n_frames * ~known.all(2)).argsort(1)
    stems = (~known).long().argsort(dim=2, stable=True)
    told = torch.gather(stems, 1, frames[..., None].expand_as(stems))
    return Order(frames, _slots(told, n_stages))


def _slots(stems: Tensor, n_stages: int) -> Tensor:
    """The codes of stems, stage by stage."""
    stages = torch.arange(n_stages, device=stems.device)
    return (stems[..., None] * n_stages + stages).flatten(-2)


def put_in_order(
    codes: Shaped[Tensor, "batch slot frame"], order: Order
) -> Shaped[Tensor, "batch frame slot"]:
    """The codes as they are told: step by step, turn by turn."""
    by_frame = codes.transpose(1, 2)
    steps = torch.gather(by_frame, 1, order.frames[..., None].expand_as(by_frame))
    return torch.gather(steps, 2, order.slots)


def put_back(
    told: Shaped[Tensor, "batch frame slot"], order: Order
) -> Shaped[Tensor, "batch slot frame"]:
    """The codes as the codec has them, of codes as they were told."""
    steps = torch.empty_like(told).scatter_(2, order.slots, told)
    index = order.frames[..., None].expand_as(steps)
    return torch.empty_like(steps).scatter_(1, index, steps).transpose(1, 2)


def beside(
    steps: Int[Tensor, "batch frame slot"],
    frames: Int[Tensor, "batch frame"],
    chosen: Int[Tensor, "batch some"],
) -> Beside:
    """The frames beside those that the `chosen` steps tell; `steps` are codes, step by step.

    One that is told later than the frame beside it counts as not there.
    """
    n_frames = frames.shape[1]
    when = frames.argsort(1)  # the step that tells each frame
    at = frames.gather(1, chosen)
    codes, has = [], []
    for other in (at - 1, at + 1):
        step = when.gather(1, other.clamp(0, n_frames - 1))
        has.append(((other >= 0) & (other < n_frames) & (step < chosen)).flatten())
        index = step[..., None].expand(-1, -1, steps.shape[2])
        codes.append(steps.gather(1, index).flatten(0, 1))
    return Beside(*codes, *has)
