"""Chapter 06: the exercises of "A2C"."""

from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from functools import cache
from types import SimpleNamespace
from typing import Any, cast

import torch
from gymnasium import spaces
from torch import Tensor

from a3c_lib.a2c import Config
from a3c_lib.actor_critic import Loss, values_after
from a3c_lib.exercises.engine.cases import Case, Exercise, Wrong, heeds, ignores
from a3c_lib.losses import a2c_loss, entropy
from a3c_lib.making import Envs
from a3c_lib.networks import ActorCritic
from a3c_lib.optim import RMSProp
from a3c_lib.playing import Played, Player
from a3c_lib.returns import n_step_returns
from a3c_lib.rollout import Episode, Rollout, greedy, sampled  # noqa: F401  a wrong answer is greedy
from a3c_lib.training import clip_gradients, seeds

Batch = tuple[Tensor, Tensor, Tensor]
Gradients = tuple[Tensor, ...]

# 6.1 One batch


def one_batch(observations: Tensor, actions: Tensor, returns: Tensor) -> Batch:
    """(T, N, *O), (T, N), (T, N) → (T·N, *O), (T·N,), (T·N,): step by step, row t·N + n is
    what environment n did at step t."""
    return observations.flatten(0, 1), actions.flatten(), returns.flatten()


def one_batch_in_steps(observations: Tensor, actions: Tensor, returns: Tensor) -> Batch:
    seen = observations.flatten(0, 1)
    taken = actions.flatten()
    worth = returns.flatten()
    batch: Batch = seen, taken, worth
    return batch


def _batch_cases() -> list[Case]:
    def numbered(T: int, N: int, *shape: int) -> Batch:
        steps = torch.arange(T * N).reshape(T, N)
        size = torch.Size(shape).numel()
        first = 100.0 * steps.reshape(T, N, *[1] * len(shape))
        return first + torch.arange(size).reshape(shape), steps % 7, steps + 0.5

    numbers, *others = numbered(2, 3)
    larger = [3 * part for part in others]
    bytes_of_pictures = (numbered(2, 3, 2, 2)[0] % 251).to(torch.uint8)
    return [
        Case("2 steps of 3 environments", *numbered(2, 3, 1)),
        Case("3 steps of 3 environments", *numbered(3, 3, 4)),
        Case("1 step of 4 environments", *numbered(1, 4, 2)),
        Case("4 steps of 1 environment", *numbered(4, 1, 2)),
        Case(
            "2 steps of 3 environments that show pictures",
            *numbered(2, 3, 1, 2, 2),
        ),
        Case("2 steps of 3 environments that show a whole number", numbers.long(), *others),
        Case("1 step of 1 environment", *numbered(1, 1, 3)),
        Case("2 steps of 3 environments, other numbers", -numbers[..., None], *larger),
        Case("2 steps of 3 environments that show bytes", bytes_of_pictures, *others),
        Case("pictures of bytes", bytes_of_pictures, *others, probe=_kinds),
    ]


def _kinds(answer: Any, observations: Tensor, actions: Tensor, returns: Tensor) -> Any:
    """The kinds of numbers that come out."""
    names = "observations", "actions", "returns"
    batch = answer(observations, actions, returns)
    if not isinstance(batch, tuple | list) or len(batch) != len(names):
        return batch
    return {
        f"the kind of the {name}": str(getattr(part, "dtype", "no tensor"))
        for name, part in zip(names, batch, strict=True)
    }


# 6.2 What the workers' gradients come to


def combined(gradients: Sequence[Gradients], steps: Sequence[int]) -> Gradients:
    """The gradient of the mean loss over all steps, from each environment's gradient of the mean
    loss over its own `steps`."""
    return tuple(
        sum(m * part for m, part in zip(steps, parts, strict=True)) / sum(steps)
        for parts in zip(*gradients, strict=True)
    )


def combined_in_steps(gradients: Sequence[Gradients], steps: Sequence[int]) -> Gradients:
    total = sum(steps)
    result = []
    for parts in zip(*gradients, strict=True):
        added = sum(m * part for m, part in zip(steps, parts, strict=True))
        result.append(added / total)
    return tuple(result)


def _combined_cases() -> list[Case]:
    def random(*steps: int) -> tuple[list[Gradients], list[int]]:
        return [(torch.randn(3, 2), torch.randn(3)) for _ in steps], list(steps)

    on_paper = [(torch.tensor([2.0, 0.0]),), (torch.tensor([-1.0, 3.0]),)]
    shapes = (2, 3), (3,), (1, 3), (1,)
    large = [tuple(500 * torch.randn(shape) for shape in shapes) for _ in range(2)]
    return [
        Case("on paper, as many steps in both", on_paper, [4, 4]),
        Case("on paper, 4 steps and 2", on_paper, [4, 2]),
        Case("one environment", *random(5)),
        Case("3 environments, 2 parameters", *random(5, 5, 5)),
        Case("4 environments, 2 parameters, different numbers of steps", *random(16, 15, 12, 1)),
        Case("2 environments, 4 parameters, large gradients", large, [7, 2]),
        Case("one environment, and another gradient", *random(5)),
        Case("2 environments, 300 steps and 200", *random(300, 200)),
    ]


# 6.3 Steps that only reset


def dummy_mask(terminated: Tensor, truncated: Tensor, resetting: Tensor) -> Tensor:
    """Which steps only reset an environment: the one after each end.   (T, N), (T, N), (N,) → (T,
    N). `resetting` says where the step before the rollout was an end."""
    ended = terminated | truncated
    return torch.cat([resetting[None], ended[:-1]])


def dummy_mask_in_steps(terminated: Tensor, truncated: Tensor, resetting: Tensor) -> Tensor:
    ended = terminated | truncated
    first = resetting[None]
    later = ended[:-1]
    mask: Tensor = torch.cat([first, later])
    return mask


def rolled_through_the_environments(
    terminated: Tensor, truncated: Tensor, resetting: Tensor
) -> Tensor:
    mask = (terminated | truncated).roll(1)
    mask[0] = resetting
    return mask


def _dummy_cases() -> list[Case]:
    def flags(T: int, N: int, *places: tuple[int, int]) -> Tensor:
        flags = torch.zeros(T, N, dtype=torch.bool)
        for t, n in places:
            flags[t, n] = True
        return flags

    none, begins = flags(4, 2), torch.tensor([True, False])
    return [
        Case("no end", none, none, ~begins & begins),
        Case("terminated at step 1", flags(4, 2, (1, 0)), none, ~begins & begins),
        Case("truncated at step 1", none, flags(4, 2, (1, 1)), ~begins & begins),
        Case(
            "terminated and truncated at once",
            flags(4, 2, (2, 0)),
            flags(4, 2, (2, 0)),
            ~begins & begins,
        ),
        Case(
            "terminated and truncated at once, at the last step",
            flags(4, 2, (3, 0)),
            flags(4, 2, (3, 0)),
            ~begins & begins,
        ),
        Case("terminated at step 0", flags(4, 2, (0, 0)), none, ~begins & begins),
        Case("truncated at steps 0 and 2", none, flags(4, 2, (0, 1), (2, 1)), begins),
        Case("an end just before the rollout", none, none, begins),
        Case("an end at the last step", flags(4, 2, (3, 1)), none, ~begins & begins),
        Case("one step, after an end", flags(1, 2, (0, 1)), flags(1, 2), begins),
        Case(
            "6 steps of 3 environments, short episodes",
            flags(6, 3, (1, 0), (4, 1)),
            flags(6, 3, (3, 0), (2, 2)),
            torch.tensor([False, True, False]),
        ),
    ]


