"""Batches of PolyMNIST, for training."""

from __future__ import annotations

from diarize.corpora.polymnist import PolymnistImages
from diarize.corpora.polymnist_settings import PolymnistSettings
from diarize.corpora.view_supply import ViewSupply


class PolymnistSupply(ViewSupply):
    """Hands out what `diarize prepare polymnist` left in a folder; a `Supply` of phase "views".

    A batch is `Views`: the five images of each datum, flattened, in 0 to 1; its truths are the
    digit, and the quadrant of each view.
    """

    settings_type = PolymnistSettings
    opens = PolymnistImages
