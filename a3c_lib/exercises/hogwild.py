"""Chapter 05: the exercises of "Hogwild and A3C"."""

from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from a3c_lib.exercises.engine.cases import Case, Exercise, Wrong, ignores
from a3c_lib.training import clip_gradients  # noqa: F401  which a mistake of 5.3 calls

# 5.1 Shared RMSProp


def rmsprop_step(
    theta: Sequence[Tensor],
    g: Sequence[Tensor],
    gradients: Sequence[Tensor],
    learning_rate: float,
    decay: float = 0.99,
    epsilon: float = 1e-5,
) -> None:
    """g ← αg + (1 − α)Δθ²,   θ ← θ − η Δθ / √(g + ε),   both in place."""
    for parameter, statistic, gradient in zip(theta, g, gradients, strict=True):
        statistic.mul_(decay).add_((1 - decay) * gradient**2)
        parameter.sub_(learning_rate * gradient / (statistic + epsilon).sqrt())


Step = Callable[..., None]


def _each(rule: Callable[[Tensor, Tensor, Tensor, float, float, float], None]) -> Step:
    """A step that changes θ and g tensor by tensor."""

    def step(
        theta: Sequence[Tensor],
        g: Sequence[Tensor],
        gradients: Sequence[Tensor],
        learning_rate: float,
        decay: float = 0.99,
        epsilon: float = 1e-5,
    ) -> None:
        for parts in zip(theta, g, gradients, strict=True):
            rule(*parts, learning_rate, decay, epsilon)

    step.__name__ = rule.__name__
    return step


@_each
def uphill(theta: Tensor, g: Tensor, d: Tensor, rate: float, decay: float, epsilon: float) -> None:
    g.mul_(decay).add_((1 - decay) * d**2)
    theta.add_(rate * d / (g + epsilon).sqrt())


def new_tensors_in_the_lists(
    theta: list[Tensor],
    g: list[Tensor],
    gradients: Sequence[Tensor],
    learning_rate: float,
    decay: float = 0.99,
    epsilon: float = 1e-5,
) -> None:
    for k, gradient in enumerate(gradients):
        g[k] = decay * g[k] + (1 - decay) * gradient**2
        theta[k] = theta[k] - learning_rate * gradient / (g[k] + epsilon).sqrt()


def new_statistics_in_the_list(
    theta: Sequence[Tensor],
    g: list[Tensor],
    gradients: Sequence[Tensor],
    learning_rate: float,
    decay: float = 0.99,
    epsilon: float = 1e-5,
) -> None:
    for k, gradient in enumerate(gradients):
        g[k] = decay * g[k] + (1 - decay) * gradient**2
        theta[k].sub_(learning_rate * gradient / (g[k] + epsilon).sqrt())


def only_the_first_tensor(
    theta: Sequence[Tensor],
    g: Sequence[Tensor],
    gradients: Sequence[Tensor],
    learning_rate: float,
    decay: float = 0.99,
    epsilon: float = 1e-5,
) -> None:
    rmsprop_step(theta[:1], g[:1], gradients[:1], learning_rate, decay, epsilon)


def _what_others_see(
    step: Step,
    theta: Sequence[Tensor],
    g: Sequence[Tensor],
    gradients: Sequence[Sequence[Tensor]],
    learning_rate: float,
    decay: float = 0.99,
    epsilon: float = 1e-5,
    by_default: bool = False,
) -> dict[str, Any]:
    """Take steps. Then look at the memory that all workers share, not at what a name means now."""
    settings = () if by_default else (decay, epsilon)
    theta, g = ([tensor.clone() for tensor in tensors] for tensors in (theta, g))
    seen = {"θ": [each.view(-1) for each in theta], "g": [each.view(-1) for each in g]}
    given = list(theta)
    handed = [[tensor.clone() for tensor in each] for each in gradients]
    for each in handed:
        step(theta, g, each, learning_rate, *settings)
    held = all(len(each) == len(given) for each in handed)
    left = [part.flatten() for each in handed for part in each]
    return {
        "does the caller's list still hold all gradients?": held,
        "the θ that other workers see": torch.cat(seen["θ"]).clone(),
        "the g that other workers see": torch.cat(seen["g"]).clone(),
        "the θ in this worker's own list": _flat(theta),
        "the gradients afterwards": torch.cat([torch.zeros(0), *left]),
        "does θ ask for gradients afterwards?": any(each.requires_grad for each in given),
    }


def _rmsprop_cases() -> list[Case]:
    def random(steps: int, *shapes: tuple[int, ...]) -> tuple[Any, Any, Any]:
        theta = [torch.randn(shape) for shape in shapes]
        g = [torch.rand(shape) for shape in shapes]
        return theta, g, [[torch.randn(shape) for shape in shapes] for _ in range(steps)]

    zero, two, one = torch.zeros(1), torch.tensor([2.0]), torch.tensor([1.0])
    cases = {
        "on paper: one gradient, 2": ([zero], [zero], [[two]], 0.1, 0.99, 0.1),
        "on paper: one worker's 2, then another's 1": (
            [zero],
            [zero],
            [[two], [one]],
            0.1,
            0.99,
            0.1,
        ),
        "a gradient of 0": ([one], [zero], [[zero]], 0.1, 0.99, 0.1),
        "a large ε": ([one], [zero], [[torch.tensor([3.0])]], 0.1, 0.75, 1.75),
        "one step of 2 tensors": (*random(1, (2, 3), (3,)), 0.01, 0.9, 1e-5),
        "4 steps of 3 tensors": (*random(4, (2, 2), (2,), (1,)), 0.05, 0.5, 0.01),
        "a gradient of 0, where g is 2": ([one], [two], [[zero]], 0.1, 0.75, 0.1),
        "a learning rate of 0": ([one], [zero], [[two]], 0.0, 0.75, 0.1),
        "a gradient of 1000": ([one], [zero], [[1000 * one]], 0.1, 0.75, 0.1),
        "nothing is kept of g: α = 0": ([one], [two], [[3 * one]], 0.1, 0.0, 0.1),
        "α and ε as they stand in the first line": (
            [one],
            [zero],
            [[two], [zero]],
            0.1,
            0.99,
            1e-5,
            True,
        ),
    }
    return [Case(label, *args, probe=_what_others_see) for label, args in cases.items()]


# 5.2 The worker


class Shared(NamedTuple):
    """What all workers see. When they are processes, it lies in memory that they share."""

    theta: list[Tensor]  # θ
    g: list[Tensor]  # RMSProp's moving averages
    steps: Tensor  # (W,) environment steps: a slot for each worker


class Player(Protocol):
    """Has environments of its own, in which it acts with a model and from which it learns."""

    def act(self, model: nn.Module) -> Any: ...
    def gradients(self, model: nn.Module, rollout: Any) -> Sequence[Tensor]: ...


class Worker:
    """An actor-learner: the loop of Algorithm S3, in two halves."""

    def __init__(
        self,
        rank: int,
        shared: Shared,
        model: nn.Module,
        player: Player,
        learning_rate: float,
        total_steps: int,
    ) -> None:
        self.rank, self.shared = rank, shared
        self.model, self.player = model, player  # the model holds θ′, this worker's own copy of θ
        self.learning_rate, self.total_steps = learning_rate, total_steps

    def begin(self) -> None:
        """θ′ ← θ, and act with θ′: a rollout."""
        with torch.no_grad():
            for mine, theirs in zip(self.model.parameters(), self.shared.theta, strict=True):
                mine.copy_(theirs)
        self.rollout = self.player.act(self.model)

    def finish(self) -> None:
        """The rollout's gradient at θ′; change θ and g by it; count the rollout's steps."""
        gradients = self.player.gradients(self.model, self.rollout)
        T = int(self.shared.steps.sum())
        rate = self.learning_rate * max(0, 1 - T / self.total_steps)
        rmsprop_step(self.shared.theta, self.shared.g, gradients, rate)
        self.shared.steps[self.rank] += self.rollout.rewards.numel()

    # For the wrong workers below.

    def _rate(self, T: float) -> float:
        return self.learning_rate * max(0, 1 - T / self.total_steps)

    def _apply(self, theta: Sequence[Tensor], g: Sequence[Tensor], T: float) -> None:
        gradients = self.player.gradients(self.model, self.rollout)
        rmsprop_step(theta, g, gradients, self._rate(T))

    def _count(self) -> None:
        self.shared.steps[self.rank] += self.rollout.rewards.numel()


class WorkerInSteps(Worker):
    def begin(self) -> None:
        with torch.no_grad():
            for mine, theirs in zip(self.model.parameters(), self.shared.theta, strict=True):
                mine.copy_(theirs)
        self.rollout = self.player.act(self.model)

    def finish(self) -> None:
        gradients = self.player.gradients(self.model, self.rollout)
        T = int(self.shared.steps.sum())
        rate = self.learning_rate * max(0, 1 - T / self.total_steps)
        rmsprop_step(self.shared.theta, self.shared.g, gradients, rate)
        self.shared.steps[self.rank] += self.rollout.rewards.numel()