# 6.4 A poor actor


def batch_loss(
    model: ActorCritic,
    rollout: Rollout,
    dummies: Tensor,
    gamma: float,
    value_weight: float,
    entropy_weight: float,
) -> Loss:
    """A2C's loss of a rollout, over the steps that are no dummies."""
    logits, values = model(rollout.observations)
    next_values = values_after(model, rollout, values)
    ends = rollout.terminated, rollout.truncated
    returns = n_step_returns(rollout.rewards, next_values, *ends, gamma)

    real = ~dummies
    log_pi = logits[real].log_softmax(dim=-1)
    taken = log_pi.gather(-1, rollout.actions[real][:, None]).squeeze(-1)
    advantages = (returns - values).detach()[real]

    policy = -(taken * advantages).mean()
    value = (returns[real] - values[real]).square().mean()
    bonus = entropy(logits[real]).mean()
    return Loss(policy + value_weight * value - entropy_weight * bonus, policy, value, bonus)


def batch_loss_with_a_bug(
    model: ActorCritic,
    rollout: Rollout,
    dummies: Tensor,
    gamma: float,
    value_weight: float,
    entropy_weight: float,
) -> Loss:
    """A2C's loss of a rollout, over the steps that are no dummies."""
    logits, values = model(rollout.observations)
    next_values = values_after(model, rollout, values)
    ends = rollout.terminated, rollout.truncated
    returns = n_step_returns(rollout.rewards, next_values, *ends, gamma)

    real = ~dummies
    log_pi = logits[real].log_softmax(dim=-1)
    taken = log_pi.gather(-1, rollout.actions[real][:, None])
    advantages = (returns - values).detach()[real]

    policy = -(taken * advantages).mean()
    value = (returns[real] - values[real]).square().mean()
    bonus = entropy(logits[real]).mean()
    return Loss(policy + value_weight * value - entropy_weight * bonus, policy, value, bonus)


def batch_loss_in_steps(
    model: ActorCritic,
    rollout: Rollout,
    dummies: Tensor,
    gamma: float,
    value_weight: float,
    entropy_weight: float,
) -> Loss:
    logits, values = model(rollout.observations)
    next_values = values_after(model, rollout, values)
    ends = rollout.terminated, rollout.truncated
    returns = n_step_returns(rollout.rewards, next_values, *ends, gamma)
    acting = criticising = exploring = ~dummies
    log_pi = logits[acting].log_softmax(dim=-1)
    taken = log_pi.gather(-1, rollout.actions[acting][:, None]).squeeze(-1)
    advantages = (returns - values).detach()[acting]
    weighed = taken * advantages
    errors = returns[criticising] - values[criticising]
    squares = errors.square()
    entropies = entropy(logits[exploring])
    policy = -weighed.mean()
    value = squares.mean()
    bonus = entropies.mean()
    total = policy + value_weight * value - entropy_weight * bonus
    return Loss(total, policy, value, bonus)


def _hunt_case(
    label: str,
    T: int,
    N: int,
    ends: Sequence[tuple[int, int]] = (),
    cuts: Sequence[tuple[int, int]] = (),
    scale: float = 1.0,
    settings: tuple[float, float, float] = (0.9, 0.1, 0.01),
    num_actions: int = 2,
    stretch: float = 30.0,
) -> Case:
    model = ActorCritic(spaces.Box(-1, 1, (3,)), spaces.Discrete(num_actions), hidden=(4,), seed=1)
    with torch.no_grad():
        model.policy_head.weight *= stretch  # so that actions differ in their probabilities
    terminated, truncated, dummies = torch.zeros(3, T, N, dtype=torch.bool)
    for flags, places in (terminated, ends), (truncated, cuts):
        for t, n in places:
            flags[t, n] = True
            dummies[t + 1, n] = True
    observations = torch.randn(T + 1, N, 3)
    rollout = Rollout.of(
        observations[:-1],
        torch.randint(num_actions, (T, N)),
        scale * torch.randn(T, N) * ~dummies,
        observations[1:],
        terminated,
        truncated,
    )
    return Case(label, model, rollout, dummies, *settings)


def _hunt_cases() -> list[Case]:
    return [
        _hunt_case("1 step of 1 environment", 1, 1),
        _hunt_case("2 steps of 1 environment", 2, 1),
        _hunt_case("1 step of 3 environments", 1, 3),
        _hunt_case("4 steps of 3 environments", 4, 3),
        _hunt_case("5 steps of 3 environments, two of them dummies", 5, 3, [(1, 0), (2, 2)]),
        _hunt_case("5 steps of 3 environments, one ended and one cut", 5, 3, [(1, 0)], [(2, 2)]),
        _hunt_case("3 steps of 2 environments, large rewards", 3, 2, scale=500.0),
        _hunt_case("3 steps of 2 environments, other weights", 3, 2, settings=(0.6, 0.4, 0.2)),
        _hunt_case("3 steps of 2 environments, 4 actions", 3, 2, num_actions=4, stretch=500.0),
    ]


def _mirrored(rollout: Rollout) -> Rollout:
    """The same rollout with its environments in the opposite order."""
    names = "observations", "actions", "rewards", "next_observations", "terminated", "truncated"
    return Rollout.of(*(getattr(rollout, name).flip(1) for name in names))


# 6.5 A2C, from an empty cell


def train_a2c(model: ActorCritic, player: Any, optimizer: Any, config: Config) -> int:
    """Train `model` in the environments of `player` until `config.total_steps` steps are taken.
    → how many were."""
    policy = sampled(model, player.generator)
    steps = 0
    while steps < config.total_steps:
        rollout = player.play(policy, config.t_max).rollout
        logits, values = model(rollout.observations)
        next_values = values_after(model, rollout, values)
        ends = rollout.terminated, rollout.truncated
        returns = n_step_returns(rollout.rewards, next_values, *ends, config.gamma)
        real = ~rollout.dummies
        batch = logits[real], values[real], rollout.actions[real], returns[real]
        loss = a2c_loss(*batch, config.value_weight, config.entropy_weight)
        gradients = torch.autograd.grad(loss.total, optimizer.parameters)
        gradients, _ = clip_gradients(gradients, config.max_grad_norm)
        optimizer.step(gradients, config.learning_rate * (1 - steps / config.total_steps))
        steps += int(real.sum())
    return steps


def train_a2c_in_steps(model: ActorCritic, player: Any, optimizer: Any, config: Config) -> int:
    policy = sampled(model, player.generator)
    steps = 0
    while steps < config.total_steps:
        rollout = player.play(policy, config.t_max).rollout
        logits, values = model(rollout.observations)
        after = values_after(model, rollout, values)
        ends = rollout.terminated, rollout.truncated
        returns = n_step_returns(rollout.rewards, after, *ends, config.gamma)
        real = ~rollout.dummies
        batch = logits[real], values[real], rollout.actions[real], returns[real]
        weights = config.value_weight, config.entropy_weight
        loss = a2c_loss(*batch, *weights)
        gradients = torch.autograd.grad(loss.total, optimizer.parameters)
        shortened, _ = clip_gradients(gradients, config.max_grad_norm)
        rate = config.learning_rate * (1 - steps / config.total_steps)
        optimizer.step(shortened, rate)
        steps += int(real.sum())
    return steps


