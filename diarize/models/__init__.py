"""The rooms of the five models, what they are compared with, and the contract they share."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from diarize.config import build
from diarize.errors import BadFile

MODELS = {  # imported when asked for by name
    "msvae": "diarize.models.msvae.model:MSVAE",
    "msvae_speech": "diarize.models.msvae.speech.model:SpeechMSVAE",
    "idmvae": "diarize.models.idmvae.model:IDMVAE",
    "vaebss": "diarize.models.baselines.vaebss:VAEBSS",
    "multibeta": "diarize.models.multibeta.model:MultiBetaVAE",
    "rqvae": "diarize.models.rqvae.model:RQVAE",
    "composable": "diarize.models.composable.model:Composable",
    "rqtransformer": "diarize.models.rqtransformer.model:RQTransformer",
    "digit_classifier": "diarize.models.baselines.digit_classifier:DigitClassifier",
    "instrument_classifier": "diarize.models.baselines.instrument_classifier:InstrumentClassifier",
    "view_judge": "diarize.models.baselines.view_judge:ViewJudge",
}


def make_model(name: str, settings: Mapping[str, Any], where: str) -> Any:
    """The model called `name`, untrained, made by its `settings`; a `contract.Trainable`.

    `where` names the file and table of the settings in messages.

    Raises:
        BadFile: no such model, or settings it does not have.
    """
    if name not in MODELS:
        raise BadFile(f"{where}: no model {name!r}; there are {', '.join(MODELS)}")
    module, _, member = MODELS[name].partition(":")
    cls = getattr(importlib.import_module(module), member)
    own = {key: value for key, value in settings.items() if key != "name"}
    return cls(build(cls.settings_type, own, where))
