import string

import pytest

from ml.findings import Reason
from ml.reasons import SENTENCES, sentence


def test_a_reason_is_said_in_words():
    reason = Reason("drop_neighbours_steady", 1.0, {"percent": 62, "since": "2026-03-12"})
    assert sentence(reason) == "Uses 62 % less than before since 2026-03-12; neighbours did not change."


def test_a_reason_is_translated_before_it_is_filled_in():
    shout = {SENTENCES["above_neighbours"]: "%(factor)s MAL SO VIEL"}
    assert sentence(Reason("above_neighbours", 0.0, {"factor": 2.5}), shout.get) == "2.5 MAL SO VIEL"


@pytest.mark.parametrize("code", SENTENCES)
def test_every_sentence_ends_as_one(code):
    assert SENTENCES[code].endswith(".")
    assert SENTENCES[code][0] in string.ascii_uppercase + "%"