# Each environment has an update of its own: the rollout is gone through once for each of them.
_ONE_BY_ONE = {
    "    steps = 0\n": "    steps, waiting = 0, []\n",
    "        rollout = player": """        if not waiting:
            waiting = list(range(config.num_envs))
            rollout = player""",
    "        batch = ": """        n, everyone = waiting.pop(0), real
        real = real & (torch.arange(config.num_envs) == n)
        batch = """,
}
_RETURNS_OF_THE_ROLLOUT = {
    "        real = ": """        if len(waiting) == config.num_envs:
            of_the_rollout = returns
        returns = of_the_rollout
        real = """
}
_COUNTED_TOGETHER = {
    "        steps += ": """        if waiting:
            continue
        real = everyone
        steps += """
}
_COUNTED_ONE_BY_ONE = {"while steps": "while waiting or steps"}
_AT_THE_SAME_THETA = {
    "        batch = logits[real], values[real], rollout.actions[real], returns[real]\n": "",
    "        loss = a2c_loss(*batch, *weights)\n": """\
        everything = logits, values, rollout.actions, returns
        losses = [
            a2c_loss(*(each[own, n] for each in everything), *weights)
            for n, own in enumerate(real.T)
        ]
""",
    "gradients = torch.autograd.grad(loss.total, optimizer.parameters)": """gradients = [
            torch.autograd.grad(loss.total, optimizer.parameters, retain_graph=True)
            for loss in losses
        ]""",
    "shortened, _ = clip_gradients(gradients, config.max_grad_norm)": """shortened = [
            clip_gradients(each, config.max_grad_norm)[0] for each in gradients
        ]""",
    "optimizer.step(shortened, rate)": """for each in shortened:
            optimizer.step(each, rate)""",
}


def train_together(
    model: ActorCritic,
    envs: Envs,
    loss_of: Callable[[ActorCritic, Rollout, Tensor], Loss],
    mask: Callable[[Tensor, Tensor, Tensor], Tensor],
    total_steps: int,
    seed: int,
) -> list[tuple[int, Loss, tuple[Episode, ...]]]:
    """A2C with a loss of one's own, and a mask of the steps that only reset.   → steps, loss and
    episodes of each update. The chapter trains with it until its reader has written `train_a2c`."""
    player = Player(envs, seeds(seed, steps=0), model)
    policy, optimizer = sampled(model, player.generator), RMSProp(model.parameters())
    steps, history = 0, list[tuple[int, Loss, tuple[Episode, ...]]]()
    while steps < total_steps:
        resetting = torch.as_tensor(player.position.resetting)
        rollout = player.play(policy, t_max=16).rollout
        dummies = mask(rollout.terminated, rollout.truncated, resetting)
        loss = loss_of(model, rollout, dummies)
        gradients = torch.autograd.grad(loss.total, optimizer.parameters)
        gradients, _ = clip_gradients(gradients, max_norm=0.5)
        optimizer.step(gradients, 0.01 * (1 - steps / total_steps))
        steps += int((~dummies).sum())
        history.append((steps, loss, rollout.episodes))
    return history


TOO_MANY = 50  # rollouts, of a training that ends after three


class _Replayed:
    """A player whose environments do the same whatever is done. It looks whether the policy that it
    is given draws actions as the model has them now."""

    def __init__(self, model: ActorCritic, rollouts: Sequence[Rollout]) -> None:
        self.generator = torch.Generator().manual_seed(0)
        self.envs = SimpleNamespace(num_envs=rollouts[0].actions.shape[1])
        self.model, self.rollouts = model, rollouts
        self.lengths: list[int] = []
        self.faithful: list[bool] = []

    @property
    def position(self) -> SimpleNamespace:
        return SimpleNamespace(resetting=self._due.dummies[0].numpy())

    @property
    def _due(self) -> Rollout:
        return self.rollouts[len(self.lengths) % len(self.rollouts)]

    def play(self, policy: Any, t_max: int) -> Played:
        if len(self.lengths) == TOO_MANY:
            raise RuntimeError(
                f"{TOO_MANY} rollouts were played, and the training does not stop: are the steps "
                "counted?"
            )
        rollout = self._due
        self.lengths.append(t_max)
        self.faithful.append(_draws_from(self.model, policy, rollout.observations[0, 0]))
        return Played(rollout)


def _draws_from(model: ActorCritic, policy: Any, observation: Tensor) -> bool:
    """Whether a policy's actions are about as frequent as the model says."""
    with torch.no_grad():
        pi = cast(Tensor, model.logits(observation[None]))[0].softmax(dim=-1)
        actions, _ = policy(observation.expand(2_000, -1), None)
    shares = torch.bincount(actions, minlength=len(pi)) / len(actions)
    return bool((shares - pi).abs().max() < 0.1)


class _Descent:
    """An optimiser that takes plain steps, and remembers them."""

    def __init__(self, parameters: Iterable[Tensor]) -> None:
        self.parameters = list(parameters)
        self.gradients: list[Tensor] = []
        self.rates: list[float] = []

    @torch.no_grad()
    def step(self, gradients: Sequence[Tensor], learning_rate: float) -> None:
        self.gradients.append(torch.cat([gradient.flatten() for gradient in gradients]))
        self.rates.append(float(learning_rate))
        for parameter, gradient in zip(self.parameters, gradients, strict=True):
            parameter.sub_(learning_rate * gradient)


def _trained(answer: Any, rollouts: Sequence[Rollout], config: Config) -> dict[str, Any]:
    """What a training asks of its player, hands to its optimiser, and returns."""
    model = deepcopy(_undecided_network())
    player, optimizer = _Replayed(model, rollouts), _Descent(model.parameters())
    steps = answer(model, player, optimizer, config)
    made = optimizer.gradients
    return {
        "the number of steps in each rollout": torch.tensor(player.lengths),
        "how actions are drawn": "from π of this moment" if all(player.faithful) else "otherwise",
        "how many updates are made": len(made),
        "the first update's gradient": made[0] if made else torch.zeros(0),
        "the learning rates": torch.tensor(optimizer.rates),
        "all gradients": torch.stack(made) if made else torch.zeros(0, 0),
        "the steps that are returned": steps,
    }


@cache
def _undecided_network() -> ActorCritic:
    model = ActorCritic(spaces.Box(-1, 1, (3,)), spaces.Discrete(2), hidden=(4,), seed=1)
    with torch.no_grad():
        model.policy_head.weight *= 30  # so that actions differ in their probabilities
    return model


def _rollouts(
    T: int,
    N: int,
    count: int,
    ends: Sequence[tuple[int, int]] = (),
    cuts: Sequence[tuple[int, int]] = (),
) -> list[Rollout]:
    """So many rollouts, one after another, of environments that reset in the step after an end."""
    terminated, truncated, dummies = torch.zeros(3, T * count, N, dtype=torch.bool)
    for t, n in ends:
        terminated[t, n] = True
    for t, n in cuts:
        truncated[t, n] = True
    ended = terminated | truncated
    dummies[1:] = ended[:-1]
    seen = torch.randn(T * count + 1, N, 3)
    actions = torch.randint(2, (T * count, N))
    rewards = torch.randn(T * count, N) * ~dummies

    def rollout(t: int) -> Rollout:
        rows = slice(t, t + T)
        final = seen[t + 1 : t + T + 1][ended[rows]]
        flags = terminated[rows], truncated[rows]
        return Rollout(
            seen[t : t + T + 1], actions[rows], rewards[rows], *flags, final, dummies[rows], ()
        )

    return [rollout(t) for t in range(0, T * count, T)]


