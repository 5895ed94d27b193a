"""What several claims have in common: rows along the way of a training."""

from collections import deque
from collections.abc import Iterable
from typing import Any


def training_curve(
    training: Iterable[Any], every: int, latest: int = 100
) -> list[dict[str, float]]:
    """A row for every so many steps of a training: the mean return of its latest episodes."""
    returns: deque[float] = deque(maxlen=latest)
    rows: list[dict[str, float]] = []
    for update in training:
        returns.extend(episode.episode_return for episode in update.episodes)
        if update.steps // every > len(rows):
            mean = sum(returns) / len(returns)
            rows.append({"steps": every * (len(rows) + 1), "episode_return": mean})
    return rows