class HasStatisticsOfItsOwn(Worker):
    def finish(self) -> None:
        if not hasattr(self, "g"):
            self.g = [torch.zeros_like(each) for each in self.shared.theta]
        self._apply(self.shared.theta, self.g, int(self.shared.steps.sum()))
        self._count()


class ReadsTheCountBeforeItActs(Worker):
    def begin(self) -> None:
        self.T = int(self.shared.steps.sum())
        super().begin()

    def finish(self) -> None:
        self._apply(self.shared.theta, self.shared.g, self.T)
        self._count()


class ReadsTheCountAfterItActs(ReadsTheCountBeforeItActs):
    def begin(self) -> None:
        super().begin()
        self.T = int(self.shared.steps.sum())


class _Weights(nn.Module):
    """A model that is nothing but parameters."""

    def __init__(self, weights: Sequence[Tensor]) -> None:
        super().__init__()
        self.weights = nn.ParameterList(weights)


class _Scripted:
    """A player whose gradient tells where it was taken, and of which rollout. While it acts, other
    workers go on. Each of its rollouts is a step longer than the one before."""

    def __init__(self, shared: Shared, number: int, first: int, others: float, envs: int) -> None:
        self.shared, self.others, self.envs = shared, others, envs
        self.length = first + number
        self.weight = 1 + number / 8  # of the rollout's gradient: no two have the same
        self.acted: list[Tensor] = []

    def act(self, model: nn.Module) -> Any:
        with torch.no_grad():
            self.acted.append(_flat(model.parameters()))
            for theta in self.shared.theta:
                theta.add_(self.others)
            self.acted.append(_flat(model.parameters()))
        self.shared.steps[-1] += 3 * (self.others != 0)
        rewards = torch.arange(self.length * self.envs).view(self.length, self.envs) % 3 - 1.0
        rollout = SimpleNamespace(rewards=rewards, weight=self.weight)  # −1, 0, 1, −1, …
        self.length, self.weight = self.length + 1, self.weight + 1 / 4
        return rollout

    def gradients(self, model: nn.Module, rollout: Any) -> list[Tensor]:
        if not hasattr(rollout, "weight"):
            raise TypeError("gradients() takes a model and the rollout that act() has returned")
        return [rollout.weight * (2 * each.detach() + 1) for each in model.parameters()]


def _flat(tensors: Any) -> Tensor:
    return torch.cat([each.detach().reshape(-1) for each in tensors]).clone()


def _at_work(
    Worker: type,
    schedule: Sequence[str],
    theta: Sequence[Tensor],
    rank: int,
    first_length: int,
    others: float,
    counted: int = 0,
    envs: int = 1,
    learning_rate: float = 0.1,
    total_steps: int = 60,
) -> dict[str, Tensor]:
    """What becomes of the shared memory when workers begin and finish in the given order."""
    shared = Shared(
        [each.clone() for each in theta],
        [torch.full_like(each, 0.5) for each in theta],
        torch.tensor([counted, 0, 0]),
    )
    seen = {"θ": [t.view(-1) for t in shared.theta], "g": [t.view(-1) for t in shared.g]}
    players, workers = {}, {}
    for number, name in enumerate(sorted({step.split()[0] for step in schedule})):
        model = _Weights([torch.full_like(each, 9.0) for each in theta])
        players[name] = _Scripted(shared, number, first_length, others, envs)
        workers[name] = Worker(
            (rank + number) % 3, shared, model, players[name], learning_rate, total_steps
        )
    kept, changed = [], []
    for step in schedule:
        name, what = step.split()
        before = _flat(seen["θ"])
        getattr(workers[name], {"begins": "begin", "finishes": "finish"}[what])()
        if what == "begins":
            kept.append(getattr(workers[name], "rollout", None) is not None)
        else:
            changed.append(not torch.equal(before, _flat(seen["θ"])))
    acted = [each for name in sorted(players) for each in players[name].acted]
    return {
        "the θ′ with which the first rollout is acted": acted[0],
        "the θ′ with which it acts, after others change θ": acted[1],
        "the θ that other workers see": _flat(seen["θ"]),
        "the g that other workers see": _flat(seen["g"]),
        "what is added to the step counts": shared.steps - torch.tensor([counted, 0, 0]),
        "whether θ changes in each `finish`": torch.tensor(changed),
        "whether there is a self.rollout after each `begin`": torch.tensor(kept),
        "all θ′ with which they act": torch.stack(acted),
    }


def _worker_cases() -> list[Case]:
    one, two = [torch.tensor([1.0])], [torch.tensor([[1.0, -2.0]]), torch.tensor([0.5])]
    alone, twice = ["A begins", "A finishes"], ["A begins", "A finishes"] * 2
    both = ["A begins", "B begins", "A finishes", "B finishes"]
    crossed = ["A begins", "B begins", "B finishes", "B begins", "A finishes", "B finishes"]
    cases: dict[str, tuple[Any, ...]] = {
        "one worker, one rollout": (alone, one, 0, 5, 0.0),
        "one worker, two rollouts": (twice, two, 1, 5, 0.0),
        "one worker, and others change θ while it acts": (twice, two, 1, 4, 0.25),
        "A begins, B begins, A finishes, B finishes": (both, two, 0, 5, 0.0),
        "a schedule of five rollouts": (crossed + both, two, 0, 4, 0.125),
        "most of the budget is used up": (both, two, 0, 5, 0.0, 45),
        "more than the budget is used up": (both, two, 0, 5, 0.0, 70),
        "rollouts of 2 steps of 3 environments": (twice, two, 1, 2, 0.0, 0, 3),
        "another learning rate and budget, workers 2 and 0": (both, two, 2, 5, 0.0, 7, 1, 0.3, 40),
        "the budget runs out within a rollout": (both, two, 0, 5, 0.0, 57),
    }
    return [Case(label, *args, probe=_at_work) for label, args in cases.items()]


# 5.3 A bug hunt: the hand-over of gradients


def hand_over(
    local: list[nn.Parameter],
    shared: list[nn.Parameter],
    optimizer: torch.optim.Optimizer,
    loss: Tensor,
) -> None:
    """One step of `optimizer`, whose parameters are `shared`, with the gradient of `loss` in
    `local`."""
    gradients = torch.autograd.grad(loss, list(local))
    for theirs, gradient in zip(shared, gradients, strict=True):
        theirs.grad = gradient
    optimizer.step()
    optimizer.zero_grad()


def hand_over_with_a_bug(
    local: list[nn.Parameter],
    shared: list[nn.Parameter],
    optimizer: torch.optim.Optimizer,
    loss: Tensor,
) -> None:
    """One step of `optimizer`, whose parameters are `shared`, with the gradient of `loss` in
    `local`."""
    optimizer.zero_grad()
    loss.backward()
    for mine, theirs in zip(local, shared, strict=True):
        if theirs.grad is not None:
            break  # the two are one tensor already
        theirs.grad = mine.grad
    optimizer.step()


def local_cleared_in_the_place_of_shared(
    local: list[nn.Parameter],
    shared: list[nn.Parameter],
    optimizer: torch.optim.Optimizer,
    loss: Tensor,
) -> None:
    for mine in local:
        mine.grad = None
    loss.backward()
    for mine, theirs in zip(local, shared, strict=True):
        if theirs.grad is not None:
            break
        theirs.grad = mine.grad
    optimizer.step()


def filled_with_zeros_instead(
    local: list[nn.Parameter],
    shared: list[nn.Parameter],
    optimizer: torch.optim.Optimizer,
    loss: Tensor,
) -> None:
    optimizer.zero_grad(set_to_none=False)
    loss.backward()
    for mine, theirs in zip(local, shared, strict=True):
        if theirs.grad is not None:
            break
        theirs.grad = mine.grad
    optimizer.step()


def cleared_before_it_is_handed_over(
    local: list[nn.Parameter],
    shared: list[nn.Parameter],
    optimizer: torch.optim.Optimizer,
    loss: Tensor,
) -> None:
    optimizer.zero_grad()
    loss.backward()
    optimizer.zero_grad()
    for mine, theirs in zip(local, shared, strict=True):
        mine.grad = None
        theirs.grad = mine.grad
    optimizer.step()


def zeroed_before_it_is_used(
    local: list[nn.Parameter],
    shared: list[nn.Parameter],
    optimizer: torch.optim.Optimizer,
    loss: Tensor,
) -> None:
    optimizer.zero_grad()
    for mine in local:
        mine.grad = None
    loss.backward()
    for mine, theirs in zip(local, shared, strict=True):
        theirs.grad = mine.grad
        assert mine.grad is not None
        mine.grad.zero_()
    optimizer.step()


def only_the_first_is_handed_over(
    local: list[nn.Parameter],
    shared: list[nn.Parameter],
    optimizer: torch.optim.Optimizer,
    loss: Tensor,
) -> None:
    gradients = torch.autograd.grad(loss, list(local))
    for theirs, gradient in zip(shared, gradients, strict=True):
        theirs.grad = gradient
        break
    optimizer.step()
    optimizer.zero_grad()