def _training_cases() -> list[Case]:
    def settings(
        total_steps: int, t_max: int, num_envs: int, max_grad_norm: float, **others: float
    ) -> Config:
        usual: dict[str, Any] = {
            "gamma": 0.8,
            "learning_rate": 20.0,  # so that the policy is another one after each update
            "value_weight": 0.3,
            "entropy_weight": 0.1,
        }
        return Config(
            total_steps=total_steps,
            t_max=t_max,
            num_envs=num_envs,
            max_grad_norm=max_grad_norm,
            **(usual | others),
        )

    other = {"gamma": 0.95, "learning_rate": 5.0, "value_weight": 0.7, "entropy_weight": 0.02}
    slow = {"gamma": 0.9, "learning_rate": 0.001, "value_weight": 0.5, "entropy_weight": 0.01}

    ends, cuts = [(1, 0), (7, 1)], [(2, 2), (9, 0)]
    cases = {
        "a budget of one rollout, 2 steps of 1 environment": (
            _rollouts(2, 1, 1),
            settings(2, 2, 1, max_grad_norm=100.0),
        ),
        "a budget of one rollout, 2 steps of 2 environments": (
            _rollouts(2, 2, 1),
            settings(4, 2, 2, max_grad_norm=0.1),
        ),
        "3 rollouts of 4 steps of 2 environments": (
            _rollouts(4, 2, 3),
            settings(24, 4, 2, max_grad_norm=0.1),
        ),
        "3 rollouts of 4 steps of 3 environments, with ends and dummies": (
            _rollouts(4, 3, 3, ends, cuts),
            settings(30, 4, 3, max_grad_norm=0.1),
        ),
        "17 steps in rollouts of 8, with other settings": (
            _rollouts(4, 2, 3),
            settings(17, 4, 2, max_grad_norm=100.0, **other),
        ),
        "17 steps in rollouts of 8, with a small learning rate": (
            _rollouts(4, 2, 3),
            settings(17, 4, 2, max_grad_norm=100.0, **slow),
        ),
    }
    return [Case(label, *args, probe=_trained) for label, args in cases.items()]


