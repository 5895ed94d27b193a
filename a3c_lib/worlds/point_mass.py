"""Chapter 10: a point mass that is pushed to 0, and all that is known of it on paper.

On each of D axes it has a place x and a velocity v, and a push u changes the velocity. What a step
costs is quadratic. So the best push is linear in (x, v), and what is still to be paid is quadratic.
"""

from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from a3c_lib.settings import ProperFraction, check_setting

Floats = NDArray[np.float64]

STEP = 0.5  # how much of the velocity the place takes, and how much of the push the velocity
A = np.array([[1.0, STEP], [0.0, 0.5]])  # (x, v) → (x, v) of the next step; friction takes half
B = np.array([0.0, STEP])  # what a push of 1 adds to it
STATE_COST = np.diag([1.0, 0.1])  # x² + 0.1 v²
ACTION_COST = 0.1  # of u²
NOISE = 0.1  # standard deviation of the gusts that change v, too


class PointMass(gym.Env[NDArray[np.float32], NDArray[np.float32]]):
    """Push a mass to 0 on each of D `axes`, for `steps` steps; no push is larger than `limit`.

    Observation: the D places, then the D velocities. A step pays −(x² + 0.1 v² + 0.1 u²) on each
    axis; then x ← x + v/2 and v ← v/2 + u/2 + a gust. An episode begins at rest somewhere in ±1,
    and never ends by itself: the clock cuts it.
    """

    metadata: dict[str, Any] = {"render_modes": []}

    def __init__(self, axes: int = 2, steps: int = 20, limit: float = np.inf) -> None:
        if axes < 1 or steps < 1 or not limit > 0:
            raise ValueError(
                f"axes and steps are at least 1, limit above 0; got {axes}, {steps} and {limit}"
            )
        self.axes, self.steps = axes, steps
        self._limit = np.float32(limit)  # as actions have it
        self.observation_space = spaces.Box(-np.inf, np.inf, (2 * axes,), np.float32)
        self.action_space = spaces.Box(-limit, limit, (axes,), np.float32)
        self._state: Floats | None = None  # (2, D)
        self._step = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """At rest, somewhere in ±1 on each axis."""
        super().reset(seed=seed)
        places = self.np_random.uniform(-1, 1, self.axes)
        self._state, self._step = np.stack([places, np.zeros(self.axes)]), 0
        return self._seen(), {}

    def step(
        self, action: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Pay for where it is and for the push, then move."""
        if self._state is None:
            raise gym.error.ResetNeeded("call reset() before step()")
        push = np.asarray(action, np.float64)
        inside = np.isfinite(push) & (np.abs(push) <= self._limit)
        if push.shape != (self.axes,) or not inside.all():
            raise ValueError(f"action is in {self.action_space}, and finite; got {action!r}")
        cost = (STATE_COST @ self._state**2).sum() + ACTION_COST * (push**2).sum()
        self._state = A @ self._state + np.outer(B, push)
        self._state[1] += NOISE * self.np_random.standard_normal(self.axes)
        self._step += 1
        return self._seen(), -float(cost), False, self._step >= self.steps, {}

    def _seen(self) -> NDArray[np.float32]:
        assert self._state is not None
        return self._state.reshape(-1).astype(np.float32)


class Quadratic(NamedTuple):
    """V(s) = −sᵀPs − c, of one axis with s = (x, v). Of several axes the values add up."""

    P: Floats  # (2, 2)
    c: float

    def __call__(self, states: Floats) -> Floats:
        """(*B, 2) → (*B)

        >>> float(Quadratic(np.diag([2.0, 1.0]), 0.5)(np.array([1.0, 3.0])))
        -11.5
        """
        values: Floats = -np.einsum("...i,ij,...j->...", states, self.P, states) - self.c
        return values


def value(gain: Floats, deviation: float, gamma: float) -> Quadratic:
    """V^π of the policy N(−gain · (x, v), deviation²) on one axis, if there is no limit.

    P = C + ACTION_COST K Kᵀ + γ (A − BKᵀ)ᵀ P (A − BKᵀ), with K the gain and C the cost of states;
    c is what chance costs, in each of 1 / (1 − γ) steps: so γ is below 1. Raises ValueError where
    it is not, and where the policy lets the mass fly away.

    >>> V = value(np.zeros(2), deviation=0.0, gamma=0.5)  # nobody pushes
    >>> V.P.round(4).tolist(), round(V.c, 4)
    ([[2.0, 0.6667], [0.6667, 0.5905]], 0.0059)
    """
    check_setting("gamma", gamma, ProperFraction)
    closed = A - np.outer(B, gain)
    if not (np.sqrt(gamma) * np.abs(np.linalg.eigvals(closed)) < 1).all():
        raise ValueError(f"with the gain {np.asarray(gain).tolist()} the mass flies away")
    cost = STATE_COST + ACTION_COST * np.outer(gain, gain)
    # P = cost + γ closedᵀ P closed is linear in P's four numbers.
    linear = np.eye(4) - gamma * np.kron(closed.T, closed.T)
    P = np.asarray(np.linalg.solve(linear, cost.reshape(-1)).reshape(2, 2), np.float64)
    chance = deviation**2 * price_of_chance(P, gamma) + gamma * NOISE**2 * P[1, 1]
    return Quadratic(P, float(chance) / (1 - gamma))


def best_gain(gamma: float) -> Floats:
    """K of the best policy, u = −K · (x, v), if there is no limit.   → (2,)

    P ← C + γ AᵀPA − γ AᵀPB Kᵀ, with K = γ BᵀPA / (ACTION_COST + γ BᵀPB), until it stays: the
    Riccati equation.

    >>> best_gain(gamma=0.9).round(3).tolist()
    [1.664, 1.456]
    """
    P = np.zeros((2, 2))
    while True:
        K: Floats = gamma * (B @ P @ A) / price_of_chance(P, gamma)
        improved = STATE_COST + gamma * A.T @ P @ (A - np.outer(B, K))
        if np.allclose(improved, P, rtol=0, atol=1e-12):
            return K
        P = improved


def price_of_chance(P: Floats, gamma: float) -> float:
    """What a push of 1 more than the best one costs, now and later: ACTION_COST + γ BᵀPB."""
    return float(ACTION_COST + gamma * B @ P @ B)


def best_deviation(entropy_weight: float, gamma: float) -> float:
    """σ at which a policy stays that is paid `entropy_weight` for each nat: √(β / 2M), with M the
    price of chance.

    >>> round(best_deviation(entropy_weight=0.1, gamma=0.9), 3)
    0.434
    """
    P = value(best_gain(gamma), 0.0, gamma).P
    return float(np.sqrt(entropy_weight / (2 * price_of_chance(P, gamma))))