def added_to_what_is_there(
    local: list[nn.Parameter],
    shared: list[nn.Parameter],
    optimizer: torch.optim.Optimizer,
    loss: Tensor,
) -> None:
    gradients = torch.autograd.grad(loss, list(local))
    for theirs, gradient in zip(shared, gradients, strict=True):
        theirs.grad = gradient if theirs.grad is None else theirs.grad + gradient
    optimizer.step()


def copied_into_nothing(
    local: list[nn.Parameter],
    shared: list[nn.Parameter],
    optimizer: torch.optim.Optimizer,
    loss: Tensor,
) -> None:
    optimizer.zero_grad()
    loss.backward()
    for mine, theirs in zip(local, shared, strict=True):
        theirs.grad.copy_(mine.grad)  # type: ignore[union-attr, arg-type]
    optimizer.step()


def parameters_handed_over_too(
    local: list[nn.Parameter],
    shared: list[nn.Parameter],
    optimizer: torch.optim.Optimizer,
    loss: Tensor,
) -> None:
    gradients = torch.autograd.grad(loss, list(local))
    for mine, theirs, gradient in zip(local, shared, gradients, strict=True):
        theirs.data = mine.data.clone()
        theirs.grad = gradient
    optimizer.step()


class _Noting(torch.optim.SGD):
    """Notes the gradients with which it takes its steps, and where there are any."""

    def __init__(self, parameters: Sequence[nn.Parameter]) -> None:
        super().__init__(parameters, lr=0.1)
        self.noted: list[Tensor] = []
        self.found: list[Tensor] = []

    def step(self, closure: Any = None) -> Any:
        parameters = self.param_groups[0]["params"]
        grads = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
        self.found.append(torch.tensor([p.grad is not None for p in parameters]))
        self.noted.append(_flat(grads))
        return super().step(closure)


def _arriving(
    answer: Callable[..., None],
    workers: Sequence[int],
    gradients: Sequence[float],
    sizes: list[Any],
) -> dict[str, Any]:
    """What reaches the optimiser when workers, in one process, hand over gradients in turn. Each
    copies θ when it has handed over, so that others have changed θ when its next turn comes."""
    shared = [nn.Parameter(torch.zeros(size)) for size in sizes]
    locals_ = {w: [nn.Parameter(torch.zeros(size)) for size in sizes] for w in sorted(set(workers))}
    optimizer, own = _Noting(shared), []
    for worker, gradient in zip(workers, gradients, strict=True):
        local = locals_[worker]
        loss = sum(
            ((k + 1) * gradient * (_counted(mine) * mine).sum() for k, mine in enumerate(local)),
            torch.zeros(()),
        )
        answer(local, shared, optimizer, loss)
        own.append(_flat(local))
        with torch.no_grad():
            for mine, theirs in zip(local, shared, strict=True):
                mine.copy_(theirs)
    width = sum(theirs.numel() for theirs in shared)
    noted = torch.stack(optimizer.noted) if optimizer.noted else torch.zeros(0, width)
    found = torch.stack(optimizer.found) if optimizer.found else torch.zeros(0, len(sizes)).bool()
    return {
        "the number of steps that the optimizer takes": len(noted),
        "the places where a gradient arrives": found,
        "the gradients that reach the optimizer": noted,
        "θ in the end": _flat(shared),
        "the worker's own parameters after each hand-over": torch.stack(own),
    }


def _counted(tensor: Tensor) -> Tensor:
    """1, 2, 3, … in the shape of a tensor, so that its numbers have different gradients."""
    return torch.arange(1.0, tensor.numel() + 1).view(tensor.shape)


def _hand_over_cases() -> list[Case]:
    cases: dict[str, tuple[list[int], list[float], list[Any]]] = {
        "one worker, gradients 1, 2, 3, 4, 5": ([0] * 5, [1.0, 2.0, 3.0, 4.0, 5.0], [1]),
        "one worker, one gradient": ([0], [2.0], [1]),
        "one worker, two parameters": ([0] * 3, [1.0, -1.0, 0.5], [2, 1]),
        "two workers in turn, gradients 1, 2, 3, 4": ([0, 1, 0, 1], [1.0, 2.0, 3.0, 4.0], [1]),
        "three workers, two parameters": (
            [0, 1, 2, 2, 0, 1],
            [1.0, 2.0, 4.0, 8.0, -1.0, 3.0],
            [2, 1],
        ),
        "one worker, gradients 3, 0, 2": ([0] * 3, [3.0, 0.0, 2.0], [1]),
        "one worker, gradients 1000 and −0.001": ([0] * 2, [1000.0, -0.001], [1]),
        "two workers, three parameters, one of them a matrix": (
            [0, 1, 0],
            [1.0, 2.0, -4.0],
            [(2, 3), 3, 1],
        ),
    }
    return [Case(label, *args, probe=_arriving) for label, args in cases.items()]


# 5.4 A schedule of reads and writes


def replay(
    theta: float, schedule: Sequence[tuple[str, str]], changes: Mapping[str, float]
) -> float:
    """θ after a schedule of steps such as ("A", "reads") and ("A", "writes").

    A worker that reads θ makes a note of it. When it writes, it puts its latest note, plus its
    change, in the place of θ.
    """
    noted = {}
    for worker, what in schedule:
        if what == "reads":
            noted[worker] = theta
        else:
            theta = noted[worker] + changes[worker]
    return theta


def everybody_reads_the_first_value(
    theta: float, schedule: Sequence[tuple[str, str]], changes: Mapping[str, float]
) -> float:
    first = theta
    for worker, what in schedule:
        if what == "writes":
            theta = first + changes[worker]
    return theta


def _replay_cases() -> list[Case]:
    def steps(text: str) -> list[tuple[str, str]]:
        """ "Ar Bw" → A reads, B writes."""
        return [(each[0], {"r": "reads", "w": "writes"}[each[1]]) for each in text.split()]

    two, three = {"A": 1.0, "B": 10.0}, {"A": 1.0, "B": 10.0, "C": 100.0}
    return [
        Case("one worker", 0.0, steps("Ar Aw"), two),
        Case("nothing happens", 5.0, [], two),
        Case("B reads after A has written", 0.0, steps("Ar Aw Br Bw"), two),
        Case("A reads, B reads, A writes, B writes", 0.0, steps("Ar Br Aw Bw"), two),
        Case("A reads, B reads, B writes, A writes", 0.0, steps("Ar Br Bw Aw"), two),
        Case("A sleeps between reading and writing", 3.0, steps("Ar Br Bw Br Bw Br Bw Aw"), two),
        Case("A twice, B once", 7.0, steps("Ar Aw Ar Br Aw Bw"), two),
        Case("A writes twice after one reading", 0.0, steps("Ar Aw Aw"), two),
        Case("B writes twice, with A between", 1.0, steps("Br Ar Bw Aw Bw"), two),
        Case("A reads and never writes", 2.0, steps("Ar Br Bw"), two),
        Case("three workers", 1000.0, steps("Ar Br Bw Cr Aw Cw Br Bw Ar Aw"), three),
        Case("changes that go down", 1.5, steps("Br Ar Bw Aw Br Bw"), {"A": -0.5, "B": 0.25}),
        Case("A reads twice before it writes", 1.0, steps("Ar Br Bw Ar Aw"), two),
        Case("A reads twice, and B writes after that", 1.0, steps("Ar Ar Br Bw Aw"), two),
        Case("a change of 0", 1.0, steps("Ar Br Bw Aw"), {"A": 0.0, "B": 10.0}),
        Case("θ falls below 0", -2.0, steps("Ar Br Aw Bw Ar Aw"), {"A": -1.0, "B": 1.0}),
        Case(
            "workers with other names",
            2.0,
            [
                ("worker 1", "reads"),
                ("worker 2", "reads"),
                ("worker 2", "writes"),
                ("worker 2", "reads"),
                ("worker 2", "writes"),
                ("worker 1", "writes"),
            ],
            {"worker 1": 1.0, "worker 2": 10.0},
        ),
        Case("a change of 0.0001", 0.0, steps("Ar Aw"), {"A": 0.0001, "B": 10.0}),
        Case("a θ of 20 million", 20_000_000.0, steps("Ar Aw"), two, probe=_gained),
    ]


def _gained(
    replay: Callable[..., Any],
    theta: float,
    schedule: Sequence[tuple[str, str]],
    changes: Mapping[str, float],
) -> dict[str, Any]:
    """What θ has gained in the end. Of a large θ, that tells more than θ itself."""
    after = replay(theta, schedule, changes)
    a_number = isinstance(after, int | float | np.number | Tensor)
    return {"what θ has gained": after - theta if a_number else after}


