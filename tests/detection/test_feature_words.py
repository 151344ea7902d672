from apps.detection import feature_words
from ml.change_features import names


def test_every_feature_but_odd_corners_has_words_of_its_own():
    words = {name: feature_words.word(name) for name in names()}
    bare = [name for name, said in words.items() if said == name.replace("_", " ")]

    assert bare == []
    assert len(set(words.values())) > 0.98 * len(words)


def test_a_feature_says_what_and_of_which_days():
    assert feature_words.word("last14_block_5") == "hours 20 to 24 · last 14 days"
    assert feature_words.word("since_q995") == "reading that 99.5 % stay below · since the change"
    assert feature_words.word("brand_new") == "brand new"
