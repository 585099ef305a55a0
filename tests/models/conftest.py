"""What tests of models share."""

import pytest

from diarize.config import build, read_toml


@pytest.fixture
def settings_of():
    """A function: the tables of a conf, and the settings of its model, of the class given."""

    def read(path, kind):
        tables = read_toml(path)
        own = {key: value for key, value in tables["model"].items() if key != "name"}
        return tables, build(kind, own, str(path))

    return read
