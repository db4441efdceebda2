"""
Where names stand beside the ends of lines, so that none lies on another.
"""

from __future__ import annotations

from collections.abc import Sequence


def spread(wanted: Sequence[float], least: float, top: float, bottom: float) -> list[float]:
    """
    Move places apart, each as little as it takes.

    :param wanted: in pixels from the top, in any order.
    :param least: pixels that two of them have to be apart.
    :param top: where the first may stand.
    :param bottom: where the last may stand; if there is no room for all, they go below it.
    :return: the places, in the order in which they were wanted.
    """
    order = sorted(range(len(wanted)), key=lambda index: wanted[index])
    # Places that touch make a block, which stands in the middle of where its parts want to be.
    blocks: list[list[int]] = []
    for index in order:
        blocks.append([index])
        while len(blocks) > 1 and _begin(blocks[-1], wanted, least, top, bottom) < _end(
            blocks[-2], wanted, least, top, bottom
        ):
            last = blocks.pop()
            blocks[-1] += last
    placed = [0.0] * len(wanted)
    for block in blocks:
        begin = _begin(block, wanted, least, top, bottom)
        for number, index in enumerate(block):
            placed[index] = begin + number * least
    return placed


def _begin(block: Sequence[int], wanted: Sequence[float], least: float, top: float, bottom: float) -> float:
    """Where the first of a block stands."""
    middle = sum(wanted[index] - number * least for number, index in enumerate(block)) / len(block)
    return max(top, min(middle, bottom - (len(block) - 1) * least))


def _end(block: Sequence[int], wanted: Sequence[float], least: float, top: float, bottom: float) -> float:
    """Where the next one after a block may stand."""
    return _begin(block, wanted, least, top, bottom) + len(block) * least
