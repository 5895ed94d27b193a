"""Chapter 05: the exercises of "Hogwild and A3C"."""

from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from a3c_lib.exercises.engine.cases import Case, Exercise, Wrong

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
def epsilon_outside_the_root(
    theta: Tensor, g: Tensor, d: Tensor, rate: float, decay: float, epsilon: float
) -> None:
    g.mul_(decay).add_((1 - decay) * d**2)
    theta.sub_(rate * d / (g.sqrt() + epsilon))


@_each
def statistics_kept_to_itself(
    theta: Tensor, g: Tensor, d: Tensor, rate: float, decay: float, epsilon: float
) -> None:
    g = decay * g + (1 - decay) * d**2
    theta.sub_(rate * d / (g + epsilon).sqrt())


@_each
def parameters_kept_to_itself(
    theta: Tensor, g: Tensor, d: Tensor, rate: float, decay: float, epsilon: float
) -> None:
    g.mul_(decay).add_((1 - decay) * d**2)
    theta = theta - rate * d / (g + epsilon).sqrt()


@_each
def parameters_moved_elsewhere(
    theta: Tensor, g: Tensor, d: Tensor, rate: float, decay: float, epsilon: float
) -> None:
    g.mul_(decay).add_((1 - decay) * d**2)
    theta.data = theta - rate * d / (g + epsilon).sqrt()


@_each
def everything_kept_to_itself(
    theta: Tensor, g: Tensor, d: Tensor, rate: float, decay: float, epsilon: float
) -> None:
    g = decay * g + (1 - decay) * d**2
    theta = theta - rate * d / (g + epsilon).sqrt()


@_each
def statistics_of_the_step_before(
    theta: Tensor, g: Tensor, d: Tensor, rate: float, decay: float, epsilon: float
) -> None:
    theta.sub_(rate * d / (g + epsilon).sqrt())
    g.mul_(decay).add_((1 - decay) * d**2)


@_each
def decay_on_the_wrong_side(
    theta: Tensor, g: Tensor, d: Tensor, rate: float, decay: float, epsilon: float
) -> None:
    g.mul_(1 - decay).add_(decay * d**2)
    theta.sub_(rate * d / (g + epsilon).sqrt())


@_each
def squares_added_in_full(
    theta: Tensor, g: Tensor, d: Tensor, rate: float, decay: float, epsilon: float
) -> None:
    g.mul_(decay).add_(d**2)
    theta.sub_(rate * d / (g + epsilon).sqrt())


@_each
def root_forgotten(
    theta: Tensor, g: Tensor, d: Tensor, rate: float, decay: float, epsilon: float
) -> None:
    g.mul_(decay).add_((1 - decay) * d**2)
    theta.sub_(rate * d / (g + epsilon))


@_each
def uphill(theta: Tensor, g: Tensor, d: Tensor, rate: float, decay: float, epsilon: float) -> None:
    g.mul_(decay).add_((1 - decay) * d**2)
    theta.add_(rate * d / (g + epsilon).sqrt())


@_each
def one_number_for_all_weights(
    theta: Tensor, g: Tensor, d: Tensor, rate: float, decay: float, epsilon: float
) -> None:
    g.mul_(decay).add_((1 - decay) * (d**2).mean())
    theta.sub_(rate * d / (g + epsilon).sqrt())


@_each
def gradient_squared_in_place(
    theta: Tensor, g: Tensor, d: Tensor, rate: float, decay: float, epsilon: float
) -> None:
    before = d.clone()
    g.mul_(decay).add_((1 - decay) * d.square_())
    theta.sub_(rate * before / (g + epsilon).sqrt())


@_each
def gradient_divided_in_place(
    theta: Tensor, g: Tensor, d: Tensor, rate: float, decay: float, epsilon: float
) -> None:
    g.mul_(decay).add_((1 - decay) * d**2)
    theta.sub_(rate * d.div_((g + epsilon).sqrt()))


@_each
def root_left_in_the_statistics(
    theta: Tensor, g: Tensor, d: Tensor, rate: float, decay: float, epsilon: float
) -> None:
    g.mul_(decay).add_((1 - decay) * d**2)
    theta.sub_(rate * d / g.add_(epsilon).sqrt_())


