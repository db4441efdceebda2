"""A module to be mutated: `sampletests` catches some of its mutants, and not others."""

from collections.abc import Iterator


def over(number: int) -> bool:
    return number > 10


def first(numbers: Iterator[int]) -> int:
    for number in numbers:
        result = number
        break
    return result
