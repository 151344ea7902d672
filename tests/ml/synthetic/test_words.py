from ml.synthetic.attacks import FAMILIES, FAMILY
from ml.synthetic.look_alikes import LOOK_ALIKES
from ml.synthetic.misuse import MISUSE
from ml.synthetic.words import FAMILY_WORDS, WORDS


def test_every_simulated_change_has_words_for_a_person():
    assert set(WORDS) == {*FAMILY, *MISUSE, *LOOK_ALIKES}
    assert set(FAMILY_WORDS) == set(FAMILIES)
    assert len(set(WORDS.values())) == len(WORDS)
