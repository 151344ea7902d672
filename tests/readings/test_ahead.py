import pytest
from django.utils import translation

from apps.readings.ahead import made_ahead


def test_items_come_in_their_order():
    assert list(made_ahead((number for number in range(1, 8)), 3)) == [1, 2, 3, 4, 5, 6, 7]


def test_a_fault_comes_after_the_items_before_it():
    def items():
        yield 1
        raise ValueError("broken here")

    found = made_ahead(items(), 3)
    assert next(found) == 1
    with pytest.raises(ValueError, match="broken here"):
        next(found)


def test_whoever_stops_early_closes_what_makes_the_items():
    closed = []

    def items():
        try:
            yield from range(1, 100)
        finally:
            closed.append(True)

    found = made_ahead(items(), 2)
    assert next(found) == 1
    found.close()
    assert closed == [True]


def test_items_are_made_in_the_language_of_the_caller():
    with translation.override("de"):
        assert list(made_ahead((translation.get_language() for _ in range(2)), 1)) == ["de", "de"]