def _read_first(schedule: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """The same steps, all readings before all writings."""
    return sorted(schedule, key=lambda step: step[1])


EXERCISES = (
    Exercise(
        id="5.1",
        title="shared RMSProp",
        reference=rmsprop_step,
        cases=_rmsprop_cases,
        wrong=(
            Wrong(
                {"(statistic + epsilon).sqrt()": "(statistic.sqrt() + epsilon)"},
                "ε stands outside the root here, as in torch's RMSprop. In the paper it stands "
                "inside: √(g + ε). In the first step of the example on paper that is 0.535, not "
                "0.667.",
            ),
            Wrong(
                {"(statistic + epsilon).sqrt()": "statistic.sqrt() + epsilon"},
                "ε is added to the whole step here, since it stands outside the brackets: what is "
                "divided by ends before it. It belongs under the root: √(g + ε).",
            ),
            Wrong(
                {"(statistic + epsilon).sqrt()": "(statistic.sqrt() + epsilon**0.5)"},
                "Two roots are added here, √g + √ε. It is one root, of the sum: √(g + ε).",
            ),
            Wrong(
                {"(statistic + epsilon)": "statistic.clamp(min=epsilon)"},
                "ε is the least that g can be under the root here. It is added to g, whatever g "
                "is: √(g + ε).",
            ),
            Wrong(
                {
                    "statistic.mul_(decay).add_((1 "
                    "- decay) * gradient**2)": "statistic = decay * statistic "
                    "+ (1 - decay) * gradient**2"
                },
                "g, as the other workers see it, stays what it was: `g = …` gives a name to a new "
                "tensor and leaves the shared one alone. Change it in place: mul_, add_, or g[:] "
                "= ….",
            ),
            Wrong(
                {
                    "parameter.sub_(learning_rate * gradient "
                    "/ (statistic + epsilon).sqrt())": "parameter = parameter - "
                    "learning_rate * gradient / "
                    "(statistic + epsilon).sqrt()"
                },
                "The shared θ stays what it was. Is the line that changes it missing or never "
                "reached? Or does it give a name to a new tensor, as `theta = theta − …` does, and "
                "leave the shared one alone? Change it in place: sub_, or theta[:] = ….",
            ),
            Wrong(
                {
                    "parameter.sub_(learning_rate * gradient "
                    "/ (statistic + epsilon).sqrt())": "parameter.data = parameter - "
                    "learning_rate * gradient / "
                    "(statistic + epsilon).sqrt()"
                },
                "Your θ is no longer the shared one: `.data = …` puts other memory behind it, and "
                "`theta[k] = …` puts a new tensor into your list. The other workers look at the "
                "old memory, where nothing changes. Write into it: sub_, or `-=`.",
            ),
            Wrong(
                new_statistics_in_the_list,
                "The shared g stays what it was: `g[k] = …` puts a new tensor into your list, and "
                "`.data = …` puts other memory behind the tensor. Nobody else sees what this "
                "worker has found out of g. Write into the tensor that is there: mul_ and add_, "
                "or g[k][:] = ….",
                also=(
                    {
                        "for parameter, statistic, gradient": "for k, (parameter, statistic, "
                        "gradient)",
                        "zip(theta, g, gradients, strict=True)": "enumerate(zip(theta, list(g), "
                        "gradients))",
                        "statistic.mul_(decay).add_((1 - decay) * gradient**2)": "statistic = g[k] "
                        "= decay * statistic + (1 - decay) * gradient**2",
                    },
                ),
            ),
            Wrong(
                new_tensors_in_the_lists,
                "What the other workers see does not change: `theta[k] = "
                "…` "
                "puts a new tensor into your list, and `.data = …` other memory behind a tensor. "
                "Write into the tensor that is there: theta[k].sub_(…), or `theta[k] -= …`. The "
                "same "
                "for g.",
            ),
            Wrong(
                {
                    "statistic.mul_(decay).add_((1 "
                    "- decay) * gradient**2)": "statistic = decay * statistic "
                    "+ (1 - decay) * gradient**2",
                    "parameter.sub_(learning_rate * gradient "
                    "/ (statistic + epsilon).sqrt())": "parameter = parameter - "
                    "learning_rate * gradient / "
                    "(statistic + epsilon).sqrt()",
                },
                "Nothing that is shared changes. `x = x − …` gives a name to a new tensor; "
                "`x.sub_(…)` "
                "or `x -= …` changes the tensor itself.",
            ),
            Wrong(
                {
                    "statistic.": "before = statistic.clone()\n        statistic.",
                    "(statistic + epsilon)": "(before + epsilon)",
                },
                "θ is divided by the g of the step before. First g, then θ: at the very first step "
                "the old g is 0, and what would be left is √ε.",
            ),
            Wrong(
                {
                    "mul_(decay)": "mul_(1 - decay)",
                    "(1 - decay) * gradient**2": "decay * gradient**2",
                },
                "α and 1 − α are the wrong way round: with α = 0.99 almost all of g would be the "
                "latest square. α says how much of the old g is kept.",
            ),
            Wrong(
                {"(1 - decay) * gradient**2": "gradient**2"},
                "The new square comes in with weight 1. It is weighted with 1 − α, so that g is an "
                "average and not a sum.",
            ),
            Wrong(
                {"(statistic + epsilon).sqrt()": "(statistic + epsilon)"},
                "The root is missing: a step is divided by √(g + ε), which is in the unit of a "
                "gradient.",
            ),
            Wrong(
                {"parameter.sub_": "parameter.add_"},
                "The sign is wrong: this climbs the loss. θ moves against its gradient.",
            ),
            Wrong(
                {"gradient**2)": "(gradient**2).mean())"},
                "g holds the mean square of all weights here. It is kept element by element: each "
                "weight has its own scale.",
                also=({"gradient**2)": "(gradient**2).sum())"},),
            ),
            Wrong(
                {
                    "statistic.mul_(decay).add_((1 - decay) * gradient**2)": "g2 = "
                    "gradient.clone()\n        "
                    "statistic.mul_(decay).add_((1 "
                    "- decay) * gradient.square_())",
                    "learning_rate * gradient /": "learning_rate * g2 /",
                },
                "The gradients that you were given are squared afterwards: `square_` and `pow_` "
                "change them. Leave what is handed over alone.",
                also=({"gradient**2": "gradient.square_()"},),
            ),
            Wrong(
                {
                    "parameter.sub_(learning_rate * gradient "
                    "/ (statistic + epsilon).sqrt())": "parameter.sub_(learning_rate "
                    "* gradient.div_((statistic + "
                    "epsilon).sqrt()))"
                },
                "The gradients that you were given are divided afterwards: `div_` and `/=` change "
                "them. Only θ and g are written in place.",
            ),
            Wrong(
                {"(statistic + epsilon).sqrt()": "statistic.add_(epsilon).sqrt_()"},
                "The root stays in g: `sqrt_` writes it there, and the next average starts from "
                "it. g "
                "keeps the average of the squares; √(g + ε) is a new tensor for this step alone.",
                also=(
                    {"(statistic + epsilon).sqrt()": "(statistic.sqrt_() + epsilon)"},
                    {"(statistic + epsilon).sqrt()": "(statistic.sqrt_() + epsilon**0.5)"},
                ),
            ),
            Wrong(
                {"(statistic + epsilon).sqrt()": "statistic.add_(epsilon).sqrt()"},
                "ε stays in g, and each step adds another one. It belongs under the root only: g + "
                "ε "
                "is a new tensor for this step alone.",
            ),
            Wrong(
                only_the_first_tensor,
                "Only the first tensor of the list is changed. All of them are to be: does a "
                "`return` "
                "stand inside the loop?",
                also=(
                    {
                        "parameter.sub_(learning_rate * gradient "
                        "/ (statistic + epsilon).sqrt())": "parameter.sub_(learning_rate "
                        "* gradient / (statistic + "
                        "epsilon).sqrt())\n        "
                        "break"
                    },
                ),
            ),
            Wrong(
                {"(statistic + epsilon)": "(statistic / (1 - decay) + epsilon)"},
                "You divide g by 1 − α, as Adam does in its first step to make up for a g that "
                "begins at "
                "0. RMSProp does not, and that is why its first steps are long.",
            ),
            Wrong(
                {"(1 - decay) * gradient**2": "(1 - decay) * gradient"},
                "g averages the gradients themselves, which may be negative. It averages their "
                "squares.",
            ),
            Wrong(
                {"(1 - decay) * gradient**2": "(1 - decay) * gradient.abs()"},
                "g averages the sizes of the gradients. It averages their squares, and the root "
                "is taken when they are used.",
            ),
            Wrong(
                {
                    "statistic.mul_(decay).add_((1 "
                    "- decay) * gradient**2)": "statistic.copy_(gradient**2)"
                },
                "g is the latest square alone: nothing is kept of the steps before. g ← α g + (1 "
                "− α) Δθ².",
            ),
            Wrong(
                {
                    "statistic.mul_(decay).add_((1 "
                    "- decay) * gradient**2)": "statistic.add_(gradient**2)"
                },
                "The squares pile up in g for ever (that is AdaGrad). A share α of the old g is "
                "kept: g ← α g + (1 − α) Δθ².",
            ),
            Wrong(
                {"statistic.mul_(decay).add_((1 - decay) * gradient**2)": "pass"},
                "g never changes. First g ← α g + (1 − α) Δθ², then the step.",
            ),
            Wrong(
                {
                    "learning_rate * gradient / "
                    "(statistic + epsilon).sqrt()": "learning_rate / (statistic + epsilon).sqrt()"
                },
                "The gradient is missing in the step: θ moves by η Δθ / √(g + ε).",
            ),
            Wrong(
                {"learning_rate * gradient /": "gradient /"},
                "The learning rate is missing in the step.",
            ),
            Wrong(
                {
                    "learning_rate * gradient / "
                    "(statistic + epsilon).sqrt()": "learning_rate * gradient"
                },
                "The step is not divided by √(g + ε): this is plain gradient descent, and g does "
                "nothing.",
            ),
            Wrong(
                {
                    "learning_rate * gradient / (statistic + epsilon).sqrt()": "learning_rate * "
                    "gradient.sign()"
                },
                "The step has the gradient's sign alone. It is the gradient divided by √(g + ε).",
            ),
            Wrong(
                {"(statistic + epsilon).sqrt()": "statistic.sqrt()"},
                "ε is missing: where g is 0, this divides by 0. √(g + ε).",
            ),
            Wrong(
                {"(statistic + epsilon).sqrt()": "(statistic + epsilon**2).sqrt()"},
                "ε is squared under the root. It stands there as it is: √(g + ε).",
            ),
            Wrong(
                {
                    "gradient / (statistic + epsilon).sqrt()": "gradient * (statistic + "
                    "epsilon).sqrt()"
                },
                "The step is multiplied by √(g + ε). It is divided: weights with large gradients "
                "make smaller steps.",
            ),
            Wrong(
                {"mul_(decay)": "mul_(0.99)", "(1 - decay)": "(1 - 0.99)"},
                "α is always 0.99. `decay` is an argument, and 0.99 only its default: use it.",
            ),
            Wrong(
                {"epsilon).sqrt()": "1e-5).sqrt()"},
                "ε is always 1e-5. `epsilon` is an argument, and 1e-5 only its default: use it.",
                also=({"epsilon).sqrt()": "1e-8).sqrt()"},),
            ),
            Wrong(
                {"mul_(decay)": "mul_(1 - decay)"}, "Of the old g the share 1 − α is kept. It is α."
            ),
            Wrong(
                {
                    "        statistic.": "        if not gradient.any():\n            "
                    "continue\n        statistic."
                },
                "Where a gradient is 0, nothing is done at all. θ stays, to be sure, but g does "
                "not: α g + (1 − α) · 0 is smaller than g.",
            ),
            Wrong(
                {
                    "        statistic.": "        if learning_rate == 0:\n            "
                    "continue\n        statistic."
                },
                "Where the learning rate is 0, nothing is done at all. θ stays, but g takes the "
                "gradient in all the same.",
            ),
            Wrong(
                {"(1 - decay) * gradient**2": "((1 - decay) * gradient) ** 2"},
                "1 − α is squared with the gradient: the bracket closes too late. Only Δθ is "
                "squared, g ← α g + (1 − α) Δθ².",
            ),
            Wrong(
                {"(1 - decay) * gradient**2": "decay * gradient**2"},
                "The new square comes in with weight α. It is weighted with 1 − α.",
            ),
            Wrong(
                {"gradient**2)": "gradient**2 + epsilon)"},
                "ε is added into g. It belongs under the root only, when g is used.",
            ),
        ),
        properties=(
            ignores(
                "The gradient of a second tensor has no effect. Go through all of the list.",
                lambda given: {
                    "gradients": [
                        [step[0], *(2 * each + 1 for each in step[1:])] for step in given.gradients
                    ]
                },
            ),
            ignores(
                "`decay` has no effect: it is the share of the old g that is kept.",
                lambda given: {"decay": 0.8 * given.decay},
            ),
            ignores(
                "`epsilon` has no effect. The step is divided by √(g + ε).",
                lambda given: {"epsilon": 3 * given.epsilon + 0.5},
            ),
            ignores(
                "`learning_rate` has no effect.",
                lambda given: {"learning_rate": 2 * given.learning_rate},
            ),
            ignores(
                "The g that comes in has no effect: a share α of it is kept.",
                lambda given: {"g": [each + 1 for each in given.g]},
            ),
        ),
        hints=(
            "Two lines for each parameter: first the moving average of the squares, then the step. "
            "Nothing is to get a new tensor.",
            "In place: g.mul_(…).add_(…), and then theta.sub_(…).",
            "statistic.mul_(decay).add_((1 - decay) * gradient**2), then "
            "parameter.sub_(learning_rate * gradient / (statistic + epsilon).sqrt())",
        ),
        praise="This optimiser can be shared: whoever holds the same tensors sees every step.",
        minutes=15,
        difficulty=2,
    ),
    Exercise(
        id="5.2",
        title="the worker",
        reference=Worker,
        form=WorkerInSteps,
        cases=_worker_cases,
        wrong=(
            Wrong(
                {
                    "            for mine, theirs in zip(self.model.parameters(), "
                    "self.shared.theta, strict=True):\n                "
                    "mine.copy_(theirs)\n": "            pass\n"
                },
                "θ′ is never brought up to date: this worker acts for ever with the weights that "
                "it "
                "was made with. In `begin` it copies θ first.",
            ),
            Wrong(
                {
                    "        with torch.no_grad():\n            "
                    "for mine, theirs in zip(self.model.parameters(), self.shared.theta, "
                    "strict=True):\n                "
                    "mine.copy_(theirs)\n        "
                    "self.rollout = self.player.act(self.model)\n": "        self.rollout = "
                    "self.player.act(self.model)\n        "
                    "with "
                    "torch.no_grad():\n            "
                    "for mine, theirs in "
                    "zip(self.model.parameters(), "
                    "self.shared.theta, "
                    "strict=True):\n                "
                    "mine.copy_(theirs)\n"
                },
                "It acts with the θ′ of last time, and copies afterwards. First θ′ ← θ, then act.",
            ),
            Wrong(
                {"mine.copy_(theirs)": "mine.data = theirs"},
                "θ′ is not a copy here: it is the shared memory itself. Other workers change it "
                "while "
                "this one acts, and the rollout is then nobody's policy. Copy the numbers: copy_.",
            ),
            Wrong(
                {"with torch.no_grad():": "if True:"},
                "PyTorch refuses to write into a parameter while it keeps track of gradients. Copy "
                "under `with torch.no_grad():`. (If it is the step in `finish` that raised: it is "
                "made "
                "in self.shared.theta, not in the parameters of the model.)",
            ),
            Wrong(
                {
                    "self.rollout = self.player.act(self.model)": "self.kept = "
                    "self.player.act(self.model)",
                    "self.player.gradients(self.model, "
                    "self.rollout)": "self.player.gradients(self.model, self.kept)",
                    "self.rollout.rewards": "self.kept.rewards",
                },
                "The rollout is kept under another name. Later cells of the notebook look for it "
                "in `self.rollout`.",
            ),
            Wrong(
                {
                    "        gradients = "
                    "self.player.gradients(self.model, self.rollout)\n": "        self.rollout = "
                    "self.player.act(self.model)\n        "
                    "gradients = "
                    "self.player.gradients(self.model, "
                    "self.rollout)\n"
                },
                "`finish` acts once more, while the rollout that `begin` made is thrown away. It "
                "learns from the one in self.rollout.",
            ),
            Wrong(
                {"mine.copy_(theirs)": "theirs.copy_(mine)"},
                "It copies θ′ into θ, and with that wipes out what all others have learned. The "
                "shared θ goes into the worker's own model.",
            ),
            Wrong(
                {
                    "        gradients = "
                    "self.player.gradients(self.model, self.rollout)\n": "        with "
                    "torch.no_grad():\n            "
                    "for mine, theirs in "
                    "zip(self.model.parameters(), "
                    "self.shared.theta, "
                    "strict=True):\n                "
                    "mine.copy_(theirs)\n        "
                    "gradients = "
                    "self.player.gradients(self.model, "
                    "self.rollout)\n"
                },
                "`finish` copies θ once more, so that the gradient is taken at weights that did "
                "not "
                "choose the actions. The gradient is taken at θ′, the weights that acted; only the "
                "step is made in θ.",
            ),
            Wrong(
                {
                    "rmsprop_step(self.shared.theta, "
                    "self.shared.g, gradients, rate)": "own = [each.data for each in "
                    "self.model.parameters()]\n        "
                    "rmsprop_step(own, "
                    "self.shared.g, gradients, "
                    "rate)\n        "
                    "for mine, theirs in zip(own, "
                    "self.shared.theta, "
                    "strict=True):\n            "
                    "theirs.copy_(mine)"
                },
                "It writes its own weights over θ. What others have changed since this worker "
                "began "
                "is gone. Change θ *by* the step, in place; do not put another θ there.",
            ),
            Wrong(
                {
                    "rmsprop_step(self.shared.theta, "
                    "self.shared.g, gradients, rate)": "rmsprop_step([each.data for "
                    "each in "
                    "self.model.parameters()], "
                    "self.shared.g, gradients, "
                    "rate)"
                },
                "The step is made in θ′, the worker's own copy, which the next `begin` overwrites. "
                "θ "
                "is what has to change.",
            ),
            Wrong(
                HasStatisticsOfItsOwn,
                "θ changes, but g stays what it was: this worker keeps statistics of its own. That "
                "is "
                "the variant which the paper found less robust. Hand over the shared g.",
            ),
            Wrong(
                {"T = int(self.shared.steps.sum())": "T = int(self.shared.steps[self.rank])"},
                "The learning rate comes down with this worker's own steps. With K workers it "
                "would "
                "end at 1 − 1/K of where it began. T is the sum over all slots.",
                also=(
                    {
                        "T = int(self.shared.steps.sum())": "T = getattr(self, 'own', 0)\n        "
                        "self.own = T + "
                        "self.rollout.rewards.numel()"
                    },
                ),
            ),
            Wrong(
                ReadsTheCountBeforeItActs,
                "T is read at the beginning of `begin`. Until this worker finishes, others have "
                "counted their steps. Read T in `finish`, just before the step.",
            ),
            Wrong(
                ReadsTheCountAfterItActs,
                "T is read at the end of `begin`. Others may finish before this worker does, and "
                "count "
                "their steps. Read T in `finish`, just before the step.",
            ),
            Wrong(
                {"self.learning_rate * max(0, 1 - T / self.total_steps)": "self.learning_rate"},
                "The learning rate stays what it was. It comes down to 0, linearly, as T goes to "
                "total_steps.",
            ),
            Wrong(
                {"max(0, 1 - T / self.total_steps)": "(1 - T / self.total_steps)"},
                "Past the budget 1 − T / total_steps is negative, and a negative learning rate "
                "climbs "
                "the loss. It can happen: rollouts under way when the budget runs out are "
                "finished. "
                "Take 0 there.",
            ),
            Wrong(
                {
                    "        gradients = "
                    "self.player.gradients(self.model, self.rollout)\n": "        "
                    "self.shared.steps[self.rank] "
                    "+= "
                    "self.rollout.rewards.numel()\n        "
                    "gradients = "
                    "self.player.gradients(self.model, "
                    "self.rollout)\n",
                    "        self.shared.steps[self.rank] += self.rollout.rewards.numel()\n": "",
                },
                "The rollout is counted before the learning rate is taken. T is the count as it "
                "stands before this rollout, so that the first step is made with the full rate.",
            ),
            Wrong(
                {"self.rollout.rewards.numel()": "1"},
                "It counts updates. What is counted are environment steps: the rollout's length.",
            ),
            Wrong(
                {"self.rollout.rewards.numel()": "int(self.rollout.rewards.sum())"},
                "It counts what was paid. On CartPole each step pays 1, so nobody would notice "
                "there. "
                "Count the entries of `rewards`, not their sum.",
            ),
            Wrong(
                {"[self.rank] +=": "[self.rank] ="},
                "The rollout's length is put in the place of the worker's count. The count grows: "
                "add "
                "to the slot.",
            ),
            Wrong(
                {
                    "steps[self.rank] += self.rollout.rewards.numel()": "steps.add_("
                    "self.rollout.rewards.numel())"
                },
                "It adds to every worker's slot. Then the sum is too large, and two workers may "
                "write "
                "into one slot at the same time, where one of them is lost. Write into "
                "`steps[self.rank]` only.",
            ),
            Wrong(
                {"steps[self.rank]": "steps[0]"},
                "It counts in slot 0, and so would all others, at the same time: some would be "
                "lost. "
                "Each worker writes into its own, `steps[self.rank]`.",
            ),
            Wrong(
                {"        self.shared.steps[self.rank] += self.rollout.rewards.numel()\n": ""},
                "It does not count its steps. Nobody would know when the budget is used up, and "
                "the "
                "learning rate would stay where it is.",
            ),
            Wrong(
                {"self.rollout.rewards.numel()": "len(self.rollout.rewards)"},
                "It counts the rows of `rewards`, T. With N environments each row is N steps: "
                "count all entries, T·N.",
            ),
            Wrong(
                {"self.rollout.rewards.numel()": "self.rollout.rewards.shape[1]"},
                "It counts the environments, N, as if the rollout had one row. It has T of them: "
                "count all entries, T·N.",
            ),
            Wrong(
                {"[self.rank] += ": "[self.rank] = T + "},
                "The steps of all workers are put into this worker's slot. The slot holds what "
                "this one has made: add the rollout's steps to it.",
            ),
            Wrong(
                {
                    "self.rollout.rewards.numel()": "min(self.rollout.rewards.numel(), "
                    "self.total_steps - T)"
                },
                "Past the budget the rollout is not counted whole. Its steps were made: all of "
                "them are counted.",
                also=(
                    {
                        "self.rollout.rewards.numel()": "max(0, min(self.rollout.rewards.numel(), "
                        "self.total_steps - T))"
                    },
                ),
            ),
            Wrong(
                {
                    "self.shared.steps[self.rank] += self.rollout.rewards.numel()": "steps = "
                    "self.shared.steps.clone()\n        "
                    "steps[self.rank] += "
                    "self.rollout.rewards.numel()\n        "
                    "self.shared = "
                    "self.shared._replace(steps=steps)"
                },
                "The steps are counted in a copy, which only this worker has. Write into the "
                "shared tensor: self.shared.steps[self.rank] += ….",
            ),
            Wrong(
                {
                    "self.learning_rate * max(0, "
                    "1 - T / self.total_steps)": "self.learning_rate * T / self.total_steps"
                },
                "The learning rate goes up with T. It comes down: 1 − T / total_steps.",
            ),
            Wrong(
                {"/ self.total_steps": "/ (2 * self.total_steps)"},
                "The learning rate comes down to half of itself. At T = total_steps it is 0.",
            ),
            Wrong(
                {"max(0, 1 - T / self.total_steps)": "max(0.1, 1 - T / self.total_steps)"},
                "The learning rate is above 0 past the budget. Where T has come to total_steps it "
                "is 0, and there it stays.",
                also=(
                    {"max(0, 1 - T / self.total_steps)": "max(1e-5, 1 - T / self.total_steps)"},
                    {
                        "self.learning_rate * max(0, 1 - T / self.total_steps)": "max(1e-6, "
                        "self.learning_rate * (1 - T / self.total_steps))"
                    },
                    {"max(0, 1 - T / self.total_steps)": "abs(1 - T / self.total_steps)"},
                ),
            ),
            Wrong(
                {"T / self.total_steps": "T // self.total_steps"},
                "The learning rate stays what it was until the budget is used up. It comes down "
                "linearly: is T divided by total_steps with `//`, which drops the fraction?",
            ),
            Wrong(
                {
                    "rate = self.learning_rate * max(0, "
                    "1 - T / self.total_steps)": "self.learning_rate *= max(0, "
                    "1 - T / self.total_steps)\n        "
                    "rate = self.learning_rate"
                },
                "Every `finish` lowers self.learning_rate itself, and the next one lowers what is "
                "left of it once more. It stays what it is: each rate is computed from it anew.",
            ),
            Wrong(
                {
                    "        rmsprop_step(self.shared.theta": "        if rate > 0:\n            "
                    "rmsprop_step(self.shared.theta"
                },
                "Where the learning rate is 0, something is left out. θ stays, to be sure, but g "
                "takes the gradient in all the same, and the steps are counted.",
                also=(
                    {
                        "        rmsprop_step(self.shared.theta": "        if rate == 0:\n"
                        "            return\n        "
                        "rmsprop_step(self.shared.theta"
                    },
                    {
                        "        self.shared.steps[self.rank]": "        if rate > 0:\n            "
                        "self.shared.steps[self.rank]"
                    },
                ),
            ),
            Wrong(
                {
                    "rmsprop_step(self.shared.theta, "
                    "self.shared.g, gradients, rate)": "rmsprop_step(self.shared.theta, "
                    "self.shared.g, gradients, "
                    "rate)\n        "
                    "rmsprop_step(self.shared.theta, "
                    "self.shared.g, gradients, "
                    "rate)"
                },
                "The step is made twice with one gradient.",
            ),
            Wrong(
                {"        rmsprop_step(self.shared.theta, self.shared.g, gradients, rate)\n": ""},
                "No step is made: θ and g stay what they were.",
            ),
            Wrong(
                {
                    "rmsprop_step(self.shared.theta, "
                    "self.shared.g, gradients, rate)": "rmsprop_step(self.shared.theta, "
                    "self.shared.g, gradients, "
                    "-rate)"
                },
                "The step goes uphill: the sign of the learning rate is turned.",
            ),
            Wrong(
                {"T = int(self.shared.steps.sum())": "T = int(self.shared.steps.max())"},
                "T is the largest of the counts. It is the sum over all slots.",
            ),
            Wrong(
                {"mine.copy_(theirs)": "mine.add_(theirs)"},
                "θ is added to θ′. It takes its place: copy_.",
            ),
            Wrong(
                {
                    "            for mine, theirs in zip(self.model.parameters(), "
                    "self.shared.theta, strict=True):\n                "
                    "mine.copy_(theirs)\n": "            for mine, theirs "
                    "in "
                    "zip(self.model.parameters(), "
                    "self.shared.theta, "
                    "strict=True):\n                "
                    "mine.copy_(theirs)\n                "
                    "break\n"
                },
                "Only the first tensor of θ is copied.",
            ),
            Wrong(
                {
                    "self.rollout = self.player.act(self.model)": "self.rollout = getattr(self, "
                    "'rollout', None) or "
                    "self.player.act(self.model)"
                },
                "It acts only once, and learns from the same rollout ever after. Each `begin` "
                "makes a new one.",
            ),
            Wrong(
                {
                    "self.rollout = self.player.act(self.model)": "rollout = "
                    "self.player.act(self.model)\n        "
                    "self.rollout = getattr(self, 'rollout', rollout)"
                },
                "It acts in every `begin`, and keeps the first rollout for ever. Put each new one "
                "in the place of the old one.",
            ),
            Wrong(
                {"self.rollout = self.player": "type(self).rollout = self.player"},
                "All workers have one place for their rollouts, so that a worker learns from the "
                "one that any of them made last. Each keeps its own, in self.rollout.",
                also=(
                    {
                        "self.rollout = self.player": "type(self).latest = self.rollout = "
                        "self.player",
                        "(self.model, self.rollout)": "(self.model, self.latest)",
                    },
                ),
            ),
            Wrong(
                {
                    "        gradients = "
                    "self.player.gradients(self.model, self.rollout)\n": "        with "
                    "torch.no_grad():\n            "
                    "pass\n        "
                    "gradients = [each.abs() for "
                    "each in "
                    "self.player.gradients(self.model, "
                    "self.rollout)]\n"
                },
                "The gradients have lost their sign.",
            ),
            Wrong(
                {
                    "rmsprop_step(self.shared.theta, "
                    "self.shared.g, gradients, rate)": "rmsprop_step(self.shared.theta, "
                    "[torch.zeros_like(each) for "
                    "each in self.shared.g], "
                    "gradients, rate)"
                },
                "The statistics begin anew at every step: g stays what it was. Hand over the "
                "shared g.",
            ),
            Wrong(
                {
                    "        with torch.no_grad():\n            "
                    "for mine, theirs in zip(self.model.parameters(), self.shared.theta, "
                    "strict=True):\n                "
                    "mine.copy_(theirs)\n": "        if not hasattr(self, "
                    "'rollout'):\n            "
                    "with "
                    "torch.no_grad():\n                "
                    "for mine, theirs in "
                    "zip(self.model.parameters(), "
                    "self.shared.theta, "
                    "strict=True):\n                    "
                    "mine.copy_(theirs)\n"
                },
                "θ is copied at the first `begin` only. Every rollout begins with a fresh copy.",
            ),
            Wrong(
                {
                    "rmsprop_step(self.shared.theta, "
                    "self.shared.g, gradients, rate)": "for theirs, gradient in "
                    "zip(self.shared.theta, gradients, "
                    "strict=True):\n            theirs.sub_(rate * gradient)"
                },
                "The step is plain gradient descent, and g does "
                "nothing. Make it with your `rmsprop_step`.",
            ),
        ),
        properties=(
            ignores(
                "What others have counted has no effect: T is the sum over all slots, and the "
                "learning "
                "rate comes down with it.",
                lambda given: {"counted": given.counted + 9},
            ),
        ),
        hints=(
            "`begin` has two lines, copy and act; keep the rollout in self.rollout. `finish` has "
            "four: the gradient, the learning rate, the step, the count.",
            "T = int(self.shared.steps.sum()), and the rate is learning_rate · max(0, 1 − T / "
            "total_steps). The step is made in self.shared.theta, with self.shared.g.",
            "begin: under torch.no_grad(), mine.copy_(theirs) for each parameter of the model; "
            "then "
            "self.rollout = self.player.act(self.model). finish: rmsprop_step(self.shared.theta, "
            "self.shared.g, gradients, rate), and self.shared.steps[self.rank] += "
            "self.rollout.rewards.numel().",
        ),
        praise="This is the loop of Algorithm S3. Start several of them, and you have A3C.",
        minutes=25,
        difficulty=3,
    ),
    Exercise(
        id="5.3",
        title="bug hunt: gradients that pile up",
        reference=hand_over,
        start=hand_over_with_a_bug,
        cases=_hand_over_cases,
        wrong=(
            Wrong(
                {
                    "gradients = torch.autograd.grad(loss, list(local))": "loss.backward()\n    "
                    "gradients = [mine.grad for mine in local]"
                },
                "They still pile up: the true gradients 1, 2, 3, 4, 5 arrive as 1, 3, 6, 10, 15. "
                "`optimizer.zero_grad()` clears the gradients of its own parameters, the shared "
                "ones. "
                "Who clears the local ones?",
                also=(hand_over_with_a_bug,),
            ),
            Wrong(
                {
                    "theirs.grad = gradient": "theirs.grad = gradient if theirs.grad is None else "
                    "theirs.grad",
                    "    optimizer.zero_grad()\n": "",
                },
                "Now the first gradient arrives again and again: 1, 1, 1, 1, 1. The shared "
                "parameter keeps the tensor it was given first, the `if` sees it and stops, and "
                "the "
                "local one has a new tensor each time. The shared side must be cleared as well, or "
                "the `if` has to go.",
                also=(local_cleared_in_the_place_of_shared,),
            ),
            Wrong(
                {
                    "theirs.grad = gradient": "theirs.grad = gradient if theirs.grad is None else "
                    "torch.zeros_like(gradient)",
                    "    optimizer.zero_grad()\n": "",
                },
                "The first gradient arrives, and zeros come after it: 1, 0, 0, 0, 0. The shared "
                "parameter keeps the tensor that it was given first, and that one is filled with "
                "zeros. Does an `if` keep the new gradient out? Each has to take the place of the "
                "one before.",
            ),
            Wrong(
                filled_with_zeros_instead,
                "With one worker in a process this works, as the idiom did before PyTorch 2: both "
                "names "
                "stay with one tensor, which is filled with zeros. With a second worker in the "
                "same "
                "process the tensor is the first one's, and the second's gradients never arrive.",
            ),
            Wrong(
                {"theirs.grad = gradient": "theirs.grad = None"},
                "No gradient arrives: the optimizer finds none, and does nothing. Is the gradient "
                "thrown away before it is handed over? Clear before `backward()`, or after the "
                "step. Or is it asked of the shared parameters? The loss was computed from the "
                "local ones.",
                also=(cleared_before_it_is_handed_over,),
            ),
            Wrong(
                {"theirs.grad = gradient": "theirs.grad = gradient.zero_()"},
                "You fill the local gradient with zeros, and the shared one is the same tensor: "
                "the "
                "optimizer sees zeros. Clear it after the step, or hand over a copy.",
                also=(zeroed_before_it_is_used,),
            ),
            Wrong(
                {"theirs.grad = gradient": "theirs.grad = gradient\n        break"},
                "Only the first parameter gets its gradient: the loop ends after it.",
                also=(only_the_first_is_handed_over,),
            ),
            Wrong(
                {
                    "theirs.grad = gradient": "theirs.grad = gradient if theirs.grad is None else "
                    "theirs.grad + gradient",
                    "    optimizer.zero_grad()\n": "",
                },
                "The gradients are fresh, and then added to what the shared parameters still hold. "
                "Put them there, in the place of the old ones.",
                also=(added_to_what_is_there,),
            ),
            Wrong(
                copied_into_nothing,
                "`theirs.grad` is None, so there is nothing into which `copy_` could write. Give "
                "it a "
                "tensor: `theirs.grad = …`.",
            ),
            Wrong(
                {
                    "    optimizer.step()\n": "    for mine, theirs in zip(local, shared):\n"
                    "        "
                    "theirs.data = mine.data.clone()\n    "
                    "optimizer.step()\n"
                },
                "The gradient arrives, but the worker's parameters are put over the shared ones as "
                "well: what others have changed since it copied them is gone. Hand over the "
                "gradient "
                "alone.",
                also=(parameters_handed_over_too,),
            ),
            Wrong(
                {"    optimizer.step()\n": ""},
                "The gradients are handed over, and then nobody makes a step: optimizer.step() is "
                "missing.",
            ),
            Wrong(
                {
                    "        theirs.grad = gradient\n    optimizer.step()": "        theirs.grad = "
                    "gradient\n        "
                    "optimizer.step()"
                },
                "A step is made for each parameter: `optimizer.step()` stands inside the loop. "
                "Hand over all gradients first, then make one step.",
            ),
            Wrong(
                {
                    "    for theirs, gradient": "    gradients, _ = clip_gradients(gradients, "
                    "0.5)\n    "
                    "for theirs, gradient"
                },
                "The gradients are clipped to a shorter norm on the way. Hand them over as they "
                "are.",
                also=(
                    {
                        "    for theirs, gradient": "    gradients, _ = clip_gradients(gradients, "
                        "1.0)\n    "
                        "for theirs, gradient"
                    },
                    {
                        "    for theirs, gradient": "    gradients, _ = clip_gradients(gradients, "
                        "40.0)\n    "
                        "for theirs, gradient"
                    },
                ),
            ),
            Wrong(
                {
                    "        theirs.grad = gradient": "        if gradient.any():\n            "
                    "theirs.grad = gradient"
                },
                "A gradient of zeros is not handed over. It is a gradient as well: an optimizer "
                "with averages of its own has to hear of it.",
            ),
            Wrong(
                {"theirs.grad = gradient": "theirs.grad = -gradient"},
                "The gradients are handed over with the wrong sign: the optimizer climbs.",
            ),
            Wrong(
                {"theirs.grad = gradient": "theirs.grad = gradient.abs()"},
                "The gradients have lost their sign.",
            ),
            Wrong(
                {
                    "    optimizer.step()\n    optimizer.zero_grad()": "    optimizer.step()\n    "
                    "optimizer.step()\n    "
                    "optimizer.zero_grad()"
                },
                "Two steps are made with one gradient.",
            ),
            Wrong(
                {
                    "gradients = torch.autograd.grad(loss, list(local))": "gradients = "
                    "torch.autograd.grad(loss, "
                    "list(local))\n    "
                    "with "
                    "torch.no_grad():\n        "
                    "for mine in "
                    "local:\n            "
                    "mine.zero_()"
                },
                "The local parameters are set to 0. What is to be cleared are their gradients.",
            ),
            Wrong(
                {"theirs.grad = gradient": "theirs.grad = gradient / len(shared)"},
                "The gradients are divided by the number of parameters. Hand them over as they "
                "are.",
            ),
            Wrong(
                {
                    "zip(shared, gradients, strict=True)": "zip(shared, gradients[::-1], "
                    "strict=True)"
                },
                "The gradients are handed over in the opposite order: each belongs to its own "
                "parameter.",
            ),
        ),
        hints=(
            "Take one parameter and a loss of 1 · θ, 2 · θ, 3 · θ … and print what is in "
            "`mine.grad` after each `backward()`.",
            "`backward()` *adds* to a gradient that is there. `optimizer.zero_grad()` sets the "
            "shared "
            "parameters' gradients to None, and leaves the local ones alone.",
            "Either clear both sides, or store nothing: torch.autograd.grad(loss, local) returns "
            "the "
            "gradients as values, which you put into theirs.grad.",
        ),
        praise="Gradients that are values, handed over once: nothing piles up, and nothing is "
        "shared by accident.",
        minutes=15,
        difficulty=3,
    ),
    Exercise(
        id="5.4",
        title="who is overwritten",
        reference=replay,
        cases=_replay_cases,
        wrong=(
            Wrong(
                {"theta = noted[worker] + changes[worker]": "theta += changes[worker]"},
                "Here every change survives, whatever the order. But a "
                "worker puts back what it *read*, plus its change; what others wrote in between is "
                "gone.",
            ),
            Wrong(
                {
                    "noted[worker] = theta": "noted['all'] = theta",
                    "noted[worker] + changes": "noted['all'] + changes",
                },
                "There is one note for all workers here. Each has its own: what it read itself.",
            ),
            Wrong(
                {"noted[worker] = theta": "noted.setdefault(worker, theta)"},
                "A worker notes θ at its first reading and never again. Each reading replaces the "
                "note.",
            ),
            Wrong(
                {
                    "noted[worker] = theta": "theta += changes[worker]",
                    "theta = noted[worker] + changes[worker]": "pass",
                },
                "θ changes here when a worker reads. Reading leaves θ alone; it changes when "
                "a worker writes.",
            ),
            Wrong(
                {"noted[worker] + changes": "changes"},
                "The change alone is put in the place of θ. It is written on top of what the "
                "worker "
                "read.",
            ),
            Wrong(
                everybody_reads_the_first_value,
                "Everybody reads the θ of the beginning here. A reading gives θ as it stands then.",
                also=(
                    {
                        "    noted = {}": "    noted = {}\n    first = theta",
                        "noted[worker] = theta": "noted[worker] = first",
                    },
                    {
                        "    noted = {}": "    noted = dict.fromkeys(changes, theta)",
                        "noted[worker] = theta": "pass",
                    },
                ),
            ),
            Wrong(
                {"noted[worker] + changes[worker]": "noted[worker]"},
                "θ never changes. Either what was read is written back as it was, without the "
                "worker's change; or nothing is written at all, because the code asks for "
                'another word than "reads" and "writes".',
                also=({"        else:": '        elif what == "write":'},),
            ),
            Wrong(
                {
                    "theta = noted[worker] + changes[worker]": "noted[worker] += "
                    "changes[worker]\n            "
                    "theta = noted[worker]"
                },
                "The note is changed when its worker writes. A note is made by reading alone: a "
                "worker that writes twice puts the same note, plus its change, back twice.",
            ),
            Wrong(
                {
                    "    noted = {}": "    noted, wrote = {}, set()",
                    "        else:": "        elif worker not in wrote:\n            "
                    "wrote.add(worker)",
                },
                "A worker writes only once here, however often the schedule says that it writes.",
            ),
            Wrong(
                {"noted[worker] + changes": "noted.pop(worker) + changes"},
                "The note is thrown away when its worker writes. A worker may write twice after "
                "one reading: its latest note stays.",
                also=({"noted[worker] + changes": "noted.pop(worker, theta) + changes"},),
            ),
            Wrong(
                {"        else:": "        elif noted[worker] == theta:"},
                "A worker writes only where θ still is what it has read. It writes in any case: "
                "what others wrote in between is gone then.",
            ),
            Wrong(
                {"    return theta": "    return round(theta, 2)"},
                "Digits of θ get lost on the way. Is it rounded, made a whole number, or put into "
                "a tensor of float32, which holds seven digits? What comes back is the sum as it "
                "is.",
                also=(
                    {"    return theta": "    return int(theta)"},
                    {"    return theta": "    return float(torch.tensor(theta))"},
                ),
            ),
            Wrong(
                {
                    "    noted = {}": "    noted, due = {}, set()",
                    "noted[worker] = theta": "noted[worker] = noted[worker] if worker in due else "
                    "theta\n            due.add(worker)",
                    "        else:": "        else:\n            due.discard(worker)",
                },
                "A worker that reads a second time before it writes keeps its first note. What "
                "counts is its latest one.",
            ),
            Wrong(
                {"        else:": "        elif changes[worker]:"},
                "A worker whose change is 0 does not write here. It puts its note in the place of "
                "θ all the same, and with that wipes out what others wrote since.",
            ),
            Wrong(
                {"noted[worker] + changes": "noted[worker] - changes"},
                "The change is subtracted. It is added to what was read.",
            ),
            Wrong(
                {"noted[worker] + changes[worker]": "theta + noted[worker] + changes[worker]"},
                "What was read is added to θ. It takes the place of θ, plus the change.",
            ),
            Wrong(
                {"    return theta": "        return theta"},
                "Only the first step of the schedule is taken: does `return` stand inside the "
                "loop?",
            ),
            Wrong(
                {'what == "reads"': 'what == "writes"'},
                "The two words are exchanged: reading makes a note, writing changes θ.",
            ),
            Wrong(
                {"noted[worker] + changes[worker]": "noted[worker] + sum(changes.values())"},
                "The changes of all workers are added. A worker adds its own.",
            ),
        ),
        properties=(
            ignores(
                "It makes no difference when a worker reads. What it notes is θ as it stands then.",
                lambda given: {"schedule": _read_first(given.schedule)} if given.schedule else {},
            ),
            ignores(
                "The changes have no effect: what is written is what was read, plus the change.",
                lambda given: {"changes": {each: 2 * by for each, by in given.changes.items()}},
            ),
            ignores(
                "The θ of the beginning has no effect.",
                lambda given: {"theta": given.theta + 64.0},
            ),
        ),
        hints=(
            "Keep a note for each worker: a dict from its name to what it read.",
            'At "reads": noted[worker] = theta. At "writes": theta = … of that worker\'s note.',
            "theta = noted[worker] + changes[worker]",
        ),
        praise="A schedule on paper shows what no race shows twice. Which schedules of two "
        "workers lose nothing?",
        minutes=10,
        difficulty=1,
    ),
)
