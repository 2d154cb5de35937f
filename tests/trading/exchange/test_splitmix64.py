from trading.exchange.splitmix64 import SplitMix64


def test_numbers_equal_the_published_ones():
    """First outputs for seed 1234567 of the reference implementation (Vigna, splitmix64.c)."""
    generator = SplitMix64(1234567)
    assert [generator.next() for _ in range(5)] == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]


def test_uniform_stays_in_the_half_open_interval_and_spreads():
    generator = SplitMix64(1)
    numbers = [generator.uniform() for _ in range(2_000)]
    assert 0 <= min(numbers) < 0.01
    assert 0.99 < max(numbers) < 1
    assert abs(sum(numbers) / len(numbers) - 0.5) < 0.02


def test_below_reaches_every_number_and_no_other():
    generator = SplitMix64(7)
    assert {generator.below(4) for _ in range(200)} == {0, 1, 2, 3}


def test_same_seed_gives_the_same_numbers_and_another_seed_does_not():
    first, same, other = SplitMix64(5), SplitMix64(5), SplitMix64(6)
    numbers = [first.next() for _ in range(10)]
    assert [same.next() for _ in range(10)] == numbers
    assert [other.next() for _ in range(10)] != numbers