@_each
def epsilon_left_in_the_statistics(
    theta: Tensor, g: Tensor, d: Tensor, rate: float, decay: float, epsilon: float
) -> None:
    g.mul_(decay).add_((1 - decay) * d**2)
    theta.sub_(rate * d / g.add_(epsilon).sqrt())


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


def only_the_first_tensor(
    theta: Sequence[Tensor],
    g: Sequence[Tensor],
    gradients: Sequence[Tensor],
    learning_rate: float,
    decay: float = 0.99,
    epsilon: float = 1e-5,
) -> None:
    rmsprop_step(theta[:1], g[:1], gradients[:1], learning_rate, decay, epsilon)


@_each
def divided_as_adam_does(
    theta: Tensor, g: Tensor, d: Tensor, rate: float, decay: float, epsilon: float
) -> None:
    """What it is for a first step; after that Adam's division needs a count that is not here."""
    g.mul_(decay).add_((1 - decay) * d**2)
    theta.sub_(rate * d / (g / (1 - decay) + epsilon).sqrt())


def _what_others_see(
    step: Step,
    theta: Sequence[Tensor],
    g: Sequence[Tensor],
    gradients: Sequence[Sequence[Tensor]],
    learning_rate: float,
    decay: float,
    epsilon: float,
) -> dict[str, Tensor]:
    """Take steps. Then look at the memory that all workers share, not at what a name means now."""
    theta, g = ([tensor.clone() for tensor in tensors] for tensors in (theta, g))
    seen = {"θ": [each.view(-1) for each in theta], "g": [each.view(-1) for each in g]}
    handed = [[tensor.clone() for tensor in each] for each in gradients]
    for each in handed:
        step(theta, g, each, learning_rate, decay, epsilon)
    return {
        "θ, as other workers see it": torch.cat(seen["θ"]).clone(),
        "g, as other workers see it": torch.cat(seen["g"]).clone(),
        "θ, by the names that this worker was given": _flat(theta),
        "the gradients afterwards": torch.cat([part.flatten() for each in handed for part in each]),
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


class NeverCopies(Worker):
    def begin(self) -> None:
        self.rollout = self.player.act(self.model)


class ActsBeforeItCopies(Worker):
    def begin(self) -> None:
        self.rollout = self.player.act(self.model)
        for mine, theirs in zip(self.model.parameters(), self.shared.theta, strict=True):
            mine.data.copy_(theirs)


class HoldsTheSharedTensors(Worker):
    def begin(self) -> None:
        for mine, theirs in zip(self.model.parameters(), self.shared.theta, strict=True):
            mine.data = theirs
        self.rollout = self.player.act(self.model)


class CopiesWithGradients(Worker):
    def begin(self) -> None:
        for mine, theirs in zip(self.model.parameters(), self.shared.theta, strict=True):
            mine.copy_(theirs)
        self.rollout = self.player.act(self.model)


class CopiesTheWrongWay(Worker):
    def begin(self) -> None:
        for mine, theirs in zip(self.model.parameters(), self.shared.theta, strict=True):
            theirs.copy_(mine.data)
        self.rollout = self.player.act(self.model)


class CopiesAgainBeforeItLearns(Worker):
    def finish(self) -> None:
        for mine, theirs in zip(self.model.parameters(), self.shared.theta, strict=True):
            mine.data.copy_(theirs)
        super().finish()


class KeepsItUnderAnotherName(Worker):
    def begin(self) -> None:
        super().begin()
        self.kept = self.rollout
        del self.rollout

    def finish(self) -> None:
        self.rollout = self.kept
        super().finish()
        del self.rollout


class ActsOnceMore(Worker):
    def finish(self) -> None:
        self.rollout = self.player.act(self.model)
        super().finish()


class OverwritesTheShared(Worker):
    def finish(self) -> None:
        mine = [parameter.data for parameter in self.model.parameters()]
        self._apply(mine, self.shared.g, int(self.shared.steps.sum()))
        for theirs, parameter in zip(self.shared.theta, mine, strict=True):
            theirs.copy_(parameter)
        self._count()


class ChangesOnlyItsCopy(Worker):
    def finish(self) -> None:
        mine = [parameter.data for parameter in self.model.parameters()]
        self._apply(mine, self.shared.g, int(self.shared.steps.sum()))
        self._count()


class HasStatisticsOfItsOwn(Worker):
    def finish(self) -> None:
        if not hasattr(self, "g"):
            self.g = [torch.zeros_like(each) for each in self.shared.theta]
        self._apply(self.shared.theta, self.g, int(self.shared.steps.sum()))
        self._count()


class AnnealsOnItsOwnSteps(Worker):
    def finish(self) -> None:
        self._apply(self.shared.theta, self.shared.g, int(self.shared.steps[self.rank]))
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


class NeverAnneals(Worker):
    def finish(self) -> None:
        self._apply(self.shared.theta, self.shared.g, 0)
        self._count()


class GoesOnUphill(Worker):
    def _rate(self, T: float) -> float:
        return self.learning_rate * (1 - T / self.total_steps)

    def finish(self) -> None:
        self._apply(self.shared.theta, self.shared.g, int(self.shared.steps.sum()))
        self._count()


class CountsFirst(Worker):
    def finish(self) -> None:
        self._count()
        self._apply(self.shared.theta, self.shared.g, int(self.shared.steps.sum()))


class CountsUpdates(Worker):
    def finish(self) -> None:
        self._apply(self.shared.theta, self.shared.g, int(self.shared.steps.sum()))
        self.shared.steps[self.rank] += 1


class CountsRewards(Worker):
    def finish(self) -> None:
        self._apply(self.shared.theta, self.shared.g, int(self.shared.steps.sum()))
        self.shared.steps[self.rank] += int(self.rollout.rewards.sum())


class CountsOnlyTheLatest(Worker):
    def finish(self) -> None:
        self._apply(self.shared.theta, self.shared.g, int(self.shared.steps.sum()))
        self.shared.steps[self.rank] = self.rollout.rewards.numel()


class CountsInEverySlot(Worker):
    def finish(self) -> None:
        self._apply(self.shared.theta, self.shared.g, int(self.shared.steps.sum()))
        self.shared.steps.add_(self.rollout.rewards.numel())


class CountsInTheFirstSlot(Worker):
    def finish(self) -> None:
        self._apply(self.shared.theta, self.shared.g, int(self.shared.steps.sum()))
        self.shared.steps[0] += self.rollout.rewards.numel()


class NeverCounts(Worker):
    def finish(self) -> None:
        self._apply(self.shared.theta, self.shared.g, int(self.shared.steps.sum()))


class _Scripted:
    """A player whose gradient tells where it was taken. While it acts, other workers go on."""

    def __init__(self, shared: Shared, length: int, others: float) -> None:
        self.shared, self.length, self.others = shared, length, others
        self.acted: list[Tensor] = []

    def act(self, model: nn.Module) -> Any:
        with torch.no_grad():
            self.acted.append(_flat(model.parameters()))
            for theta in self.shared.theta:
                theta.add_(self.others)
            self.acted.append(_flat(model.parameters()))
        self.shared.steps[-1] += 3 * (self.others != 0)
        return SimpleNamespace(rewards=torch.full((self.length, 1), 2.0))

    def gradients(self, model: nn.Module, rollout: Any) -> list[Tensor]:
        return [2 * each.detach() + 1 for each in model.parameters()]


def _flat(tensors: Any) -> Tensor:
    return torch.cat([each.detach().reshape(-1) for each in tensors]).clone()


def _at_work(
    Worker: type,
    schedule: Sequence[str],
    theta: Sequence[Tensor],
    rank: int,
    length: int,
    others: float,
    counted: int = 0,
) -> dict[str, Tensor]:
    """What becomes of the shared memory when workers begin and finish in the given order."""
    shared = Shared(
        [each.clone() for each in theta],
        [torch.full_like(each, 0.5) for each in theta],
        torch.tensor([counted, 0, 0]),
    )
    seen = shared.theta, shared.g
    views = [each.view(-1) for tensors in seen for each in tensors]
    players, workers = {}, {}
    for number, name in enumerate(sorted({step.split()[0] for step in schedule})):
        model = nn.ParameterList([torch.full_like(each, 9.0) for each in theta])
        players[name] = _Scripted(shared, length, others)
        workers[name] = Worker(
            (rank + number) % 3, shared, model, players[name], learning_rate=0.1, total_steps=60
        )
    kept = []
    for step in schedule:
        name, what = step.split()
        getattr(workers[name], {"begins": "begin", "finishes": "finish"}[what])()
        if what == "begins":
            kept.append(getattr(workers[name], "rollout", None) is not None)
    half = len(views) // 2
    acted = [each for name in sorted(players) for each in players[name].acted]
    return {
        "the θ′ with which it acts, before and after others change θ": torch.stack(acted),
        "θ, as other workers see it": torch.cat(views[:half]).clone(),
        "g, as other workers see it": torch.cat(views[half:]).clone(),
        "the step counts": shared.steps.clone(),
        "is there a self.rollout after `begin`?": torch.tensor(kept),
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
    """Notes the gradients with which it takes its steps; NaN where there is none."""

    def __init__(self, parameters: Sequence[nn.Parameter]) -> None:
        super().__init__(parameters, lr=0.1)
        self.noted: list[Tensor] = []

    def step(self, closure: Any = None) -> Any:
        parameters = self.param_groups[0]["params"]
        grads = [torch.full_like(p, torch.nan) if p.grad is None else p.grad for p in parameters]
        self.noted.append(_flat(grads))
        return super().step(closure)


def _arriving(
    answer: Callable[..., None],
    workers: Sequence[int],
    gradients: Sequence[float],
    sizes: list[int],
) -> dict[str, Tensor]:
    """What reaches the optimiser when workers, in one process, hand over gradients in turn. Each
    copies θ when it has handed over, so that others have changed θ when its next turn comes."""
    shared = [nn.Parameter(torch.zeros(size)) for size in sizes]
    locals_ = {w: [nn.Parameter(torch.zeros(size)) for size in sizes] for w in sorted(set(workers))}
    optimizer = _Noting(shared)
    for worker, gradient in zip(workers, gradients, strict=True):
        local = locals_[worker]
        loss = sum(
            ((k + 1) * gradient * mine.sum() for k, mine in enumerate(local)), torch.zeros(())
        )
        answer(local, shared, optimizer, loss)
        with torch.no_grad():
            for mine, theirs in zip(local, shared, strict=True):
                mine.copy_(theirs)
    noted = torch.stack(optimizer.noted) if optimizer.noted else torch.zeros(0, sum(sizes))
    return {"the gradients that reach the optimizer": noted, "θ in the end": _flat(shared)}


def _hand_over_cases() -> list[Case]:
    cases: dict[str, tuple[list[int], list[float], list[int]]] = {
        "one worker, gradients 1, 2, 3, 4, 5": ([0] * 5, [1.0, 2.0, 3.0, 4.0, 5.0], [1]),
        "one worker, one gradient": ([0], [2.0], [1]),
        "one worker, two parameters": ([0] * 3, [1.0, -1.0, 0.5], [2, 1]),
        "two workers in turn, gradients 1, 2, 3, 4": ([0, 1, 0, 1], [1.0, 2.0, 3.0, 4.0], [1]),
        "three workers, two parameters": (
            [0, 1, 2, 2, 0, 1],
            [1.0, 2.0, 4.0, 8.0, -1.0, 3.0],
            [2, 1],
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


def nothing_is_ever_lost(
    theta: float, schedule: Sequence[tuple[str, str]], changes: Mapping[str, float]
) -> float:
    for worker, what in schedule:
        if what == "writes":
            theta += changes[worker]
    return theta


def one_note_for_all(
    theta: float, schedule: Sequence[tuple[str, str]], changes: Mapping[str, float]
) -> float:
    noted = theta
    for worker, what in schedule:
        if what == "reads":
            noted = theta
        else:
            theta = noted + changes[worker]
    return theta


def read_only_once(
    theta: float, schedule: Sequence[tuple[str, str]], changes: Mapping[str, float]
) -> float:
    noted: dict[str, float] = {}
    for worker, what in schedule:
        if what == "reads":
            noted.setdefault(worker, theta)
        else:
            theta = noted[worker] + changes[worker]
    return theta


def changed_while_reading(
    theta: float, schedule: Sequence[tuple[str, str]], changes: Mapping[str, float]
) -> float:
    for worker, what in schedule:
        if what == "reads":
            theta += changes[worker]
    return theta


def the_change_alone_is_written(
    theta: float, schedule: Sequence[tuple[str, str]], changes: Mapping[str, float]
) -> float:
    for worker, what in schedule:
        if what == "writes":
            theta = changes[worker]
    return theta


def everybody_reads_the_first_value(
    theta: float, schedule: Sequence[tuple[str, str]], changes: Mapping[str, float]
) -> float:
    first = theta
    for worker, what in schedule:
        if what == "writes":
            theta = first + changes[worker]
    return theta


def written_without_the_change(
    theta: float, schedule: Sequence[tuple[str, str]], changes: Mapping[str, float]
) -> float:
    noted = {}
    for worker, what in schedule:
        if what == "reads":
            noted[worker] = theta
        else:
            theta = noted[worker]
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
        Case("A reads and never writes", 2.0, steps("Ar Br Bw"), two),
        Case("three workers", 1000.0, steps("Ar Br Bw Cr Aw Cw Br Bw Ar Aw"), three),
        Case("changes that go down", 1.5, steps("Br Ar Bw Aw Br Bw"), {"A": -0.5, "B": 0.25}),
    ]


EXERCISES = (
    Exercise(
        id="5.1",
        title="shared RMSProp",
        reference=rmsprop_step,
        cases=_rmsprop_cases,
        wrong=(
            Wrong(
                epsilon_outside_the_root,
                "ε stands outside the root here, as in torch's RMSprop. In the paper it stands "
                "inside: √(g + ε). In the first step of the example on paper that is 0.535, not "
                "0.667.",
            ),
            Wrong(
                statistics_kept_to_itself,
                "θ moves, but g, as the other workers see it, stays what it was: `g = …` gives a "
                "name to a new tensor and leaves the shared one alone. Change it in place: mul_, "
                "add_, "
                "or g[:] = ….",
            ),
            Wrong(
                parameters_kept_to_itself,
                "g is right, but the shared θ stays what it was: `theta = theta − …` gives a name "
                "to "
                "a new tensor and leaves the shared one alone. Change it in place: sub_, or "
                "theta[:] "
                "= ….",
            ),
            Wrong(
                parameters_moved_elsewhere,
                "g is right, but your θ is no longer the shared one: `.data = …` puts other memory "
                "behind it, and `theta[k] = …` puts a new tensor into your list. The other workers "
                "look at the old memory, where nothing changes. Write into it: sub_, or `-=`.",
            ),
            Wrong(
                new_tensors_in_the_lists,
                "Your own θ is right, and what the other workers see does not change: `theta[k] = "
                "…` "
                "puts a new tensor into your list, and `.data = …` other memory behind a tensor. "
                "Write into the tensor that is there: theta[k].sub_(…), or `theta[k] -= …`. The "
                "same "
                "for g.",
            ),
            Wrong(
                everything_kept_to_itself,
                "Nothing that is shared changes. `x = x − …` gives a name to a new tensor; "
                "`x.sub_(…)` "
                "or `x -= …` changes the tensor itself.",
            ),
            Wrong(
                statistics_of_the_step_before,
                "θ is divided by the g of the step before. First g, then θ: at the very first step "
                "the old g is 0, and what would be left is √ε.",
            ),
            Wrong(
                decay_on_the_wrong_side,
                "α and 1 − α are the wrong way round: with α = 0.99 almost all of g would be the "
                "latest square. α says how much of the old g is kept.",
            ),
            Wrong(
                squares_added_in_full,
                "The new square comes in with weight 1. It is weighted with 1 − α, so that g is an "
                "average and not a sum.",
            ),
            Wrong(
                root_forgotten,
                "The root is missing: a step is divided by √(g + ε), which is in the unit of a "
                "gradient.",
            ),
            Wrong(uphill, "The sign is wrong: this climbs the loss. θ moves against its gradient."),
            Wrong(
                one_number_for_all_weights,
                "g holds the mean square of all weights here. It is kept element by element: each "
                "weight has its own scale.",
            ),
            Wrong(
                gradient_squared_in_place,
                "θ and g are right, but the gradients that you were given are squared afterwards: "
                "`square_` and `pow_` change them. Leave what is handed over alone.",
            ),
            Wrong(
                gradient_divided_in_place,
                "θ and g are right, but the gradients that you were given are divided afterwards: "
                "`div_` and `/=` change them. Only θ and g are written in place.",
            ),
            Wrong(
                root_left_in_the_statistics,
                "The root stays in g: `sqrt_` writes it there, and the next average starts from "
                "it. g "
                "keeps the average of the squares; √(g + ε) is a new tensor for this step alone.",
            ),
            Wrong(
                epsilon_left_in_the_statistics,
                "ε stays in g, and each step adds another one. It belongs under the root only: g + "
                "ε "
                "is a new tensor for this step alone.",
            ),
            Wrong(
                only_the_first_tensor,
                "Only the first tensor of the list is changed. All of them are to be: does a "
                "`return` "
                "stand inside the loop?",
            ),
            Wrong(
                divided_as_adam_does,
                "You divide g by 1 − α, as Adam does in its first step to make up for a g that "
                "begins at "
                "0. RMSProp does not, and that is why its first steps are long.",
            ),
        ),
        hints=(
            "Two lines for each parameter: first the moving average of the squares, then the step. "
            "Nothing is to get a new tensor.",
            "In place: g.mul_(…).add_(…), and then theta.sub_(…).",
            "statistic.mul_(decay).add_((1 - decay) * gradient**2), then "
            "parameter.sub_(learning_rate * gradient / (statistic + epsilon).sqrt())",
        ),
    ),
    Exercise(
        id="5.2",
        title="the worker",
        reference=Worker,
        cases=_worker_cases,
        wrong=(
            Wrong(
                NeverCopies,
                "θ′ is never brought up to date: this worker acts for ever with the weights that "
                "it "
                "was made with. In `begin` it copies θ first.",
            ),
            Wrong(
                ActsBeforeItCopies,
                "It acts with the θ′ of last time, and copies afterwards. First θ′ ← θ, then act.",
            ),
            Wrong(
                HoldsTheSharedTensors,
                "θ′ is not a copy here: it is the shared memory itself. Other workers change it "
                "while "
                "this one acts, and the rollout is then nobody's policy. Copy the numbers: copy_.",
            ),
            Wrong(
                CopiesWithGradients,
                "PyTorch refuses to write into a parameter while it keeps track of gradients. Copy "
                "under `with torch.no_grad():`. (If it is the step in `finish` that raised: it is "
                "made "
                "in self.shared.theta, not in the parameters of the model.)",
            ),
            Wrong(
                KeepsItUnderAnotherName,
                "This worker does what it should, but keeps the rollout under another name. Later "
                "cells of the notebook look for it in `self.rollout`.",
            ),
            Wrong(
                ActsOnceMore,
                "`finish` acts once more, while the rollout that `begin` made is thrown away. It "
                "learns from the one in self.rollout.",
            ),
            Wrong(
                CopiesTheWrongWay,
                "It copies θ′ into θ, and with that wipes out what all others have learned. The "
                "shared θ goes into the worker's own model.",
            ),
            Wrong(
                CopiesAgainBeforeItLearns,
                "`finish` copies θ once more, so that the gradient is taken at weights that did "
                "not "
                "choose the actions. The gradient is taken at θ′, the weights that acted; only the "
                "step is made in θ.",
            ),
            Wrong(
                OverwritesTheShared,
                "It writes its own weights over θ. What others have changed since this worker "
                "began "
                "is gone. Change θ *by* the step, in place; do not put another θ there.",
            ),
            Wrong(
                ChangesOnlyItsCopy,
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
                AnnealsOnItsOwnSteps,
                "The learning rate comes down with this worker's own steps. With K workers it "
                "would "
                "end at 1 − 1/K of where it began. T is the sum over all slots.",
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
                NeverAnneals,
                "The learning rate stays what it was. It comes down to 0, linearly, as T goes to "
                "total_steps.",
            ),
            Wrong(
                GoesOnUphill,
                "Past the budget 1 − T / total_steps is negative, and a negative learning rate "
                "climbs "
                "the loss. It can happen: rollouts under way when the budget runs out are "
                "finished. "
                "Take 0 there.",
            ),
            Wrong(
                CountsFirst,
                "The rollout is counted before the learning rate is taken. T is the count as it "
                "stands before this rollout, so that the first step is made with the full rate.",
            ),
            Wrong(
                CountsUpdates,
                "It counts updates. What is counted are environment steps: the rollout's length.",
            ),
            Wrong(
                CountsRewards,
                "It counts what was paid. On CartPole each step pays 1, so nobody would notice "
                "there. "
                "Count the entries of `rewards`, not their sum.",
            ),
            Wrong(
                CountsOnlyTheLatest,
                "The rollout's length is put in the place of the worker's count. The count grows: "
                "add "
                "to the slot.",
            ),
            Wrong(
                CountsInEverySlot,
                "It adds to every worker's slot. Then the sum is too large, and two workers may "
                "write "
                "into one slot at the same time, where one of them is lost. Write into "
                "`steps[self.rank]` only.",
            ),
            Wrong(
                CountsInTheFirstSlot,
                "It counts in slot 0, and so would all others, at the same time: some would be "
                "lost. "
                "Each worker writes into its own, `steps[self.rank]`.",
            ),
            Wrong(
                NeverCounts,
                "It does not count its steps. Nobody would know when the budget is used up, and "
                "the "
                "learning rate would stay where it is.",
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
    ),
    Exercise(
        id="5.3",
        title="bug hunt: gradients that pile up",
        reference=hand_over,
        start=hand_over_with_a_bug,
        cases=_hand_over_cases,
        wrong=(
            Wrong(
                hand_over_with_a_bug,
                "They still pile up: the true gradients 1, 2, 3, 4, 5 arrive as 1, 3, 6, 10, 15. "
                "`optimizer.zero_grad()` clears the gradients of its own parameters, the shared "
                "ones. "
                "Who clears the local ones?",
            ),
            Wrong(
                local_cleared_in_the_place_of_shared,
                "Now the first gradient arrives again and again: 1, 1, 1, 1, 1. The shared "
                "parameter keeps the tensor it was given first, the `if` sees it and stops, and "
                "the "
                "local one has a new tensor each time. The shared side must be cleared as well, or "
                "the `if` has to go.",
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
                cleared_before_it_is_handed_over,
                "The gradient is thrown away before it is handed over: the optimizer finds none, "
                "and "
                "does nothing. Clear before `backward()`, or after the step.",
            ),
            Wrong(
                zeroed_before_it_is_used,
                "You fill the local gradient with zeros, and the shared one is the same tensor: "
                "the "
                "optimizer sees zeros. Clear it after the step, or hand over a copy.",
            ),
            Wrong(
                only_the_first_is_handed_over,
                "Only the first parameter gets its gradient: the loop ends after it.",
            ),
            Wrong(
                added_to_what_is_there,
                "The gradients are fresh, and then added to what the shared parameters still hold. "
                "Put them there, in the place of the old ones.",
            ),
            Wrong(
                copied_into_nothing,
                "`theirs.grad` is None, so there is nothing into which `copy_` could write. Give "
                "it a "
                "tensor: `theirs.grad = …`.",
            ),
            Wrong(
                parameters_handed_over_too,
                "The gradient arrives, but the worker's parameters are put over the shared ones as "
                "well: what others have changed since it copied them is gone. Hand over the "
                "gradient "
                "alone.",
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
    ),
    Exercise(
        id="5.4",
        title="who is overwritten",
        reference=replay,
        cases=_replay_cases,
        wrong=(
            Wrong(
                nothing_is_ever_lost,
                "Here every change survives, whatever the order. But a "
                "worker puts back what it *read*, plus its change; what others wrote in between is "
                "gone.",
            ),
            Wrong(
                one_note_for_all,
                "There is one note for all workers here. Each has its own: what it read itself.",
            ),
            Wrong(
                read_only_once,
                "A worker notes θ at its first reading and never again. Each reading replaces the "
                "note.",
            ),
            Wrong(
                changed_while_reading,
                "θ changes here when a worker reads. Reading leaves θ alone; it changes when "
                "a worker writes.",
            ),
            Wrong(
                the_change_alone_is_written,
                "The change alone is put in the place of θ. It is written on top of what the "
                "worker "
                "read.",
            ),
            Wrong(
                everybody_reads_the_first_value,
                "Everybody reads the θ of the beginning here. A reading gives θ as it stands then.",
            ),
            Wrong(
                written_without_the_change,
                "What was read is written back as it was. The worker's change is added to it "
                "first.",
            ),
        ),
        hints=(
            "Keep a note for each worker: a dict from its name to what it read.",
            'At "reads": noted[worker] = theta. At "writes": theta = … of that worker\'s note.',
            "theta = noted[worker] + changes[worker]",
        ),
    ),
)
