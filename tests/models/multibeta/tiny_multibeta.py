"""A small model of many betas, and images for it."""

from dataclasses import replace

import torch

from diarize.config import build
from diarize.models.multibeta.config import MultiBetaSettings
from diarize.models.multibeta.model import MultiBetaVAE

TABLE = {
    **{"n_values": 64, "n_latents": 3, "widths": [4, 4], "n_hidden": 8, "n_features": 4},
    **{"lowest_beta": 0.1, "highest_beta": 100.0, "n_knots": 4},
    "diffusion": {"n_steps": 12, "width": 8, "n_blocks": 1},
}
SETTINGS = build(MultiBetaSettings, TABLE, "here")


def chance(seed=0):
    return torch.Generator().manual_seed(seed)


def images(n_images=6, seed=1):
    return torch.rand(n_images, 64, generator=chance(seed))


def made(seed=0, diffusion=None, **changed):
    """An untrained model."""
    settings = replace(SETTINGS, **changed)
    if diffusion:
        settings = replace(settings, diffusion=replace(SETTINGS.diffusion, **diffusion))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return MultiBetaVAE(settings)


def usable(**changed):
    """One whose second stage was begun, so that it can be used."""
    model = made(**changed)
    model.begin("diffusion")
    return model.eval()
