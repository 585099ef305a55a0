"""What windows of conversations cost in training."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from diarize.corpora.batch import Scenes
from diarize.models.contract import Losses
from diarize.models.msvae.speech.config import SpeechSettings

if TYPE_CHECKING:
    from diarize.models.msvae.speech.model import Weighed

OUT = -1  # a frame whose pattern is not known, or is of more speakers than patterns are listed


def scene_loss(settings: SpeechSettings, scenes: Scenes, weighed: Weighed) -> Losses:
    """Cross-entropies of known patterns, and minus the bound, in nats a frame.

    The proposal and the likelihood are each asked to tell the pattern alone, too: trained only
    together, either leans on the other.
    """
    known = pattern_numbers(scenes, weighed.patterns)
    parts: dict[str, Tensor] = {}
    if bool((known != OUT).any()):
        told = {
            "cross_entropy": weighed.proposed + weighed.supported,
            "by_proposal": weighed.proposed,
            "by_likelihood": weighed.alone,
        }
        parts = {name: _cross_entropy(logits, known) for name, logits in told.items()}
    bound = mean_bound(settings, scenes, weighed, known)
    parts["bound"] = bound
    weights = {
        "cross_entropy": 1.0,
        "by_proposal": settings.proposal_weight,
        "by_likelihood": settings.likelihood_weight,
        "bound": -settings.bound_weight,
    }
    total = torch.stack([weights[name] * part for name, part in parts.items()]).sum()
    told = {name: part.detach() for name, part in parts.items()}
    return Losses(total, told, n_counted=_counts(scenes, known).sum())


def mean_bound(
    settings: SpeechSettings,
    scenes: Scenes,
    weighed: Weighed,
    known: Int[Tensor, "batch frame"],
) -> Float[Tensor, ""]:
    """The bound on log p(x), in nats a frame, averaged over the frames there are.

    Where the pattern is known it is that of this pattern: its likelihood less the divergence of the
    streams that are on, and a small share of that of the others, which holds them near the prior.
    Where it is not, log sum_s p(s) p(x | s) less the divergence that q(s | x) expects, with the
    proposal as p(s). Frames with more speakers than patterns are listed say nothing.

    Source: arXiv 2510.15669, the free energy.
    """
    explanation, patterns = weighed.explanation, weighed.patterns
    likelihood, divergence, background = (
        one.repeat_interleave(2, 1)
        for one in (explanation.log_likelihood, explanation.divergence, explanation.background)
    )
    divergence = divergence * scenes.is_there[:, None]
    is_on = patterns[known.clamp_min(0)]
    charge = is_on + settings.idle_charge * (1 - is_on)
    of_known = likelihood.gather(2, known.clamp_min(0)[..., None])[..., 0]
    of_known = of_known - (charge * divergence).sum(2) - background
    log_prior = weighed.proposed.log_softmax(2)
    presence = weighed.log_probability.exp() @ patterns
    of_unknown = (log_prior + likelihood).logsumexp(2) - (presence * divergence).sum(2) - background
    bound = torch.where(known == OUT, of_unknown, of_known)
    counts = _counts(scenes, known)
    return (bound * counts).sum() / counts.sum().clamp_min(1)


def pattern_numbers(
    scenes: Scenes, patterns: Float[Tensor, "pattern speaker"]
) -> Int[Tensor, "batch frame"]:
    """Which of `patterns` each frame has; `OUT` where that is not known or there is none such."""
    if scenes.patterns is None:
        return torch.full(scenes.mel.shape[:2], OUT, device=scenes.mel.device)
    place = 2 ** torch.arange(patterns.shape[1], device=patterns.device)
    codes, order = (patterns.long() * place).sum(1).sort()
    wanted = (scenes.patterns.clamp_min(0).long() * place).sum(2)
    found = torch.searchsorted(codes, wanted).clamp_max(len(codes) - 1)
    is_known = scenes.is_frame & ~_is_untold(scenes) & (codes[found] == wanted)
    return torch.where(is_known, order[found], OUT)


def _counts(scenes: Scenes, known: Tensor) -> Tensor:
    """Which frames say something: those there are, but for more speakers than patterns list."""
    return scenes.is_frame & ((known != OUT) | _is_untold(scenes))


def _is_untold(scenes: Scenes) -> Tensor:
    if scenes.patterns is None:
        return torch.ones_like(scenes.is_frame)
    return (scenes.patterns < 0).any(2)


def _cross_entropy(logits: Tensor, known: Tensor) -> Tensor:
    return functional.cross_entropy(logits.flatten(0, 1), known.flatten(), ignore_index=OUT)
