"""What one connection is to bring."""

from regproxy.stream.stretch import Stretch


def test_up_to_its_stop() -> None:
    """Not a byte more is taken; it is over there, if the answer has more."""
    stretch = Stretch(10, 15, 20)
    assert (stretch.position, stretch.is_over) == (10, False)
    assert [(stretch.take(3), stretch.position, stretch.is_over) for _ in range(3)] == [
        (3, 13, False),
        (2, 15, True),
        (0, 15, True),
    ]


def test_an_answer_that_ends_there() -> None:
    """Ends by itself."""
    stretch = Stretch(10, 15, 15)
    assert (stretch.take(9), stretch.position, stretch.is_over) == (5, 15, False)


def test_without_a_stop() -> None:
    """Everything is taken."""
    stretch = Stretch()
    assert (stretch.take(3), stretch.take(4), stretch.position, stretch.is_over) == (3, 4, 7, False)


def test_a_stop_that_moves_back() -> None:
    """Behind what has come: nothing is taken any more, and nothing is given back."""
    stretch = Stretch(0, 10, 20)
    stretch.take(5)
    stretch.stop = 3
    assert (stretch.is_over, stretch.take(4), stretch.position) == (True, 0, 5)
