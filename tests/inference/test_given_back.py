import ctypes

from diarize.inference.memory import give_back


def test_a_machine_without_the_call_is_left_as_it_is(monkeypatch):
    class Bare:
        def __init__(self, name):
            self.name = name

    monkeypatch.setattr(ctypes, "CDLL", Bare)
    assert give_back() is None


def test_the_call_is_made_where_it_is_there(monkeypatch):
    called = []

    class Library:
        def __init__(self, name):
            self.malloc_trim = called.append

    monkeypatch.setattr(ctypes, "CDLL", Library)
    give_back()
    assert called == [0]