EXERCISES = (
    Exercise(
        id="6.1",
        title="one batch",
        reference=one_batch,
        form=one_batch_in_steps,
        cases=_batch_cases,
        wrong=(
            Wrong(
                {"observations.flatten(0, 1)": "observations.transpose(0, 1).flatten(0, 1)"},
                "The observations stand environment by environment, actions and returns step by "
                "step. So a row's action was not taken at that row's observation. Flatten all "
                "three "
                "in the same order.",
            ),
            Wrong(
                {"returns.flatten()": "returns.T.flatten()"},
                "The returns stand environment by environment, observations and actions step by "
                "step: a row has the return of another step. Flatten all three in the same order.",
            ),
            Wrong(
                {"actions.flatten()": "actions.T.flatten()"},
                "The actions stand environment by environment, observations and returns step by "
                "step: a row has the action of another step. Flatten all three in the same order.",
            ),
            Wrong(
                {
                    "actions.flatten()": "actions.T.flatten()",
                    "returns.flatten()": "returns.T.flatten()",
                },
                "Actions and returns stand environment by environment, the observations step by "
                "step. Turn all three round before you flatten, or none.",
            ),
            Wrong(
                {
                    "observations.flatten(0, 1)": "observations.transpose(0, 1).flatten(0, 1)",
                    "actions.flatten()": "actions.T.flatten()",
                    "returns.flatten()": "returns.T.flatten()",
                },
                "What belongs together is together, but environment by environment. Asked for is "
                "the "
                "order of time: first step 0 of all environments, so that row t·N + n is step t of "
                "environment n. Masks will be flattened in that order as well.",
            ),
            Wrong(
                {"observations.flatten(0, 1)": "observations.flatten()"},
                "This flattens what is within an observation as well. Only the first two axes, T "
                "and N, become one; flatten(0, 1) leaves the others alone.",
            ),
            Wrong(
                {"observations.flatten(0, 1)": "observations.reshape(actions.numel(), -1)"},
                "A picture has become a row of numbers; a network of convolutions could not read "
                "it. Only the axes T and N become one: flatten(0, 1).",
            ),
            Wrong(
                {"observations.flatten(0, 1)": "observations.reshape(-1, observations.shape[-1])"},
                "This keeps the last axis alone. Of a picture that is one line, so each line "
                "becomes "
                "a row of the batch; and an observation that is a single number has no such axis. "
                "Keep all axes after T and N: flatten(0, 1).",
            ),
            Wrong(
                {
                    "observations.flatten(0, 1)": "observations",
                    "actions.flatten()": "actions",
                    "returns.flatten()": "returns",
                },
                "Nothing is flattened: T and N are still two axes. A batch has one row for each of "
                "the T·N steps.",
            ),
            Wrong(
                {
                    "observations.flatten(0, 1)": "observations[:, 0]",
                    "actions.flatten()": "actions[:, 0]",
                    "returns.flatten()": "returns[:, 0]",
                },
                "Only environment 0 is in the batch. All N of them were played, and all teach.",
            ),
            Wrong(
                {"= seen, taken, worth": "= seen, taken[:, None], worth[:, None]"},
                "Actions and returns have one axis too many, (T·N, 1). The difference of (M, 1) "
                "and (M,) would silently broadcast to (M, M).",
            ),
            Wrong(
                {"= seen, taken, worth": "= seen, taken[:, None], worth"},
                "The actions have one axis too many, (T·N, 1). Asked for is (T·N,).",
            ),
            Wrong(
                {"= seen, taken, worth": "= seen, taken, worth[:, None]"},
                "The returns have one axis too many, (T·N, 1). The difference of (M, 1) and (M,) "
                "would silently broadcast to (M, M).",
            ),
            Wrong(
                {"return batch": "return list(map(torch.Tensor.float, batch))"},
                "All three are floats here. Actions, and observations that are whole numbers, stay "
                "integers: they are looked up with.",
            ),
            Wrong(
                {"observations.flatten(0, 1)": "observations.reshape(-1, *observations.shape[3:])"},
                "The axis after T and N is flattened too. Only the first two become one: "
                "flatten(0, 1).",
                also=(
                    {
                        "observations.flatten(0, 1)": "observations.flatten(0, 2) if "
                        "observations.dim() > 2 else "
                        "observations.flatten()"
                    },
                ),
            ),
            Wrong(
                {
                    "observations.flatten(0, 1)": "observations[0]",
                    "actions.flatten()": "actions[0]",
                    "returns.flatten()": "returns[0]",
                },
                "Only step 0 is in the batch. All T steps teach.",
            ),
            Wrong(
                {"= seen, taken, worth": "= seen, worth, taken"},
                "Actions and returns are exchanged: observations, actions, returns.",
            ),
            Wrong(
                {
                    "observations.flatten(0, 1)": "observations.flatten(0, 1).flip(0)",
                    "actions.flatten()": "actions.flatten().flip(0)",
                    "returns.flatten()": "returns.flatten().flip(0)",
                },
                "The rows come in the opposite order: step 0 first.",
            ),
            Wrong(
                {"actions.flatten()": "actions.flatten().float()"},
                "The actions have become floats. They are looked up with: integers.",
            ),
        ),
        hints=(
            "Write down T = 2 steps of N = 3 environments with six different numbers, and read off "
            "in which order `flatten` visits them.",
            "Only the axes T and N become one. Actions and returns have no others; observations "
            "may "
            "have.",
            "observations.flatten(0, 1), and the other two with .flatten().",
        ),
        praise="Row t·N + n is step t of environment n, everywhere: the batch of A2C.",
        minutes=5,
        difficulty=1,
        parts=("observations", "actions", "returns"),
    ),
    Exercise(
        id="6.2",
        title="what the workers' gradients come to",
        reference=combined,
        form=combined_in_steps,
        cases=_combined_cases,
        wrong=(
            Wrong(
                {"m * part": "part", "added / total": "added"},
                "This adds the gradients up, each with the same weight. Each is that of a mean, "
                "and so is the batch's: with N environments this step is N times as long. And "
                "whoever played fewer steps counts less.",
            ),
            Wrong(
                {"m * part": "part", "added / total": "added / len(steps)"},
                "This is right where all environments have the same number of steps. A mean over "
                "all steps counts each *step* the same: an environment with fewer steps weighs "
                "less.",
            ),
            Wrong(
                {"added / total": "added"},
                "The weights do not add up to 1: divide by the number of all steps.",
            ),
            Wrong(
                {"added / total": "added / len(steps)"},
                "The weighted sum is divided by the number of environments. The weights are "
                "numbers "
                "of steps, so divide by the number of all steps.",
            ),
            Wrong(
                {"m * part": "part"},
                "The gradients are those of means: each has been divided by its environment's "
                "steps "
                "already. Multiply by them before you add up and divide.",
            ),
            Wrong(
                {"m * part": "part / m", "added / total": "added"},
                "Each gradient is divided by its own environment's steps. That has been done: each "
                "is that of a mean. Multiply by those steps instead, and divide by all steps at "
                "the "
                "end.",
            ),
            Wrong(
                {"m * part": "part / m", "added / total": "added / sum(1 / m for m in steps)"},
                "An environment with fewer steps weighs more here. A mean over all steps counts "
                "each step the same, so weigh with the number of steps.",
            ),
            Wrong(
                {"added / total": "parts[-1]"},
                "This is the last environment's gradient; what the others learned is lost.",
            ),
            Wrong(
                {"added / total": "(added / total).mean()"},
                "This averages within each parameter's gradient too: what is left is one number. "
                "Average over environments, element by element.",
            ),
            Wrong(
                {"added / total": "parts[0]"},
                "This is the first environment's gradient; what the others learned is lost.",
            ),
            Wrong(
                {"total = sum(steps)": "total = max(steps)"},
                "The weighted sum is divided by the largest number of steps. Divide by the number "
                "of all steps.",
            ),
            Wrong(
                {"m * part": "part / m"},
                "Each gradient is divided by its environment's steps. Multiply by them: it is "
                "that of a mean.",
            ),
            Wrong(
                {
                    "total = sum(steps)": "total = 1",
                    "added = sum(m * part for m, part in zip(steps, parts, strict=True))": "added "
                    "= 0\n        "
                    "for m, part in zip(steps, parts, strict=True):\n            "
                    "added = added + (part - added) * m / sum(steps)",
                },
                "This is a running mean with the wrong weights: each environment counts with its "
                "share of *all* steps where its share of the steps so far belongs, so that the "
                "earlier ones lose weight. Add up m · gradient, and divide at the end.",
            ),
            Wrong(
                {"zip(steps, parts, strict=True)": "zip([1, *steps[1:]], parts, strict=True)"},
                "The first environment enters without its weight. Every one of them is weighed "
                "with its number of steps.",
            ),
            Wrong(
                {"zip(steps, parts, strict=True)": "zip([*steps[:-1], 0], parts, strict=True)"},
                "One environment, the first or the last, is left out of the sum. Each of them is "
                "in it, with its number of steps.",
                also=(
                    {"zip(steps, parts, strict=True)": "zip([0, *steps[1:]], parts, strict=True)"},
                ),
            ),
            Wrong(
                {"m * part": "m // total * part", "added / total": "added"},
                "Whole numbers are divided by `//`, which rounds down: every share below 1 becomes "
                "0. Use `/`.",
            ),
            Wrong(
                {"m * part": "m**2 * part"},
                "The weights are squared. The mean over all steps weighs each environment with "
                "its number of steps.",
            ),
            Wrong(
                {"added / total": "-added / total"},
                "The sign is turned. The gradient of a mean is the mean of the gradients.",
            ),
            Wrong(
                {"added / total": "torch.stack(parts).median(dim=0).values"},
                "This is the median. Asked for is the gradient of the mean loss over all steps.",
            ),
            Wrong(
                {"return tuple(result)": "return result[0]"},
                "Only the first parameter's gradient comes back. Return one for each parameter.",
            ),
        ),
        properties=(
            ignores(
                "`steps` has no effect: an environment with fewer steps weighs less in a mean "
                "over all "
                "steps.",
                lambda given: {"steps": [m + k for k, m in enumerate(given.steps)]},
            ),
            heeds(
                "Twice as many steps in every environment change the gradient. In a mean only the "
                "shares count.",
                lambda given: {"steps": [2 * m for m in given.steps]},
            ),
            heeds(
                "The order of the environments matters. In a mean each has its own weight, "
                "wherever it stands.",
                lambda given: {
                    "gradients": list(given.gradients)[::-1],
                    "steps": list(given.steps)[::-1],
                },
            ),
        ),
        hints=(
            "Begin with the loss. Environment n's is L_n, a mean over M_n steps. What is the mean "
            "over all steps, written with L_n and M_n?",
            "The mean over all is Σ M_n L_n / Σ M_n, and a gradient of a sum is the sum of "
            "gradients.",
            "zip(*gradients) gives, for each parameter, the gradients of all environments. Weigh "
            "them with steps, add up, divide by sum(steps); return a tuple.",
        ),
        praise="One batch and many workers teach the same, if they do it at the same θ.",
        minutes=10,
        difficulty=2,
    ),
    Exercise(
        id="6.3",
        title="steps that only reset",
        reference=dummy_mask,
        form=dummy_mask_in_steps,
        cases=_dummy_cases,
        wrong=(
            Wrong(
                {"torch.cat([first, later])": "torch.zeros_like(ended)"},
                "Nothing is left out. After every end comes a step whose action nobody looked at "
                "and whose reward is 0: learned from, it teaches that the action was worth "
                "nothing.",
            ),
            Wrong(
                {"torch.cat([first, later])": "ended"},
                "This leaves out the steps that end an episode. They are real, and often the ones "
                "that are paid; the dummy is the step after them.",
            ),
            Wrong(
                {"return mask": "return mask | ended"},
                "The dummies are found, and the ends before them are left out as well. An end is a "
                "real step.",
            ),
            Wrong(
                {"return mask": "return torch.cat([torch.zeros_like(mask[:1]), mask[:-1]])"},
                "This is one step late: it leaves out the first real step of the new episode, and "
                "learns from the dummy.",
            ),
            Wrong(
                {
                    "torch.cat([first, later])": "torch.cat([ended[1:], "
                    "torch.zeros_like(ended[:1])])"
                },
                "This leaves out the step before an end, which is real. A dummy comes *after* an "
                "end.",
            ),
            Wrong(
                {"torch.cat([first, later])": "torch.cat([ended[1:], first])"},
                "The rows have moved up: a row holds the end of the step *after* it, and "
                "`resetting` "
                "stands at the bottom. They have to move down, with `resetting` on top.",
            ),
            Wrong(
                {"later = ended[:-1]": "later = ended[1:]"},
                "Of the ends, step 0's is left out, and the last step's is taken along. Row t is "
                "to hold the end of step t − 1: leave out the *last* row instead.",
            ),
            Wrong(
                {"later = ended[:-1]": "later = ended"},
                "This has T + 1 rows. The last step's end belongs to the first row of the next "
                "rollout: leave it out.",
            ),
            Wrong(
                {"return mask": "return mask | resetting"},
                "`resetting` is in every row here: (N,) broadcasts to (T, N). It speaks of the "
                "first "
                "row only.",
            ),
            Wrong(
                {"first = resetting[None]": "first = resetting[None] | ended[-1:]"},
                "`roll` has brought the last row's ends round to the first row, and `|=` leaves "
                "them "
                "there. The first row is `resetting` alone: use `=`.",
            ),
            Wrong(
                rolled_through_the_environments,
                "Without `dims`, `roll` counts through the whole table: an end moves on to the "
                "next "
                "environment of the same step. Say dims=0.",
            ),
            Wrong(
                {"ended = terminated | truncated": "ended = terminated"},
                "Only terminations count here. An environment resets after a time limit as well, "
                "with a dummy step like any other.",
            ),
            Wrong(
                {"ended = terminated | truncated": "ended = truncated"},
                "Only time limits count here. After a termination the environment resets, too.",
            ),
            Wrong(
                {"first = resetting[None]": "first = torch.zeros_like(ended[:1])"},
                "The first row does not come from `resetting`. It is a dummy where the last step "
                "of the rollout before was an end: that is what `resetting` says.",
            ),
            Wrong(
                {"first = resetting[None]": "first = ended[-1:]"},
                "`roll` brings the last row's ends round to the first row. They belong to the next "
                "rollout; this one's first row is `resetting`.",
            ),
            Wrong(
                {"torch.cat([first, later])": "torch.cat([later, first])"},
                "`resetting` stands below the others here, so no row has moved. What happened "
                "before "
                "the rollout comes first: row 0 is `resetting`, row 1 is the end of step 0, and so "
                "on.",
            ),
            Wrong(
                {"ended = terminated | truncated": "ended = terminated & truncated"},
                "`&` asks for an end that is terminated *and* truncated. One of the two is enough "
                "to "
                "make the environment reset.",
            ),
            Wrong(
                {"ended = terminated | truncated": "ended = terminated ^ truncated"},
                "A step may be terminated and truncated at once: the pole falls in the very last "
                "step "
                "that the time limit allows. That is an end as well.",
            ),
            Wrong(
                {"torch.cat([first, later])": "torch.cat([ended[:1] | first, ended[1:]])"},
                "The first row knows of `resetting`, but the ends stand in their own rows. They "
                "are "
                "real steps; the dummy is the step after each.",
            ),
            Wrong(
                {"later = ended[:-1]": "later = torch.zeros_like(ended[:-1])"},
                "Only the first row is looked at. Within the rollout, too, a dummy follows each "
                "end.",
            ),
            Wrong(
                {"return mask": "return mask.any(dim=1, keepdim=True).expand_as(mask)"},
                "When one environment resets, this leaves out the step of all of them. Each "
                "environment ends, and resets, for itself.",
            ),
            Wrong(
                {"return mask": "return mask.cumsum(dim=0) > 0"},
                "From the first end on, this leaves out everything. Only one step resets; the ones "
                "after it belong to the new episode.",
            ),
            Wrong(
                {"return mask": "return ~mask"},
                "This is the right mask the wrong way round: True is to say that a step is a "
                "dummy.",
            ),
            Wrong(
                {"later = ended[:-1]": "later = ended[:-1].clone()\n    later[:1] = False"},
                "An end at step 0 is overlooked: step 1 is a dummy where step 0 ended.",
            ),
            Wrong(
                {"later = ended[:-1]": "later = ended[:1].expand_as(ended[:-1])"},
                "The flags of step 0 stand in all rows: a loop that writes into the rows it still "
                "has to read takes them along. Build a new tensor, or go from the last row to the "
                "first.",
            ),
            Wrong(
                {"first = resetting[None]": "first = ~resetting[None]"},
                "`resetting` is turned round in the first row: it says where the step before was "
                "an end.",
            ),
            Wrong(
                {"first = resetting[None]": "first = resetting.any().expand_as(resetting)[None]"},
                "Where one environment resets, the first row is True for all of them. Each "
                "environment ends, and resets, for itself.",
            ),
            Wrong(
                {"torch.cat([first, later])": "torch.cat([first, first, ended[:-2]])"},
                "`resetting` stands in two rows, and the ends stand two rows below their own. The "
                "dummy is the very next step after an end: `resetting` is one row.",
            ),
            Wrong(
                {"first = resetting[None]": "first = torch.ones_like(ended[:1])"},
                "The first row is always a dummy here. It is one only where the step before the "
                "rollout was an end: `resetting`.",
            ),
            Wrong(
                {"return mask": "return mask.float()"},
                "The mask holds floats. It is used as a mask: bools.",
            ),
            Wrong(
                {"first = resetting[None]": "first = resetting[None] | ended[:1]"},
                "The first row has the end of step 0 in it as well. Row 0 is `resetting` alone.",
            ),
        ),
        properties=(
            heeds(
                "The mask of one environment changes with the flags of another.",
                lambda given: {
                    "terminated": torch.cat([~given.terminated[:, :1], given.terminated[:, 1:]], 1),
                    "truncated": torch.cat(
                        [given.truncated[:, :1] & False, given.truncated[:, 1:]], 1
                    ),
                },
            ),
            ignores(
                "`truncated` has no effect: after a time limit, too, a step only resets.",
                lambda given: (
                    {
                        "truncated": ~given.truncated,
                        "terminated": given.terminated & False,
                    }
                    if not given.terminated.any()
                    else {}
                ),
            ),
            heeds(
                "The mask changes with the last row's flags. They belong to the next rollout.",
                lambda given: {
                    "terminated": torch.cat([given.terminated[:-1], ~given.terminated[-1:]]),
                },
            ),
            ignores(
                "`resetting` has no effect: it is the first row.",
                lambda given: {"resetting": torch.cat([~given.resetting[:1], given.resetting[1:]])},
            ),
            ignores(
                "The ends of step 0 have no effect. Where step 0 ended, step 1 is a dummy.",
                lambda given: (
                    {
                        "terminated": torch.cat([~given.terminated[:1], given.terminated[1:]]),
                        "truncated": torch.cat([given.truncated[:1] & False, given.truncated[1:]]),
                    }
                    if len(given.terminated) > 1
                    else {}
                ),
            ),
        ),
        hints=(
            "Write down an environment's five steps of which the second one ends its episode. "
            "Which "
            "one is the dummy?",
            "Step t is a dummy where step t − 1 ended. For t = 0 that step belongs to the rollout "
            "before.",
            "Row 0 is `resetting`, and below it stand all rows of `terminated | truncated` but the "
            "last. torch.cat puts them on top of each other; resetting[None] has the shape (1, N).",
        ),
        praise="No agent learns from a step in which nobody listened to it.",
        minutes=10,
        difficulty=2,
    ),
    Exercise(
        id="6.4",
        title="bug hunt: a poor actor",
        reference=batch_loss,
        form=batch_loss_in_steps,
        cases=_hunt_cases,
        start=batch_loss_with_a_bug,
        wrong=(
            Wrong(
                {"[:, None]).squeeze(-1)": "[:, None])"},
                "In the actor's part every log π meets every advantage, not only its own. Print "
                "the shapes of its two factors, and of their product.",
            ),
            Wrong(
                {
                    "weighed = taken * advantages": "weighed = (taken[:, None] * "
                    "advantages).sum(dim=1)"
                },
                "The product still has a row and a column for each step. Adding up one of its axes "
                "does not take the wrong pairs out of it; the factors need the same shape.",
            ),
            Wrong(
                {"-weighed.mean()": "-weighed.sum()"},
                "The actor's part is added up. All three parts are means over the steps.",
            ),
            Wrong(
                {"[:, None]).squeeze(-1)": "[None, :])"},
                "With [None, :] all actions stand in one row, so `gather` looks them all up in the "
                "*first* step's probabilities. The column was right there; change the shape of "
                "what "
                "`gather` returns.",
            ),
            Wrong(
                {"(returns - values).detach()": "(returns - values)"},
                "The advantages have lost their `detach()`: the actor's loss moves the critic.",
            ),
            Wrong(
                {"policy = -weighed": "policy = weighed"},
                "The sign of the policy's part is gone: this makes good actions rarer.",
            ),
            Wrong(
                {
                    "errors = returns[criticising] - values[criticising]": "errors = (returns - "
                    "values.detach())[criticising]"
                },
                "The critic no longer gets a gradient. Its values have to be those that the model "
                "computed here, without `detach()`.",
            ),
            Wrong(
                {"exploring = ~dummies": "exploring = torch.ones_like(dummies)"},
                "The dummies are learned from now. Only real steps count.",
            ),
            Wrong(
                {
                    "    total = policy": "    share = (~dummies).float().mean()\n    "
                    "policy, value, bonus = share * policy, share * value, share * bonus\n    "
                    "total = policy"
                },
                "The dummies count as zeros in the means. Divide by the number of real steps.",
            ),
            Wrong(
                {"(returns - values).detach()": "returns.detach()"},
                "log π is weighed by the returns now. The advantages, returns − values, were "
                "right as they were given.",
            ),
            Wrong(
                {"squares.mean()": "squares.sum()"},
                "The critic's part is a sum now. It was right as it was given: all three parts "
                "are means over the steps.",
            ),
            Wrong(
                {"errors.square()": "errors.abs()"},
                "The critic's errors are no longer squared. They were right as they were given.",
            ),
            Wrong(
                {"- entropy_weight * bonus": "+ entropy_weight * bonus"},
                "The entropy is added now. It was right as it was given: a loss is made small.",
            ),
            Wrong(
                {"entropies.mean()": "entropies.mean().detach()"},
                "The entropy is cut from the graph now, and pushes nothing. It was right as it "
                "was given.",
            ),
            Wrong(
                {"entropy(logits[exploring])": "entropy(logits)"},
                "The entropy is that of all steps now, dummies included. It was right as it was "
                "given.",
            ),
            Wrong(
                {
                    "weighed = taken * advantages": "centred = advantages - advantages.mean()\n    "
                    "weighed = taken * centred / (advantages.std(correction=0) + 1e-8)"
                },
                "The advantages are normalised now. They were right as they were given.",
                also=(
                    {
                        "weighed = taken * advantages": "centred = advantages - "
                        "advantages.mean()\n    "
                        "weighed = taken * centred / (advantages.std() + 1e-8)"
                    },
                    {
                        "weighed = taken * advantages": "weighed = taken * (advantages - "
                        "advantages.mean())"
                    },
                ),
            ),
            Wrong(
                {"value_weight * value": "value"},
                "The critic's part has lost its weight in the total.",
            ),
            Wrong(
                {"values_after(model, rollout, values)": "values"},
                "The returns bootstrap from V(o_t) now. values_after was right as it was given.",
            ),
            Wrong(
                {".log_softmax(dim=-1)": ".log_softmax(dim=0)"},
                "The softmax runs over the steps now. The actions are the last axis: dim=-1.",
            ),
            Wrong(
                {
                    "log_pi.gather(-1, rollout.actions[acting][:, None]).squeeze(-1)": "log_pi"
                    ".mean(dim=-1)"
                },
                "Now the advantage weighs log π of all actions. Only "
                "the one that was taken counts: gather was right.",
            ),
            Wrong(
                {
                    "criticising = exploring = ~dummies": "criticising = exploring = ~dummies\n    "
                    "acting = torch.ones_like(dummies)"
                },
                "The actor learns from dummies now. Only real steps count.",
            ),
            Wrong(
                {
                    "errors = returns[criticising] - values[criticising]": "errors = (returns - "
                    "values).flatten()"
                },
                "The critic learns from dummies now. It was right as it was given: real steps "
                "alone.",
            ),
            Wrong(
                {"    policy = -weighed": "    weighed = weighed.detach()\n    policy = -weighed"},
                "The actor's part is cut from the graph now, and teaches nothing.",
            ),
            Wrong(
                {
                    "ends = rollout.terminated, rollout.truncated": "over = rollout.terminated | "
                    "rollout.truncated\n    ends = over, over"
                },
                "A time limit is taken for an end of the world now: returns bootstrap from what "
                "came next where an episode was truncated. The flags were right as they were.",
            ),
            Wrong(
                {"*ends, gamma": "*ends, 0.99"},
                "The returns are discounted with 0.99, whatever `gamma` is. It was right as it was "
                "given.",
            ),
            Wrong(
                {"rollout.terminated, rollout.truncated": "rollout.truncated, rollout.terminated"},
                "The two flags are exchanged now. They were right as they were given: terminated "
                "first, then truncated.",
            ),
            Wrong(
                {
                    "value_weight * value - entropy_weight * bonus": "entropy_weight * value - "
                    "value_weight * bonus"
                },
                "The two weights are exchanged now. They were right as they were given.",
            ),
            Wrong(
                {
                    "log_pi.gather(-1, rollout.actions[acting][:, None]).squeeze(-1)": "log_pi"
                    ".amax(dim=-1)"
                },
                "Now the advantage weighs log π of the likeliest action. Only the one that was "
                "taken counts: gather was right.",
            ),
            Wrong(
                {"(returns - values)": "(rollout.rewards + gamma * next_values - values)"},
                "The advantages are those of a single step now: the reward and the value after "
                "it. They were right as they were given, with the returns.",
            ),
            Wrong(
                {"weighed = taken": "weighed = taken.exp()"},
                "Now π stands in the place of log π. It was right as it was given.",
            ),
        ),
        properties=(
            ignores(
                "`dummies` has no effect: only real steps count.",
                lambda given: (
                    {"dummies": given.dummies & False} if bool(given.dummies.any()) else {}
                ),
            ),
            ignores(
                "entropy_weight has no effect.",
                lambda given: {"entropy_weight": given.entropy_weight + 0.3},
            ),
            heeds(
                "The order of the environments matters: each log π is to meet the advantage of "
                "its own "
                "step, and no other.",
                lambda given: {
                    "rollout": _mirrored(given.rollout),
                    "dummies": given.dummies.flip(1),
                },
            ),
        ),
        hints=(
            "A policy's part, a critic's part and an entropy: one of the three is wrong without an "
            "error. What would you print of a tensor first?",
            "`gather` returns as many axes as it was given indices: print taken.shape and "
            "advantages.shape, then the shape of their product.",
            "(M, 1) times (M,) is (M, M). Give both factors the shape (M,): .squeeze(-1).",
        ),
        praise="A column times a row is a table. Whoever prints shapes first finds such faults in "
        "a minute.",
        minutes=15,
        difficulty=2,
        parts=("policy", "value", "entropy", "total"),
    ),
    Exercise(
        id="6.5",
        title="A2C, from an empty cell",
        reference=train_a2c,
        form=train_a2c_in_steps,
        cases=_training_cases,
        wrong=(
            Wrong(
                {"real = ~rollout.dummies": "real = torch.ones_like(rollout.dummies)"},
                "Steps that only reset an environment are learned from, and counted. "
                "rollout.dummies says which they are.",
            ),
            Wrong(
                {"int(real.sum())": "rollout.rewards.numel()"},
                "The dummies are counted as steps. Count the real ones.",
            ),
            Wrong(
                {
                    "logits[real], values[real], rollout.actions[real], returns[real]": "logits, "
                    "values, rollout.actions, returns"
                },
                "The loss is one of all steps, dummies as well. Hand over the rows of the real "
                "steps: logits[real], and so for the other three.",
            ),
            Wrong(
                {"int(real.sum())": "config.t_max"},
                "This counts the steps of one environment. All N of them act.",
            ),
            Wrong(
                {"steps < config.total_steps": "steps <= config.total_steps"},
                "Where the budget is spent to the step, one rollout more is played. Go on while "
                "steps < total_steps.",
            ),
            Wrong(
                {"config.learning_rate * (1 - steps / config.total_steps)": "config.learning_rate"},
                "The learning rate stays as it was at first. It comes down to 0 in a straight "
                "line: η (1 − steps / total_steps).",
            ),
            Wrong(
                {
                    "        rate = config": "        steps += int(real.sum())\n"
                    "        rate = config",
                    "        steps += int(real.sum())\n    return": "    return",
                },
                "The rollout is counted before its learning rate is computed. The rate is that of "
                "the steps before it.",
                also=(
                    {
                        "        rate = config.learning_rate * (1 - steps": "        steps += "
                        "int(real.sum())\n"
                        "        rate = config.learning_rate * max(0.0, 1 - steps",
                        "        steps += int(real.sum())\n    return": "    return",
                    },
                ),
            ),
            Wrong(
                {"clip_gradients(gradients, config.max_grad_norm)": "gradients, None"},
                "The gradients are handed over as long as they are. Clip them to max_grad_norm: "
                "clip_gradients.",
            ),
            Wrong(
                {
                    "clip_gradients(gradients, config.max_grad_norm)": "["
                    "clip_gradients([each], config.max_grad_norm)[0][0] for each in gradients"
                    "], None"
                },
                "Each parameter's gradient is clipped by itself, which changes the direction of "
                "the whole. All of them have one norm together.",
            ),
            Wrong(
                {"rollout.terminated, rollout.truncated": "rollout.ended, rollout.truncated"},
                "A time limit is taken for an end of the world: what comes after it counts 0. "
                "There the return bootstraps.",
            ),
            Wrong(
                {
                    "rollout.terminated, rollout.truncated": "rollout.terminated, "
                    "torch.zeros_like(rollout.truncated)"
                },
                "A return runs through a time limit into the next episode. Hand over "
                "rollout.truncated, so that it bootstraps there.",
            ),
            Wrong(
                {"values_after(model, rollout, values)": "values.detach()"},
                "The returns bootstrap from V(o_t), the value before the step. What comes after "
                "it is V(o_{t+1}): values_after.",
            ),
            Wrong(
                {"values_after(model, rollout, values)": "torch.zeros_like(values)"},
                "Where a rollout stops, its returns stop too. The episode goes on: bootstrap from "
                "V(o_{t+1}), which values_after computes.",
            ),
            Wrong(
                {"rollout.rewards, after, *ends, config.gamma": "rollout.rewards, after, *ends, 1"},
                "Nothing is discounted: config.gamma.",
            ),
            Wrong(
                {
                    "config.value_weight, config.entropy_weight": "config.entropy_weight, "
                    "config.value_weight"
                },
                "The two weights of the loss are exchanged.",
            ),
            Wrong(
                {"*ends, config.gamma": "*ends, 0.99"},
                "The returns are discounted with 0.99, whatever the settings say: config.gamma.",
            ),
            Wrong(
                {
                    "clip_gradients(gradients, config.max_grad_norm)": "clip_gradients("
                    "gradients, 0.5)"
                },
                "The gradients are clipped to 0.5, whatever the settings say: "
                "config.max_grad_norm.",
            ),
            Wrong(
                {"a2c_loss(*batch, *weights)": "a2c_loss(*batch)"},
                "The parts of the loss have the weights that a2c_loss has by default. Hand over "
                "config.value_weight and config.entropy_weight.",
            ),
            Wrong(
                {"rollout.terminated, rollout.truncated": "rollout.truncated, rollout.terminated"},
                "The two flags are handed over in the wrong order: terminated first, then "
                "truncated.",
            ),
            Wrong(
                {"values_after(model, rollout, values)": "values.detach().roll(-1, 0)"},
                "What comes after a step is taken from the next row of values. Below the last row "
                "there is none, and below a time limit stands another episode's: values_after "
                "looks up both.",
            ),
            Wrong(
                {
                    "gradients = torch.autograd.grad(loss.total, optimizer.parameters)": "loss"
                    ".total.backward()\n        gradients = [each.grad for each in "
                    "optimizer.parameters]"
                },
                "The gradients of earlier rollouts are still there: backward() adds to what "
                "stands in `.grad`. Empty it each time, or let torch.autograd.grad return them.",
            ),
            Wrong(
                {"loss.total": "loss.policy"},
                "Only the actor learns: you descend loss.policy. The whole is loss.total.",
            ),
            Wrong(
                {"sampled(model, player.generator)": "greedy(model)"},
                "It always takes the likeliest action, so nothing else is ever tried. Draw from "
                "π: sampled(model, player.generator).",
            ),
            Wrong(
                {"sampled(model, player.generator)": "sampled(deepcopy(model), player.generator)"},
                "It goes on acting with the parameters that it began with. Make the policy of the "
                "model that learns.",
            ),
            Wrong(
                {"optimizer.step(shortened, rate)": "optimizer.step(shortened, -rate)"},
                "The sign is wrong: this climbs the loss. The optimiser subtracts by itself.",
            ),
            Wrong(
                _ONE_BY_ONE | _RETURNS_OF_THE_ROLLOUT | _COUNTED_TOGETHER,
                "This makes an update for each environment. A2C makes one for the whole rollout: "
                "its loss is a mean over the real steps of all environments together.",
                also=(
                    _ONE_BY_ONE | _COUNTED_TOGETHER,
                    _ONE_BY_ONE | _RETURNS_OF_THE_ROLLOUT | _COUNTED_ONE_BY_ONE,
                    _AT_THE_SAME_THETA,
                ),
            ),
        ),
        hints=(
            "Write the loop in words first, a line a step: act, look back, returns, batch, loss, "
            "gradient, step, count. Each line is a function that you have met.",
            "act: player.play(policy, config.t_max).rollout, with "
            "policy = sampled(model, player.generator). returns: n_step_returns, of "
            "values_after(model, rollout, values). batch: the rows where ~rollout.dummies.",
            "torch.autograd.grad(loss.total, optimizer.parameters), then "
            "gradients, _ = clip_gradients(gradients, config.max_grad_norm), then "
            "optimizer.step(gradients, config.learning_rate * (1 - steps / config.total_steps)), "
            "then steps += int(real.sum()).",
        ),
        praise="That is A2C, and you have written all of it.",
        minutes=40,
        difficulty=3,
    ),
)
