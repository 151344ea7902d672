from apps.detection import words


def test_a_training_says_in_words_how_far_it_has_come():
    assert words.doing("autoencoder: epoch 3 of 50: loss 0.0871") == "learns the shape of weeks: pass 3 of 50"
    assert words.doing("1,360 simulated cases") == "simulates theft and honest changes: 1,360 cases"
    assert words.doing("boosters from all meters") == "learns from those meters too"
    assert words.doing("something new") == "something new"
