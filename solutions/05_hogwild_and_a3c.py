# %% [markdown]
# # 05  Hogwild and A3C
#
# **You need** chapters 00 to 03: actor, critic, n-step returns and the loss with its bonus. Chapter 04 is not needed.<br>
# **You will be able to** let several agents learn into one set of parameters at the same time, in one process and in many, and train CartPole with them; see that old gradients can cost something; say what a missing lock costs; and find the bug that the best-known A3C programs have had since PyTorch 2.<br>
# **Time** {time}; the computer works for two minutes.
#
# So far one agent has lived in one world on one core. *What if several of them learned at once, each in a world of its own, all into the same parameters, and none waited for another?*

# %%
import time
from collections import Counter, deque
from copy import deepcopy
from functools import partial
from itertools import cycle, permutations
from multiprocessing import get_context
from typing import NamedTuple

import gymnasium as gym
import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import Tensor, nn

from a3c_lib import (
    ActorCritic,
    a2c_loss,
    a3c,
    collect,
    evaluate,
    greedy,
    make_envs,
    n_step_returns,
    optim,
    sampled,
    start,
)
from a3c_lib.actor_critic import look_back
from a3c_lib.app import records
from a3c_lib.exercises import exercise, hint, progress, solution, whose
from a3c_lib.exercises.hogwild import hand_over_with_a_bug
from a3c_lib.figures import diagrams, plots
from a3c_lib.figures.animation import animate
from a3c_lib.figures.watching import play
from a3c_lib.playing import Player
from a3c_lib.training import clip_gradients, seeds
from a3c_lib.workers import Team

plt.style.use(plots.STYLE)

# %% [markdown]
# ## Time on one core
#
# The agent of chapters 00 to 04 plays, then it computes, then it plays again, all on one core. Most machines have several. The others stand idle, and nothing in the agent's code would know what to do with them.
#
# This chapter gives each core an agent of its own, a [**worker**](../docs/glossary.md#worker), also called an actor-learner. All workers change the same parameters θ:

# %% tags=["hide-input"]
diagrams.workers(3)

# %% [markdown]
# Read it from below. Each worker has an environment of its own. It acts there with θ′ (say "theta prime"), a copy of the parameters that it has read from above. Its rollout gives a gradient, and with that it changes the shared θ. Beside θ two more things are shared: $g$, which belongs to the optimiser, and $T$, the count of all steps. Nobody waits for anybody, and nobody asks for permission.
#
# This way of sharing is called [**Hogwild!**](../docs/glossary.md#hogwild), after [a paper of 2011](../docs/bibliography.md#before-it) that showed when it works. Two questions come with it, and the chapter keeps them apart:
#
# - Between a worker's reading of θ and its change, others have changed θ. *Is an old gradient any good?* We look at that with workers that take turns in one process, where everything can be repeated bit for bit.
# - Two workers may change θ at the same instant. *What is lost?* We answer that with real processes.
#
# ## Algorithm S3, line by line
#
# [The paper](../docs/bibliography.md#the-paper) has a listing of what each worker does, Algorithm S3. Here it is in our words, beside the code of this chapter:
#
# | Algorithm S3 | here |
# |---|---|
# | *for each worker, until* $T > T_{max}$ | `while shared.steps.sum() < total_steps` |
# | set the gradients to 0 | not needed: `torch.autograd.grad` gives new ones |
# | $\theta' \leftarrow \theta$, $\theta_v' \leftarrow \theta_v$ | `Worker.begin`, exercise 5.2. Policy and critic share their torso, so one set of weights, θ, is both |
# | act with $\pi(a \mid s; \theta')$ until the episode ends or $t_{max}$ steps are made, and count the steps in $T$ | `player.act`. Our rollouts go on through an end, and their steps are counted together, afterwards |
# | $R \leftarrow 0$ where the world has ended, else $V(s; \theta_v')$ | `n_step_returns`, chapter 02 |
# | backwards through the rollout: $R \leftarrow r_i + \gamma R$ | the same |
# | add up the gradient of $\log \pi(a_i \mid s_i; \theta')\,(R - V)$, and that of $(R - V)^2$ | `player.gradients`: `a2c_loss`, chapter 03, and one gradient of its mean |
# | change **the shared** θ by it, asynchronously | `rmsprop_step`, exercise 5.1, in `Worker.finish`, exercise 5.2 |
#
# The listing has no entropy bonus; the paper's text adds it. (A letter has two meanings: in this chapter $T$ is the count of all steps, as in the listing, and not a rollout's length.)
#
# What a worker does between two changes is from chapters 00 to 03. Here it is in a small class. Four helpers come from the package: a `Player` plays on from rollout to rollout, with its environments, the random numbers for its actions, and the place where the last rollout stopped; `look_back` gives the logits, the values and $V(o_{t+1})$ of a rollout; `clip_gradients` scales a long gradient down, as `max_grad_norm` did in chapter 01; and `seeds` gives each player seeds of its own.

# %%
CARTPOLE = "CartPole-v1"
GAMMA = 0.99
LOSS = partial(a2c_loss, value_weight=0.05, entropy_weight=0.001)  # more on both below
T_MAX = 5  # steps of a rollout, as in the paper


def new_model(seed: int) -> ActorCritic:
    return ActorCritic.for_env(gym.make(CARTPOLE), seed=seed)


def loss_of(model, rollout):
    """Chapter 03's loss of a rollout, with n-step returns."""
    logits, values, next_values = look_back(model, rollout)
    ends = rollout.terminated, rollout.truncated
    returns = n_step_returns(rollout.rewards, next_values, *ends, GAMMA)
    return LOSS(logits, values, rollout.actions, returns)


class CartPolePlayer(Player):
    """Acts in an environment of its own, and says what a rollout teaches."""

    def __init__(self, rank: int, seed: int, t_max: int) -> None:
        # rank: the player's number; None: its model has no memory
        super().__init__(make_envs(CARTPOLE), seeds(seed, 0, rank), None)
        self.t_max = t_max
        self.returns = []  # of the episodes that have ended

    def act(self, model):
        """A rollout of t_max steps, from where the last one stopped."""
        rollout = self.play(sampled(model, self.generator), self.t_max).rollout
        self.returns += [episode.episode_return for episode in rollout.episodes]
        return rollout

    def gradients(self, model, rollout):
        """d loss / d parameters, as values, clipped to a norm of at most 0.5."""
        total = loss_of(model, rollout).total
        gradients = torch.autograd.grad(total, list(model.parameters()))
        return clip_gradients(gradients, max_norm=0.5)[0]


def flat(tensors):
    """All numbers of several tensors, in one long row."""
    return torch.cat([tensor.detach().flatten() for tensor in tensors])


# %% [markdown]
# What is new is the change of the shared θ. First the step itself.
#
# ## RMSProp, shared
#
# The gradients of different weights have very different sizes. [**RMSProp**](../docs/glossary.md#rmsprop) keeps, for every single weight, a moving average $g$ of its squared gradient, and divides by the root. With numbers, for one weight: $\alpha = 0.99$, $\epsilon = 0.1$, $\eta = 0.1$, and $g = 0$. The first gradient is 2. Of its square, 4, one hundredth comes in: $g = 0.04$. The step is $0.1 \cdot 2 / \sqrt{0.04 + 0.1} = 0.53452$. As a formula, element by element:
#
# $$g \leftarrow \alpha g + (1 - \alpha)\, \Delta\theta^2, \qquad \theta \leftarrow \theta - \eta\, \frac{\Delta\theta}{\sqrt{g + \epsilon}}.$$
#
# $\Delta\theta$ is the gradient. The paper's $\alpha$ is 0.99, our `decay`. $\epsilon$ keeps the step finite where $g$ is 0. It stands *inside* the root; torch's `RMSprop` has it outside. The paper does not print its value.
# Others report that an author named 0.1 in a mail ([thread](https://github.com/miyosuda/async_deep_reinforce/issues/1)); we take 0.00001, which is OpenAI's A2C's.
#
# Where does $g$ live? Each worker could keep its own. The paper lets all workers share one $g$, as they share θ; of three variants, it found this one the most robust. A worker then knows what the others' gradients were like.
#
# *On paper:* in the example, another worker comes next, with a gradient of 1:
# $g = 0.99 \cdot 0.04 + 0.01 = 0.0496$, and its step is $0.1 / \sqrt{0.1496} = 0.25854$. With a $g$ of its own it would have been $0.1 / \sqrt{0.11} = 0.30151$.
#
# ### Exercise 5.1  Shared RMSProp
#
# Write the step. θ, $g$ and the gradients are lists of tensors, one for each weight matrix and bias. Other workers look at the memory of θ and $g$, so **neither may get a new tensor**: `x = x - 1` gives the name `x` to a new tensor, and
# nobody else ever hears of it; `x -= 1` and `x.sub_(1)` write into the one that is there. (What you compute on the way may be new tensors. The gradients stay as they are. No tensor here requires a gradient, so you need no `torch.no_grad()`.)


# %% tags=["nbval-check-output"]
@exercise("5.1")
def rmsprop_step(
    theta: list[Tensor],
    g: list[Tensor],
    gradients: list[Tensor],
    learning_rate: float,
    decay: float = 0.99,
    epsilon: float = 1e-5,
) -> None:
    """g ← αg + (1 − α)Δθ²,   θ ← θ − η Δθ / √(g + ε),   both in place."""
    ### BEGIN SOLUTION
    for parameter, statistic, gradient in zip(theta, g, gradients, strict=True):
        statistic.mul_(decay).add_((1 - decay) * gradient**2)
        parameter.sub_(learning_rate * gradient / (statistic + epsilon).sqrt())
    ### END SOLUTION


# %% [markdown]
# The numbers from above; and the other place for ε.

# %% tags=["nbval-check-output"]
theta, g = [torch.zeros(1)], [torch.zeros(1)]
for worker, gradient in {"A": 2.0, "B": 1.0}.items():
    before = theta[0].item()
    rmsprop_step(theta, g, [torch.tensor([gradient])], learning_rate=0.1, epsilon=0.1)
    print(f"{worker}: gradient {gradient}, step {before - theta[0].item():.5f}")

outside = 0.1 * 2 / (0.04**0.5 + 0.1)
print(f"A, with ε outside the root: {outside:.5f}")
assert abs(theta[0].item() + 0.53452 + 0.25854) < 1e-4

# %% [markdown]
# The package has this step as `optim.RMSProp`. Beside it are the two variants with which the paper compares it: a $g$ for each worker, and **momentum**, whose step is a moving average of the gradients themselves. And there is one that the paper does not
# have, but many programs share among workers: **Adam**, which uses both averages, of the gradients and of their squares. Here is how far A and B step with each, for the same two gradients.

# %% tags=["nbval-check-output"]
kinds = {
    "RMSProp, shared g": partial(optim.RMSProp, epsilon=0.1),
    "RMSProp, own g": partial(optim.RMSProp, epsilon=0.1),
    "momentum, shared": optim.Momentum,
    "Adam, shared": optim.Adam,
}
print("                     A: gradient 2   B: gradient 1")
for name, kind in kinds.items():
    theta, lengths = torch.zeros(1), []
    optimizers = [kind([theta])] * 2 if "shared" in name else [kind([theta]), kind([theta])]
    for optimizer, gradient in zip(optimizers, (2.0, 1.0), strict=True):
        before = theta.item()
        optimizer.step([torch.tensor([gradient])], learning_rate=0.1)
        lengths.append(before - theta.item())
    print(f"{name:20} {lengths[0]:13.5f} {lengths[1]:15.5f}")
    if name == "RMSProp, own g":
        assert abs(lengths[1] - 0.30151) < 1e-4

# %% [markdown]
# The averages begin at 0. Therefore momentum's first steps are short: 0.01 of the gradient has come in. Adam makes up for that, for both averages, so its first step is η, whatever the gradient. All of them are one word in A3C's configuration, and you can try
# them at the end of the chapter.
#
# RMSProp does not make up for it: $g$ needs some hundred gradients to fill. At the very first step it is $0.01\,\Delta\theta^2$, so the step is
#
# $$\eta\, \frac{\Delta\theta}{\sqrt{0.01\,\Delta\theta^2 + \epsilon}}.$$
#
# There are two cases. If the gradient is much larger than $10\sqrt\epsilon$, which is 0.03 here, the step is $10\,\eta$, whatever the gradient is, and ten times as long as later steps. If the gradient is much smaller, ε decides: the step is $\Delta\theta\, \eta / \sqrt\epsilon$, and RMSProp is plain gradient descent with a rate of $316\,\eta$.

# %% tags=["hide-input"]
ax = plots.axes(height=2.6)
first_and_last = {}
for size, colour, form in (0.5, plots.BLUE, "-"), (0.002, plots.RED, "--"):
    theta, g, steps = [torch.zeros(1)], [torch.zeros(1)], []
    for _ in range(400):
        before = theta[0].item()
        rmsprop_step(theta, g, [torch.tensor([size])], learning_rate=0.01)
        steps.append((before - theta[0].item()) / 0.01)
    ax.plot(range(1, 401), steps, form, color=colour, label=f"gradient {size}")
    first_and_last[size] = steps[0], steps[-1]
ax.axhline(1, color=plots.GREY, linewidth=1)
ax.set(
    xlabel="update",
    ylabel="step, in units of η",
    yscale="log",
    yticks=[0.5, 1, 3, 10],
    yticklabels=[0.5, 1, 3, 10],
)
ax.set_title("Constant gradients: the first step of a large one is long")
ax.legend()
plt.show()
assert 9 < first_and_last[0.5][0] < 10.1
assert 0.99 < first_and_last[0.5][1] < 1.05
assert first_and_last[0.002][0] < 0.7

# %% [markdown]
# Which case is ours? A gradient here has 4675 numbers, and a norm of 0.5 at most. **Predict:** of the weights of a new network, how many move by more than $9\,\eta$ in the first step, and how many by less than one η? One player makes a hundred updates.


# %% tags=["prediction"]
def moves(seed, updates, learning_rate):
    """How far each weight moves in each update, in units of η.   → (updates, weights)"""
    model, player = new_model(seed), CartPolePlayer(0, seed, T_MAX)
    theta = list(model.parameters())
    g, rows = [torch.zeros_like(each) for each in theta], []
    for _ in range(updates):
        gradients, before = player.gradients(model, player.act(model)), flat(theta)
        with torch.no_grad():
            rmsprop_step(theta, g, gradients, learning_rate)
        rows.append((flat(theta) - before).abs() / learning_rate)
    return torch.stack(rows)


print("      of the weights, in the first step      all weights together, length of the step")
print("seed   less than 1 η   more than 9 η           update 1   mean of updates 91 to 100")
found = []
for seed in range(3):
    moved = moves(seed, updates=100, learning_rate=0.003)
    little, much = (moved[0] < 1).double().mean(), (moved[0] > 9).double().mean()
    lengths = moved.norm(dim=1)
    first, later = lengths[0], lengths[90:].mean()
    found.append((little, much, first, later))
    print(f"{seed:4} {little:15.1%} {much:15.1%} {first:16.0f} η {later:19.0f} η")
for little, much, first, later in found:
    assert much < 0.02
    assert little > 0.4
    assert first > 1.3 * later

# %% [markdown]
# Nearly no weight makes the step of $10\,\eta$, and more than half of them move by less than one η. For those $g$ is far smaller than ε, and ε sets the pace. So ε is a setting like any other: whether it is small depends on the size of the gradients. All weights together make a first step that is longer than those of updates 91 to 100. A learning rate that is right for the rest of a run can be too large for its beginning.

# %% [markdown]
# ## The worker
#
# What all workers see are three things: θ, $g$, and the count of steps. The count has **a slot for each worker**, into which it alone writes; $T$ is the sum over the slots. So it stays exact, without a lock. (Further down you will see what
# can happen to a counter that several increase.)


# %%
class Shared(NamedTuple):
    """What all workers see."""

    theta: list[Tensor]  # θ
    g: list[Tensor]  # RMSProp's moving averages
    steps: Tensor  # (W,) environment steps: a slot for each worker


def new_shared(model: nn.Module, workers: int) -> Shared:
    theta = [parameter.detach().clone() for parameter in model.parameters()]
    g = [torch.zeros_like(each) for each in theta]
    return Shared(theta, g, torch.zeros(workers, dtype=torch.int64))


# %% [markdown]
# ### Exercise 5.2  The worker
#
# Write the two halves of its loop. They are two methods because of what may happen in between: that is when the others work.
#
# - `begin` copies the numbers of θ into `self.model` (under `torch.no_grad()`, since its parameters require gradients), lets `self.player.act(self.model)` make a rollout, and keeps it in `self.rollout`, where later cells look for it.
# - `finish` asks `self.player.gradients(self.model, self.rollout)` for the gradient, computes the learning rate, makes the step in the *shared* parameters with your `rmsprop_step`, and counts the rollout's steps in its own slot (`self.rollout.rewards` has an entry
#   for each step of each environment; `rewards.numel()` counts them).
#
# The learning rate comes down to 0, linearly in the steps of all workers together: $\eta \cdot (1 - T / T_{max})$, with $T$ as it stands in `finish`, before this rollout is counted. $T_{max}$ is our `total_steps`. Rollouts that are under way when the budget runs out are
# finished, so $T$ may be a little more than that at the end; a learning rate must not be negative. (Where it is 0, θ stays, and $g$ takes the gradient in all the same.)


# %% tags=["nbval-check-output"]
@exercise("5.2")
class Worker:
    """An actor-learner: the loop of Algorithm S3, in two halves."""

    def __init__(self, rank, shared, model, player, learning_rate, total_steps) -> None:
        self.rank, self.shared = rank, shared
        self.model, self.player = model, player  # the model holds θ′, this worker's own copy of θ
        self.learning_rate, self.total_steps = learning_rate, total_steps

    def begin(self) -> None:
        """θ′ ← θ, and act with θ′: a rollout."""
        ### BEGIN SOLUTION
        with torch.no_grad():
            for mine, theirs in zip(self.model.parameters(), self.shared.theta, strict=True):
                mine.copy_(theirs)
        self.rollout = self.player.act(self.model)
        ### END SOLUTION

    def finish(self) -> None:
        """The rollout's gradient at θ′; change θ and g by it; count the rollout's steps."""
        ### BEGIN SOLUTION
        gradients = self.player.gradients(self.model, self.rollout)
        T = int(self.shared.steps.sum())
        rate = self.learning_rate * max(0, 1 - T / self.total_steps)
        rmsprop_step(self.shared.theta, self.shared.g, gradients, rate)
        self.shared.steps[self.rank] += self.rollout.rewards.numel()
        ### END SOLUTION


# %% [markdown]
# ## A written schedule
#
# Two workers, A and B. A race between them would come out differently each time, and would prove nothing. So we write down who does what, and when: *A begins, B begins, A finishes, B finishes.* B's gradient is old by the time it is
# applied, for A has changed θ in the meantime.
#
# **Predict:** what is in θ at the end? Only B's change, or both?

# %% tags=["prediction"]
model = new_model(seed=0)
shared = new_shared(model, workers=2)
a, b = (
    Worker(
        rank, shared, deepcopy(model), CartPolePlayer(rank, 0, t_max=5), 0.01, total_steps=10_000
    )
    for rank in range(2)
)
a.begin()
b.begin()
gradients = [worker.player.gradients(worker.model, worker.rollout) for worker in (a, b)]
a.finish()
b.finish()

both = new_shared(model, workers=2)  # for comparison, by hand: A's step, then B's
for gradient, T in zip(gradients, (0, 5), strict=True):
    rmsprop_step(both.theta, both.g, gradient, 0.01 * (1 - T / 10_000))
missing = max((x - y).abs().max().item() for x, y in zip(shared.theta, both.theta, strict=True))
print(f"steps counted: {shared.steps.tolist()}")
print(f"largest difference from A's step and B's made by hand: {missing:.0e}")
assert missing < 1e-5
assert shared.steps.tolist() == [5, 5]

# %% [markdown]
# Both. An old gradient overwrites nothing, because a worker does not *put* parameters there; it *adds a change* to whatever stands there. But the change was meant for slightly
# different parameters; what that costs comes below.
#
# How late a change comes is called its [**policy lag**](../docs/glossary.md#policy-lag): the number of updates that others have made between a worker's reading of θ and its own change. Above, A's was 0 and B's was 1.
#
# ## Workers in turn
#
# Now the simulation: $W$ workers in one process. All of them begin. Then one finishes and begins anew, then the next one does, and so on. Between a worker's beginning and its finishing, each of the others finishes once. So every gradient, but for those of the first
# round, has a policy lag of $W - 1$. And a run can be repeated bit for bit.


# %%
def in_turn(workers):
    """Let workers finish and begin one after another, for ever."""
    for worker in workers:
        worker.begin()
    for worker in cycle(workers):
        worker.finish()
        yield worker
        worker.begin()


def team(workers, shared, model, seed, t_max, learning_rate, total_steps):
    players = [CartPolePlayer(rank, seed, t_max) for rank in range(workers)]
    return [
        Worker(rank, shared, deepcopy(model), player, learning_rate, total_steps)
        for rank, player in enumerate(players)
    ]


# %% [markdown]
# The package does the same. Its `a3c.train` takes the model, the environment and a `Config`, in which `schedule="round-robin"` means in turn. Is *your* worker the package's? Three workers, 60 updates:

# %%
model = new_model(seed=1)
shared = new_shared(model, workers=3)
config = a3c.Config(
    total_steps=300,
    t_max=5,
    num_workers=3,
    schedule="round-robin",
    learning_rate=0.01,
    value_weight=0.05,
    entropy_weight=0.001,
    seed=1,
)
print(f"Training with {whose(Worker, rmsprop_step)}.")
for _ in in_turn(team(3, shared, model, 1, config.t_max, config.learning_rate, config.total_steps)):
    if shared.steps.sum() >= config.total_steps:
        break

with a3c.train(model, CARTPOLE, config) as training:
    lags = [update.policy_lag for update in training]
pairs = zip(shared.theta, model.parameters(), strict=True)
difference = max((mine - theirs).abs().max().item() for mine, theirs in pairs)
print(f"largest difference of a weight after {len(lags)} updates: {difference:.1e}")
print(f"policy lag of the first updates: {lags[:6]}")
assert difference < 1e-3
assert lags[:6] == [0, 1, 2, 2, 2, 2]

# %% [markdown]
# The same numbers, but for rounding: the package multiplies and divides in another order. From here on, what the package's A3C does is what you wrote.
#
# ## Is an old gradient any good?
#
# With $W$ workers in turn a gradient is $W - 1$ updates old. But $W$ workers differ from one in more than that: they also bring data from $W$ worlds. To see what the age does, only the age may change. So take *one* worker, which always acts with the newest θ and takes its gradient there. Its player does not hand this gradient out at once, but puts it at the end of a queue, and hands out the one that has waited for $k$ updates. (In the beginning none has, and it hands out zeros, which change nothing.) With $k = 0$ this is A3C with one worker.


# %%
class LatePlayer(CartPolePlayer):
    """Hands each gradient out `age` updates after it was computed."""

    def __init__(self, age, seed, t_max):
        super().__init__(0, seed, t_max)
        self.waiting = deque([None] * age)

    def gradients(self, model, rollout):
        self.waiting.append(super().gradients(model, rollout))
        late = self.waiting.popleft()
        return late or [torch.zeros_like(each) for each in model.parameters()]


def learn_late(age, learning_rate, total_steps):
    """One worker, whose gradients are late.   → the returns of its episodes"""
    model, player = new_model(seed=0), LatePlayer(age, seed=0, t_max=20)
    shared = new_shared(model, workers=1)
    worker = Worker(0, shared, model, player, learning_rate, total_steps)
    while shared.steps.sum() < total_steps:
        worker.begin()
        worker.finish()
    return player.returns


print(f"Training with {whose(Worker, rmsprop_step)}.")
for age in 0, 15:
    returns = learn_late(age, learning_rate=0.01, total_steps=12_000)
    print(f"k = {age:<3} mean of the last 20 episodes: {np.mean(returns[-20:]):.0f}")

# %% [markdown]
# That was one seed, which says little. How much an old gradient is off depends on how far θ has moved in the meantime, so on the learning rate. **Write down a guess:** for which learning rates does $k = 15$ do harm? Here are $k = 0, 1, 3, 7, 15$ and three learning rates, ten seeds each, on record. The worker has four environments and rollouts of five steps.

# %% tags=["hide-input"]
old = records.load("old_gradients")
print(old)
HERE = {"world": CARTPOLE, "model": model, "targets": n_step_returns, "loss": LOSS}
print(old.settings(training=config, **HERE))

# %% tags=["prediction"]
at_the_end = old.select(steps=old.levels("steps")[-1])
delays, rates = old.levels("delay"), old.levels("learning_rate")
scores = {
    (rate, k): at_the_end.select(learning_rate=rate, delay=k).column("evaluated")
    for rate in rates
    for k in delays
}
median = {setting: float(np.median(of_seeds)) for setting, of_seeds in scores.items()}
broken = {setting: int((of_seeds < 10).sum()) for setting, of_seeds in scores.items()}
print("median of ten seeds, and how many of them end at 9 (the least):")
for rate in rates:
    each = "   ".join(f"k = {k}: {median[rate, k]:3.0f}, {broken[rate, k]}" for k in delays)
    print(f"η = {rate:<6g} {each}")

# %% tags=["hide-input", "prediction"]
panels = plots.axes(9, 3.0, columns=len(rates))
for ax, rate in zip(panels, rates, strict=True):
    for x, k in enumerate(delays):
        ax.plot([x] * len(scores[rate, k]), scores[rate, k], "o", color=plots.SKY, markersize=4)
    ax.plot([median[rate, k] for k in delays], "_-", color=plots.BLUE, markersize=14)
    ax.set(xticks=range(len(delays)), xticklabels=delays, ylim=(0, 520), xlabel="age k, in updates")
    ax.set_title(f"η = {rate:g}", loc="left")
panels[0].set(ylabel="mean return of 50 episodes")
title = "A dot a seed, the line their median: at η = 0.01 the oldest gradients cost returns"
panels[0].figure.suptitle(title, x=0.01, ha="left", fontweight="bold")
plt.show()
small = [median[0.003, k] for k in delays]
assert 110 < min(small) <= max(small) < 170
assert max(broken[0.003, k] for k in delays) == 0
assert min(median[0.01, k] for k in (0, 1, 3, 7)) > 480 > 400 > median[0.01, 15]
assert max(broken[0.03, k] for k in (0, 1, 3)) <= 5 < 7 <= min(broken[0.03, k] for k in (7, 15))

# %% [markdown]
# With η = 0.003 the age makes no difference that ten seeds would show: the medians lie between 115 and 168, in no order. (That rate is small for 30,000 steps.) With η = 0.01 half of the seeds or more reach 500, or nearly, up to an age of 7; at an age of 15 the median falls to 351. With η = 0.03 runs break even with new gradients, five of ten at $k = 0$; at an age of 7 it is eight of ten, and at 15 seven.
#
# An old gradient points where θ was. As long as θ has hardly moved since, that is nearly the same place, and the larger the steps, the sooner it is another one. In CartPole this begins to be seen at an age of 15 where new gradients do well, and at an age of 7 where the rate is too large anyway. Ten seeds do not show an effect that is small beside their spread, and this is one world and one network. Where larger delays are usual, each gradient is corrected for its age; that is the subject of [IMPALA](../docs/bibliography.md#after-it).

# %% [markdown]
# ## How alike successive gradients are
#
# Age is one thing that comes with many workers. Here is the other. An agent on CartPole leans to the left. In the next five steps it still leans to the left, and the five steps after that. What it learns from each of these rollouts is much the same, and when it has learned that three times over, it has
# perhaps forgotten what to do on the right. Workers in different places of their worlds **decorrelate** the updates. That is the reason which the paper gives for them.
#
# It can be measured. Below are 300 rollouts of five steps, with weights that stay as they are, so that nothing but the world changes. We look at the critic's part of the gradient. Two gradients that point the same way have a cosine of 1; two that have
# nothing to do with each other have one near 0. (What all gradients have in common, their mean, is taken away first: it is what the agent is to learn, and no fault.)
#
# **Predict before you run:** what happens to the cosine of two *successive* gradients if four workers take turns, each in a world of its own?


# %% tags=["prediction"]
def critics_gradient(player, model):
    """Of the value loss; 0 for the policy head, on which that loss does not depend."""
    loss, weights = loss_of(model, player.act(model)).value, list(model.parameters())
    return flat(torch.autograd.grad(loss, weights, materialize_grads=True, allow_unused=True))


def similarity(gradients, distance):
    """The mean cosine of gradients that are `distance` updates apart, their mean taken away."""
    centred = gradients - gradients.mean(dim=0)
    return torch.cosine_similarity(centred[:-distance], centred[distance:]).mean().item()


model = new_model(seed=0)
UPDATES = 300
successive = {}
for workers in 1, 4:
    players = [CartPolePlayer(rank, seed=0, t_max=T_MAX) for rank in range(workers)]
    turns = (players[k % workers] for k in range(UPDATES))
    gradients = torch.stack([critics_gradient(player, model) for player in turns])
    successive[workers] = similarity(gradients, distance=1)
    print(f"{workers} player(s): cosine of successive gradients {successive[workers]:+.2f}")
assert successive[1] > 0.2
assert abs(successive[4]) < 0.15

# %% [markdown]
# Ten seeds, on record, and for gradients further apart:

# %% tags=["hide-input", "prediction"]
correlation = records.load("gradient_correlation")
print(correlation)
print(correlation.settings(gamma=GAMMA, t_max=T_MAX, updates=UPDATES, **HERE))

panels = plots.axes(9, 3.0, columns=2)
for ax, part in zip(panels, ("critic", "actor"), strict=True):
    for workers, colour, form in (1, plots.BLUE, "o-"), (4, plots.RED, "s--"):
        these = correlation.select(workers=workers)
        distances = these.levels("distance")
        means = [these.select(distance=d).column(part).mean() for d in distances]
        ax.plot(
            distances, means, form, color=colour, label=f"{workers} worker{'s' * (workers > 1)}"
        )
    ax.axhline(0, color=plots.GREY, linewidth=1)
    ax.set(xlabel="updates apart", ylim=(-0.15, 0.55), xticks=range(1, 11))
panels[0].set(ylabel="cosine", title="Critic: successive gradients are alike")
panels[1].set(title="Actor: much less so")
panels[0].legend()
plt.show()

near = correlation.select(distance=1)
alone, four = (near.select(workers=w).column("critic") for w in (1, 4))
own_turn = correlation.select(workers=4, distance=4).column("critic")
actor = near.select(workers=1).column("actor")
print(f"critic, successive:        1 worker {alone.mean():.2f}, 4 workers {four.mean():.2f}")
print(f"critic, its next own turn: 1 worker {alone.mean():.2f}, 4 workers {own_turn.mean():.2f}")
print(f"actor, successive:         1 worker {actor.mean():.2f}")
assert alone.min() > 0.25
assert abs(four.mean()) < 0.08
assert own_turn.min() > 0.25
assert 0 < actor.mean() < 0.2

# %% [markdown]
# Two remarks on this:
#
# - With four workers, a gradient is like the one **four** updates later, when the same worker has its next turn. Each worker's stream is as correlated as before; the streams are shuffled into one another.
# - It is the critic's part. What the actor learns depends far more on how the coin fell than on where the cart stood.
#
# The agent with which the paper compares itself, [DQN](../docs/bibliography.md#before-it), shuffles its updates as well: it keeps a million old steps and draws from them at random. An actor-critic cannot do that, since its gradient is about the policy *as it is now*: it is [on-policy](../docs/glossary.md#on-policy). Several worlds at the same time are another way to the same end, and they keep the data fresh. (In the paper's other three methods, which learn $Q$, each worker also explores in its own way, with a rate of random actions of its own. They come in chapter 08.)

# %% [markdown]
# ### Both together
#
# Workers in turn have both: older gradients, and gradients less alike. Does it matter for what is learned? One worker, and eight that take turns, with the paper's rollouts of five steps; the same number of steps and of updates, the same settings, ten seeds, on record. **Write down what you expect.**

# %% tags=["prediction"]
turns = records.load("workers_in_turn")
print(turns)
print(turns.settings(gamma=GAMMA, t_max=T_MAX, **HERE))
last = turns.select(steps=turns.levels("steps")[-1])
print("mean of 100 episodes after 24,000 steps, seed by seed")
one, eight = (last.select(workers=workers).column("evaluated") for workers in (1, 8))
for workers, means in {1: one, 8: eight}.items():
    each = " ".join(f"{mean:4.0f}" for mean in means)
    print(f"{workers} worker(s) {each}   median {np.median(means):.0f}")
ahead = (one[:, None] > eight).sum()
print(f"each seed of the one beside each of the eight: the one is ahead in {ahead} of 100 pairs")

# %% tags=["hide-input", "prediction"]
plots.learning_curves(
    {
        f"{workers} worker{'s' * (workers > 1)}": turns.select(workers=workers).curves(
            "steps", "episode_return"
        )
        for workers in turns.levels("workers")
    },
    each_seed=True,
    title="One worker, or eight in turn: no difference to be seen",
)
plt.show()
assert 30 < ahead < 70
assert max(one.min(), eight.min()) < 75 < 400 < min(one.max(), eight.max())

# %% [markdown]
# No difference to be seen. The medians are 133 and 157. The seeds of one worker lie between 56 and 433, those of eight between 70 and 500. Ten seeds would not show a gain or a loss that is small beside this spread. If one of the two effects helps and the other harms, they could also make up for each other here: this record cannot tell.
#
# So at equal steps we saw no difference. What several workers save is *time*, and for that they have to run at the same time. Before we come to it, a look at how other programs hand their gradients over.

# %% [markdown]
# ## The hand-over
#
# You handed gradients over as *values*: `torch.autograd.grad` returned them, and the step took them. Most programs go another way. They call `loss.backward()`, which leaves the gradient in `.grad` of the worker's parameters, and an optimizer which
# looks into `.grad` of the shared ones. Somebody has to connect the two. The best-known A3C programs in PyTorch do it with an idiom of four lines: make `.grad` of the shared parameter *the same tensor* as `.grad` of the local one, once.
# Here it is, in the middle of an update. The optimizer has the shared parameters.
#
# ```python
# optimizer.zero_grad()
# loss.backward()
# for mine, theirs in zip(local, shared):
#     if theirs.grad is not None:
#         break  # the two are one tensor already
#     theirs.grad = mine.grad
# optimizer.step()
# ```
#
# It was right when it was written, before PyTorch 2. **Predict before you run:** the true gradients are 1, 2, 3, 4, 5. Is that what arrives at the optimizer?

# %% tags=["nbval-check-output", "prediction"]
local, shared_one = (nn.Parameter(torch.zeros(1)) for _ in range(2))
optimizer = torch.optim.SGD([shared_one], lr=0.1)

arrived = []
for gradient in 1.0, 2.0, 3.0, 4.0, 5.0:
    hand_over_with_a_bug([local], [shared_one], optimizer, loss=gradient * local.sum())
    arrived.append(shared_one.grad.item())
print("arrives:", arrived)
assert arrived == [1, 3, 6, 10, 15]

# %% [markdown]
# No error, no warning. Each update contains all gradients since the beginning of the run. (In other arrangements of the same lines, 1, 1, 1, 1, 1 arrives: the first gradient, for ever.)
#
# ### Exercise 5.3  Bug hunt: gradients that pile up
#
# Here it is as a function. It runs, and is wrong. **Find the fault and mend it.** What helps: after each line look at `.grad` of a local and of its shared parameter, and ask whether the two are one tensor (`is`). The function should also work for several workers that take turns in one process, as ours do.
#
# (What stands in `.grad` of the local parameters before a call, and after it, is your affair: nobody else looks there. Every parameter gets a gradient from the loss.)


# %% tags=["nbval-check-output"]
@exercise("5.3")
def hand_over(local, shared, optimizer, loss) -> None:
    """One step of `optimizer`, whose parameters are `shared`, with the gradient of `loss` in
    `local`."""
    gradients = torch.autograd.grad(loss, list(local))
    for theirs, gradient in zip(shared, gradients, strict=True):
        theirs.grad = gradient
    optimizer.step()
    optimizer.zero_grad()


# %% [markdown]
# (What follows gives the answer away.) While the two gradients are one tensor, a `zero_grad()` that fills it with zeros clears both at a stroke. So it was until PyTorch 2. Since then `zero_grad()` does not fill a gradient with zeros; it sets it to None, and it does that for the shared parameter alone. The local one keeps its gradient, and `backward()` adds to what is there.
#
# What does such a fault do to a run? Two workers in turn learn CartPole. `HandingOver` is your worker with another `finish`, which leaves the step to a hand-over. It compares the gradient that arrives with the gradient of the worker's own rollout: first with the idiom as it stands in those programs, then with the hand-over that you mended. (The code is folded away. It is long for what it says, and you can do without.)


# %% tags=["hide-input"]
class Noting(torch.optim.RMSprop):
    """Notes the gradient with which it takes a step."""

    def step(self, closure=None):
        self.got = flat(parameter.grad for parameter in self.param_groups[0]["params"])
        return super().step(closure)


# torch has its ε outside the root, √g + ε: so this is the root of our 0.00001.
RMSPROP = {"lr": 0.003, "alpha": 0.99, "eps": 0.003}
LONGER = 20  # steps a rollout


class HandingOver(Worker):
    """A worker that uses `.grad` and one of torch's optimizers."""

    def finish(self):
        mine = list(self.model.parameters())
        loss = loss_of(self.model, self.rollout).total
        own = flat(torch.autograd.grad(loss, mine, retain_graph=True))
        self.hand_over(mine, self.shared.theta, self.optimizer, loss)
        self.cosine = torch.cosine_similarity(own, self.optimizer.got, dim=0).item()


def cosines_with(hand_over, updates):
    model = new_model(seed=0)
    theta = [nn.Parameter(parameter.detach().clone()) for parameter in model.parameters()]
    shared = Shared(theta, g=[], steps=torch.zeros(2))  # torch's optimizer has its own g
    workers = [
        HandingOver(rank, shared, deepcopy(model), CartPolePlayer(rank, 0, LONGER), None, None)
        for rank in range(2)
    ]  # None: the optimizer has the learning rate, and it stays as it is
    optimizer = Noting(theta, **RMSPROP)
    for worker in workers:
        worker.optimizer, worker.hand_over = optimizer, hand_over
    return [worker.cosine for worker, _ in zip(in_turn(workers), range(updates), strict=False)]


print(f"Training with {whose(hand_over)}.")
cosines = {}
for name, way in {"as published": hand_over_with_a_bug, "mended": hand_over}.items():
    cosines[name] = cosines_with(way, updates=200)
    mean = np.mean(cosines[name])
    print(f"{name:13} cosine of what arrives and what was meant: {mean:.2f}")
assert np.mean(cosines["as published"]) < 0.8
assert min(cosines["mended"]) > 0.999

# %% [markdown]
# And what was learned, ten seeds of each, on record:

# %% tags=["hide-input"]
piled = records.load("hand_over")
print(piled)
print(piled.settings(gamma=GAMMA, t_max=LONGER, optimizer=partial(Noting, **RMSPROP), **HERE))
plots.learning_curves(
    {
        name: piled.select(gradients=name).curves("steps", "episode_return")
        for name in ("fresh", "piling up")
    },
    each_seed=True,
    title="Where gradients pile up, most seeds fail, and a few do not",
)
plt.show()
ends = {name: piled.select(gradients=name, steps=40_000) for name in ("piling up", "fresh")}
print("            mean of the latest 50 episodes at the end, seed by seed   cosine, second half")
for name, end in ends.items():
    scores = end.column("episode_return")
    late = [row["alignment"] for row in piled.select(gradients=name).rows if row["steps"] > 20_000]
    print(f"{name:10}", " ".join(f"{x:5.0f}" for x in scores), f"{np.mean(late):10.2f}")
    if name == "piling up":
        best = scores.max()
        assert (scores < 30).sum() == 7
        assert abs(np.mean(late)) < 0.3
healthy = ends["fresh"].column("episode_return")
print(f"healthy runs that the best of the others has overtaken: {(healthy < best).sum()} of 10")
assert healthy.min() > 150
assert (healthy < best).sum() == 3

# %% [markdown]
# With fresh gradients all ten seeds learn. Where they pile up, what arrives in the second half of the run has next to nothing to do with what was meant, and seven seeds end at 30 or less. (An untaught agent gets about 20.) But look at the best one: **it ends above three of the ten healthy runs.** So a program with this fault passes for one that "is a bit
# unstable", and somebody turns the learning rate down. Look at gradients, not at returns.

# %% [markdown]
# ## Real processes
#
# Workers in turn save no time: to make as many steps, four take as long as one. To gain time they have to run at the same time, and in Python that means processes: of several threads, only one at a time runs Python code. Your `Worker` needs no change for that. What is needed around it:
#
# - **Shared memory.** θ, $g$ and the counts are moved there, with `share_memory_()`. All processes then see the same numbers. That is why 5.1 had to write in place.
# - **Everything else is a copy.** Each process imports what it needs and gets its own worker, with its own model θ′, its own environment and its own seed. (Two workers with the same seed would live the same life twice.)
# - **A pipe for each worker**, on which it reports what it has done.
#
# First, what one process does. `link` is its end of the pipe: `link.rank` is the worker's number, `link.wait_for_all()` waits until all have started, `link.send(...)` reports, and `link.stopped` says that it is time to end.


# %%
def work(link, shared, model, seed, t_max, learning_rate, total_steps):
    """What one process does."""
    shared = Shared(*shared)
    player = CartPolePlayer(link.rank, seed, t_max)
    worker = Worker(link.rank, shared, model, player, learning_rate, total_steps)
    link.wait_for_all()
    while shared.steps.sum() < total_steps and not link.stopped:
        worker.begin()
        worker.finish()
        link.send((int(shared.steps.sum()), player.returns))
        player.returns = []


# %% [markdown]
# How does this function reach another process? A new process begins as an empty Python, which knows nothing of your notebook. Python's own way is to send the *name* of a function, with `pickle`; the process imports the module in which it stands. But a notebook's cells are in no module that could be imported. So the package sends the function *by value*, with **cloudpickle**: its code, and the code of all that it uses from the notebook, your `Worker` and `rmsprop_step` among it.

# %%
import pickle

import cloudpickle

print("pickle:     ", pickle.dumps(work))
print("cloudpickle:", len(cloudpickle.dumps(work)), "bytes")

# %% [markdown]
# The first line holds two names, `__main__` and `work`, and nothing else. With plain `multiprocessing` and the same cells you get `AttributeError: Can't get attribute 'work' on <module '__main__' (built-in)>`.
#
# The rest is to start the processes, to read what they report, and to leave none behind, whatever happens. `Team(body, shared, num_workers)` does that. Its heart is this; the other lines of the module `workers` are for what can go wrong:
#
# ```python
# context = get_context("spawn")  # new processes, not copies of this one
# for rank in range(num_workers):
#     here, there = context.Pipe(duplex=False)
#     parcel = cloudpickle.dumps(body)  # opened there by cloudpickle.loads
#     context.Process(target=_work, args=(rank, there, parcel, shared)).start()
# ```
#
# `shared` is not pickled as the rest is: of a tensor in shared memory only the place is sent, and the process looks at the same memory. `Team` hands out each message with the worker's number.


# %%
def in_processes(workers, model, **settings):
    """Train in as many processes.   → the model trained, (steps, return) of every episode, and the
    steps of each worker."""
    shared = new_shared(model, workers)
    for tensor in (*shared.theta, *shared.g, shared.steps):
        tensor.share_memory_()
    body = partial(work, model=deepcopy(model), **settings)
    episodes = []
    for _rank, (steps, returns) in Team(body, tuple(shared), workers):
        episodes += [(steps, each) for each in returns]
    trained = deepcopy(model)
    with torch.no_grad():
        for parameter, theta in zip(trained.parameters(), shared.theta, strict=True):
            parameter.copy_(theta)
    return trained, sorted(episodes), shared.steps


# %% [markdown]
# Two processes on CartPole, with rollouts of 32 steps. (The paper has 16 workers with rollouts of 5: when each has made one update, 80 steps have been played. With two such workers it would be 10; with rollouts of 32 it is 64, and each update rests on 32 steps.) It takes half a minute; and as now and then a run learns nothing, there are up to three.

# %%
print(f"Training with {whose(Worker, rmsprop_step)}.")
began = time.perf_counter()
SETTINGS = {"t_max": 32, "learning_rate": 0.01, "total_steps": 150_000}
for _attempt in range(3):
    balancer, episodes, counts = in_processes(2, new_model(seed=0), seed=0, **SETTINGS)
    course = plots.moving_mean(*np.array(episodes, dtype=float).T, window=5_000)
    if course.max() > 200:  # it may fall again
        break
    print(f"This run learned nothing: no mean above {course.max():.0f}. Once more.")
print(f"{time.perf_counter() - began:.0f} s, start of the processes included")
print(f"steps of each worker: {counts.tolist()}, together {counts.sum().item()}")
for name, agent in {"untaught": new_model(seed=0), "taught": balancer}.items():
    evaluation = evaluate(agent, CARTPOLE, episodes=100, seed=1000, num_envs=50)
    print(f"{name:8} mean return {evaluation}")
assert 150_000 <= counts.sum() <= 150_000 + 2 * 32
assert course.max() > 200

# %% tags=["hide-input"]
steps, returns = np.array(episodes, dtype=float).T
ax = plots.axes(height=2.8)
ax.plot(steps, returns, ".", color=plots.SKY, markersize=3, label="an episode")
smooth = plots.moving_mean(steps, returns, window=5_000)
ax.plot(steps, smooth, color=plots.BLUE, label="mean over 5,000 steps")
ax.set(xlabel="environment steps, both workers together", ylabel="return")
ax.set_title("Two processes, one θ, no lock: this run of the cell")
ax.set_xticks(range(0, 150_001, 50_000))
ax.xaxis.set_major_formatter("{x:,.0f}")
ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
plt.show()

# %% [markdown]
# That is A3C, with the worker and the step that you wrote. Here it plays, with greedy actions:

# %%
animate(
    play(greedy(balancer), CARTPOLE, seed=3, max_steps=200),
    fps=25,
    alt="The agent that two workers trained balances the pole.",
)

# %% [markdown]
# Run the training again, and it learns along another course. A race decides who reads θ when, and no seed settles that. This is the price of asynchrony which you will notice first: **a run cannot be repeated.** It is the reason for the workers in turn above. A run may also fall on its way, and even end in a fall, with an agent that is worse than it was before. And now and then one learns nothing at all: then the cell above says so, and begins once more.
#
# The package's own way, and the one to use from now on, is `a3c.train` with `schedule="processes"`, the default. Five runs with it, on record:

# %% tags=["hide-input"]
cartpole = records.load("a3c_cartpole")
print(cartpole)
print(cartpole.settings(gamma=GAMMA, **SETTINGS, **HERE))
plots.learning_curves(
    {"A3C, 2 processes": cartpole.curves("steps", "episode_return")},
    each_seed=True,
    lines={"most possible": 500},
    title="All five seeds hold the pole in the end; each falls on its way",
    y_label="mean of the latest 50 episodes",
)
plt.show()

last = cartpole.select(steps=cartpole.levels("steps")[-1])
print("seed   seconds   sampled actions   greedy actions")
for row in last.rows:
    print(f"{row['seed']:4} {row['seconds']:9.1f} {row['sampled']:17.1f} {row['greedy']:16.1f}")
assert [row["sampled"] for row in last.rows] == [row["greedy"] for row in last.rows] == [500] * 5
assert 22 < last.column("seconds").min() <= last.column("seconds").max() < 26

courses = [cartpole.select(seed=row["seed"]).column("episode_return") for row in last.rows]
falls = [(np.maximum.accumulate(course) - course).max() for course in courses]
print("the deepest fall on the way:", *(f"{fall:.0f}" for fall in falls))
assert 150 < min(falls) <= max(falls) < 360

# %% [markdown]
# All five seeds hold the pole for the whole 500 steps, after 150,000 steps and 23 to 25 seconds. On the way each of them falls, by 150 to 360, and gets up again. A seed does not settle how a run goes, and another five will not be these five. (Not on record any more: twice before, with the same settings, one run of five learned nothing. From its first thousands of steps on an episode lasted 9 steps, which is about the least that is possible. Sampled actions and greedy ones had the very same return there. So the policy was sure of its action in every state, and never saw what the other one would bring. If your own run stays at 9, run the cell again.)
#
# Two settings of the loss differ from the paper's. `value_weight` is 0.05, since policy and critic share their torso, as in chapter 03. And β is 0.001, a tenth of the paper's.

# %% [markdown]
# ## What a race can lose
#
# Now the second question. What if two workers change θ at the *same* instant?
#
# $\theta \leftarrow \theta + \Delta$ is one line, but the machine does three things: it **reads** θ, adds, and **writes** the sum. Between the reading and the writing, another worker may write. Then what it wrote is gone.
#
# ### Exercise 5.4  Who is overwritten
#
# Write a function that replays a schedule of such readings and writings. When a worker reads, it makes a note of θ as it stands. When it writes, it puts its *note*, plus its change, in the place of θ. A worker may do both several times; what
# counts is its latest note, also if it writes twice after one reading.
#
# *On paper:* θ is 0, A wants to add 1, B wants to add 10. If A reads, A writes, B reads, B writes, it is 11. If A reads, B reads, A writes, B writes: A writes 1, then B, which has noted 0, writes 10. A's change is lost. If A reads, A writes, A writes: both times it writes 0 + 1, and θ is 1.


# %% tags=["nbval-check-output"]
@exercise("5.4")
def replay(theta: float, schedule: list[tuple[str, str]], changes: dict[str, float]) -> float:
    """θ after a schedule of steps such as ("A", "reads") and ("A", "writes")."""
    ### BEGIN SOLUTION
    noted = {}
    for worker, what in schedule:
        if what == "reads":
            noted[worker] = theta
        else:
            theta = noted[worker] + changes[worker]
    return theta
    ### END SOLUTION


# %% [markdown]
# Two workers, one change each, in every order that there is (a worker reads before it writes):

# %% tags=["nbval-check-output"]
CHANGES = {"A": 1.0, "B": 10.0}
LETTER = {"reads": "r", "writes": "w"}
moves = [(worker, what) for worker in "AB" for what in ("reads", "writes")]
orders = [
    order
    for order in permutations(moves)
    if all(order.index((w, "reads")) < order.index((w, "writes")) for w in "AB")
]
outcomes = {order: replay(0.0, list(order), CHANGES) for order in orders}
for order, theta in outcomes.items():
    lost = {11.0: "nothing is lost", 10.0: "A's change is lost", 1.0: "B's change is lost"}[theta]
    print(" ".join(worker + LETTER[what] for worker, what in order), f"  θ = {theta:4}  {lost}")
assert len(outcomes) == 6
assert Counter(outcomes.values()) == {11.0: 2, 10.0: 2, 1.0: 2}


# %% tags=["hide-input"]
def draw(ax, order, title):
    """A schedule from left to right, a row for each worker, and θ below."""
    noted = {}
    theta = 0.0
    for x, (worker, what) in enumerate(order):
        y = {"A": 2, "B": 1}[worker]
        colour = {"A": plots.BLUE, "B": plots.RED}[worker]
        if what == "reads":
            noted[worker] = x, theta
        else:
            began, value = noted[worker]
            ax.plot(
                [began, x], [y, y], color=colour, linewidth=10, alpha=0.3, solid_capstyle="butt"
            )
            theta = value + CHANGES[worker]
        ax.plot(x, y, "o" if what == "reads" else "s", color=colour, markersize=8)
        ax.annotate(what, (x, y), (0, 10), textcoords="offset points", ha="center")
        ax.annotate(f"{theta:g}", (x, 0), ha="center", va="center")
    ax.set(yticks=[0, 1, 2], yticklabels=["θ", "B, +10", "A, +1"], ylim=(-0.5, 2.7))
    ax.set(xlim=(-0.5, 3.5), xticks=[], xlabel="time")
    ax.set_title(title, loc="left")
    ax.grid(visible=False)


harmless, harmful = orders[0], next(order for order in orders if outcomes[order] == 10.0)
left, right = plots.axes(9, 2.6, columns=2)
draw(left, harmless, "One after the other: both changes stay")
draw(right, harmful, "The bars overlap: A's change is lost")
plt.show()

# %% [markdown]
# Something is lost exactly when the two bars overlap. Now for real, with two processes that each add 1 to a common counter, five hundred times. First we make the bars long: between reading and writing each process pauses for a thousandth of a second. A **lock**, which only one process can hold at a time, is there to compare with, and a counter with a slot for each. Then the bars as they are: 20,000 additions without a pause, to a tensor as large as a weight matrix of our network.
#
# **Predict before you run:** of 1000 additions with a pause, how many are lost without a lock? And how many of 40,000 without a pause?


# %% tags=["prediction"]
TIMES, PAUSE = 500, 0.001  # additions of each process; seconds
QUICK = 20_000  # additions of each process without a pause


def add_one(counter, slot):
    noted = int(counter[slot])  # reads
    time.sleep(PAUSE)
    counter[slot] = noted + 1  # writes


def add_ones(link, shared):
    counter, slots, locked, tensor, lock = shared
    link.wait_for_all()
    for _ in range(TIMES):
        add_one(counter, 0)
    for _ in range(TIMES):
        add_one(slots, link.rank)
    for _ in range(TIMES):
        with lock:
            add_one(locked, 0)
    for _ in range(QUICK):
        tensor += 1


counter, locked = (torch.zeros(1, dtype=torch.int64).share_memory_() for _ in range(2))
slots = torch.zeros(2, dtype=torch.int64).share_memory_()
tensor = torch.zeros(64, 64).share_memory_()
lock = get_context("spawn").Lock()
list(Team(add_ones, (counter, slots, locked, tensor, lock), num_workers=2))

print("with a pause between reading and writing")
for name, counted in {"no lock": counter, "a slot for each": slots, "a lock": locked}.items():
    print(f"  {name:16} {2 * TIMES - int(counted.sum()):5} of {2 * TIMES:,} lost")
print("without a pause")
gone = 2 * QUICK - tensor.mean().item()
print(f"  {'no lock':16} {gone:5.0f} of {2 * QUICK:,} lost, the mean of 4096 weights")
assert slots.tolist() == [TIMES, TIMES]
assert int(locked) == 2 * TIMES

# %% [markdown]
# With the pause the bars overlap nearly always, and nearly every time one of two changes is lost: about half. With a lock nothing is lost, and with a slot for each nothing is lost *without* one. So a count that must be exact gets slots. You have had them since 5.2.
#
# Without the pause the bars are short, and little is lost, or nothing. (If your machine is busy with other things, the two may never have run at the same time.) Here is a machine with two cores and nothing else to do, on record, three runs each:

# %% tags=["hide-input"]
ones = records.load("adding_ones")
print(ones)
print(ones.settings(times=QUICK, shape=tensor.shape))
print("            lost of 10,000 additions, run by run")
print("workers     tensor                   counter                    slots   locked")
for workers in ones.levels("workers"):
    runs = ones.select(workers=workers)
    each = {
        name: " ".join(f"{10_000 * share:7.1f}" for share in runs.column(name))
        for name in ("tensor", "counter")
    }
    most = [runs.column(name).max() for name in ("slots", "locked")]
    print(f"{workers:7} {each['tensor']}  {each['counter']}    {most[0]:7.1f}  {most[1]:7.1f}")
several = ones.select(workers=4)
assert ones.select(workers=2).column("tensor").min() > 0
assert ones.column("tensor").max() < 0.05
assert several.column("counter").max() > ones.select(workers=2).column("counter").max()
assert ones.column("slots").max() == ones.column("locked").max() == 0

# %% [markdown]
# Of the additions to weights, fewer than 30 in 10,000: even with nothing else to do, processes spend most of their time between two additions and not in one. The counter shows how much depends on the moment: with two workers it lost 6 of 10,000 in one run, and fewer than 1 in the other two; with four, which have to share two cores, 4 and 3 percent of all in two runs, and nothing in the third.
# The worst moment is the schedule in which A *sleeps* between reading and writing:
# the operating system takes the core from A, and when A wakes up it writes an old number over all that the others have counted in the meantime.
#
# ### And in A3C?
#
# A real worker spends nearly all its time acting and computing gradients, and very little on the addition itself. How much is lost then? On record: CartPole, with rollouts of only five steps to have many updates. Beside θ the workers share a *ledger*: a
# tensor as large as θ, to which a worker adds 1 wherever it changes θ, right after it. What is missing there in the end was overwritten.

# %% tags=["hide-input"]
lost = records.load("lost_updates")
print(lost)
print(lost.settings())
print("workers   lock    lost of 10,000 changes, run by run    lost of a common counter")
shares, counters = {}, {}
for workers in lost.levels("workers"):
    for locked in lost.levels("lock"):
        runs = [lost.select(workers=workers, lock=locked, seed=seed).rows[0] for seed in range(3)]
        shares[workers, locked] = [run["lost"] for run in runs]
        counters[workers, locked] = [run["naive"] for run in runs]
        each = "  ".join(f"{10_000 * share:7.2f}" for share in shares[workers, locked])
        print(f"{workers:7} {locked:>6} {each:>30} {max(counters[workers, locked]):22.3%}")
assert max(max(shares[key]) for key in shares if 1 in key or "True" in key) == 0
assert 0 < min(shares[2, "False"]) <= max(shares[2, "False"]) < 0.01
assert max(shares[4, "False"]) < 0.01
assert all(max(shares[n, "False"]) > 4 * min(shares[n, "False"]) for n in (2, 4))
assert max(map(max, counters.values())) == 0

# %% [markdown]
# Between 0.6 and 15 of 10,000 changes in the six runs without a lock. With two workers as with four the share differs from run to run more than fourfold, so that three runs do not say which of them lose more. (On two cores, four processes are not four *at the same time*.) And the common counter, which nothing protects, has lost nothing in these runs.
# That is what makes races so unpleasant. The same line has lost up to a sixth of all counts above, and none here, and nobody can say what it will lose tomorrow.
#
# So nearly nothing is lost, not because anything protects it, but because the addition is such a small part of a worker's day.
#
# ### How old a gradient is
#
# The same runs say how many updates of others lay between a worker's reading of θ and its change:

# %% tags=["hide-input"]
panels = plots.axes(10, 2.8, columns=3)
typical, most = {}, int(lost.column("lag").max())
for ax, workers in zip(panels, lost.levels("workers"), strict=True):
    these = lost.select(workers=workers, lock="False")
    lags = range(int(these.column("lag").max()) + 1)
    counts = np.array(
        [sum(row["count"] for row in these.rows if row["lag"] == lag) for lag in lags]
    )
    ax.bar(lags, counts / counts.sum(), color=plots.BLUE)
    typical[workers] = (counts * np.array(lags)).sum() / counts.sum()
    ax.set(xlabel="policy lag, in updates", xlim=(-0.6, most + 0.6), ylim=(0, 1))
    ax.set(xticks=range(0, most + 1, 3))
    ax.set_title(f"{workers} worker{'s' * (workers > 1)}: mean {typical[workers]:.2f}", loc="left")
panels[0].set(ylabel="share of updates")
title = "With W workers a gradient is about W − 1 updates old on average"
panels[0].figure.suptitle(title, x=0.01, ha="left", fontweight="bold")
plt.show()
locked = lost.select(workers=4, lock="True")
mean = (locked.column("lag") * locked.column("count")).sum() / locked.column("count").sum()
print(f"4 workers with a lock: mean {mean:.2f}; the largest lag in any run: {most}")
assert typical[1] == 0
assert abs(mean - typical[4]) < 0.5
assert 0.5 < typical[2] < 1.5
of_two = lost.select(workers=2, lock="False")
none = of_two.select(lag=0).column("count").sum() / of_two.column("count").sum()
print(f"2 workers: {none:.0%} of the updates have lag 0")
assert none < 0.5
assert 2 < typical[4] < 4

# %% [markdown]
# With two workers, one update of the other comes in between more often than not. With four the mean is 2.6. So $W - 1$ is not far off, and the simulation in turn gives a fair picture. What it does not have is the tail: now and then a worker that has just read θ is put
# to sleep by the operating system, above all where there are more workers than cores, and wakes up when many others have passed. With a lock (the record has that, too) the mean is 2.3, so not much less. A lock keeps changes from being lost; it hardly makes gradients fresher.

# %% [markdown]
# ## What Hogwild! promises, and to whom
#
# The theorem of the Hogwild! paper says: without any lock, learning takes hardly more steps than if the changes were made one after another, **if the problem is sparse**. Sparse means that each gradient touches only a few of the weights, so that two workers hardly ever want the same one.
#
# Is ours? Take one rollout and count the weights whose gradient is not zero.


# %%
def touched(model, make_env):
    """The share of the first layer's weights that the gradient of one rollout changes."""
    policy = sampled(model, torch.Generator().manual_seed(0))
    worlds = make_envs(make_env)
    rollout, _ = collect(worlds, policy, start(worlds, seed=0), t_max=5)
    gradient = torch.autograd.grad(loss_of(model, rollout).total, next(model.parameters()))[0]
    return (gradient != 0).double().mean().item()


TRAP = "a3c_lib/Trap-v0"
table = ActorCritic.for_env(gym.make(TRAP), hidden=(), seed=0)
sparse, dense = touched(table, TRAP), touched(new_model(seed=0), CARTPOLE)
print(f"a table, one row for each of 10 cells: {sparse:.0%} of the policy's weights")
print(f"our network on CartPole:               {dense:.0%} of the first layer's weights")
assert dense > 0.95
assert sparse < 0.6

# %% [markdown]
# A table is sparse: a rollout touches the rows of the cells that it came through. A network is **dense**: this one rollout changes every weight of its first layer. So A3C does not meet the assumption of that theorem, and the theorem does not say that it works. That it does work is an
# observation, here and in the paper. The measurements above say why it is no miracle: the changes are rarely made at the same instant, and what is lost is a small part of them.
#
# ## Speed
#
# Was it worth it? Environment steps per second, for 1, 2 and 4 workers, on a machine with two cores. Only ratios within one run mean anything, since machines have good and bad minutes; so all were measured one after another, five times, and each is divided by
# the single worker of the same run.

# %% tags=["hide-input"]
speed = records.load("workers_speed")
print(speed)
print(speed.settings())
ratios = {}
for seed in speed.levels("seed"):
    run = speed.select(seed=seed)
    one = run.select(workers=1).column("steps_per_second")[0]
    for row in run.rows:
        name = f"{row['workers']}{', lock' * (row['lock'] == 'True')}"
        ratios.setdefault(name, []).append(row["steps_per_second"] / one)
names = ["1", "2", "2, lock", "4"]
medians = {name: float(np.median(ratios[name])) for name in names}

ax = plots.axes(height=3.2)
ax.bar(names, [medians[name] for name in names], color=plots.SKY)
for x, name in enumerate(names):
    label = "one of five rounds" if x == 0 else None
    ax.plot([x] * len(ratios[name]), ratios[name], "ko", markersize=4, label=label)
    ax.annotate(f"{medians[name]:.2f}", (x, 0.1), ha="center")
ax.set(xlabel="workers", ylabel="steps per second, relative")
ax.set_title("Two workers on two cores: nearly twice the steps")
ax.legend(loc="upper left")
plt.show()
assert medians["2"] >= 1.85
assert medians["4"] < medians["2"]
assert abs(medians["2, lock"] - medians["2"]) < 0.2

# %% [markdown]
# Two workers take nearly twice the steps of one. Four on two cores take *fewer* than two: they only take the cores from each other. More workers than cores buy nothing but lag. And the lock? It costs next to nothing here. With a network of this size a worker holds it for a
# moment only, once in several milliseconds. The Hogwild! paper reports some ten times the speed of locking, on sparse problems with tiny updates. **In A3C the freedom from locks is not what makes it fast; two cores at work are.** What waiting for each other would cost, chapter 06 works out.
#
# Steps per second are not learning per second. What two workers learn from their steps, chapter 06 compares with its own agent, at equal steps and at equal seconds.

# %% [markdown]
# ## What it cost
#
# - **Repeatability.** A run with processes cannot be repeated, not even with the same seed. Whoever hunts a bug goes back to one process, in turn.
# - **Old gradients.** With $W$ workers a gradient is about $W - 1$ updates old. At the rate of this chapter an age of up to 7 updates did no harm that ten seeds would show; an age of 15 did.
# - **Lost changes.** Few, and measured. But the theorem that would allow them does not apply.
# - **Machinery.** Processes can be killed, interrupted, forgotten in a notebook. More than a third of the code behind the package's A3C, its module `workers`, is for that alone.
# - **Small batches.** Each worker computes on its own few observations, one at a time, and a processor, let alone a graphics card, is at its best with many at once. That is the thought from which chapter 06 starts.

# %% [markdown]
# ## Where the paper says it
#
# [*Asynchronous Methods for Deep Reinforcement Learning*](../docs/bibliography.md#the-paper), Mnih et al. 2016.
#
# | here | paper | where, and what differs |
# |---|---|---|
# | `Worker`, θ′ | thread-specific parameters $\theta'$ | Algorithm S3. The paper's workers are threads; of Python's threads only one at a time runs Python code, so ours are processes |
# | rollouts go on through episode ends | until terminal, or $t_{max}$ steps | Algorithm S3 stops a rollout at the end of an episode |
# | one set of weights, θ | $\theta$ and $\theta_v$ | the paper's two share all layers but the last |
# | `rmsprop_step` | $g$, $\alpha$, $\epsilon$ | section 4. α is 0.99; ε is not printed |
# | shared $g$ | shared RMSProp | compared with a $g$ for each thread and with momentum; shared was the most robust. Adam is not in it, though many programs share one (`optimizer="adam"`) |
# | learning rate on the global count | annealed linearly to 0 | experiments: sampled between 0.0001 and 0.01, fifty for each game. Figure 2 shows how the scores depend on it |
# | 2 workers, $t_{max} = 32$ | 16 workers, $t_{max} = 5$ | on 16 cores. For Atari, the paper reports 12.5 times the speed with 16 workers, in time to a fixed score |
# | decorrelated updates | the reason given for parallel workers | they stand in the place of DQN's replay memory |
# | A3C alone | three more methods | asynchronous one-step Q-learning, one-step Sarsa and n-step Q-learning, each worker with an exploration of its own: chapter 08 |
#
# The idiom of 5.3 is that of [ikostrikov/pytorch-a3c](https://github.com/ikostrikov/pytorch-a3c) (`ensure_shared_grads` in its train.py; its [issue 55](https://github.com/ikostrikov/pytorch-a3c/issues/55) asks about it); MorvanZhou/pytorch-A3C has it without the `if`. Both were right when they were written.

# %% [markdown]
# ## What to try next
#
# 1. Where successive gradients are measured, give all four players one life: `CartPolePlayer(0, seed=0, t_max=5)` for each. **Predict** the cosine of successive gradients first. That is why workers must not share a seed.
# 2. More workers than cores: in the cell below, `workers = 8` and `"schedule": "processes"`. Look at the lag, and at the steps per second.
# 3. `shared_statistics=False`, `optimizer="momentum"` or `"adam"`, `lock=True`: one word each in `a3c.Config`. (Momentum needs another learning rate.)
# 4. Older still: `learn_late(age=63, learning_rate=0.01, total_steps=12_000)`. Then lower the learning rate: from where on does the age not show any more?

# %%
workers, options = 2, {"schedule": "round-robin", "optimizer": "rmsprop"}

config = a3c.Config(
    total_steps=8_000,
    t_max=32,
    num_workers=workers,
    learning_rate=0.01,
    value_weight=0.05,
    entropy_weight=0.001,
    seed=3,
    **options,
)
began = time.perf_counter()
with a3c.train(new_model(seed=3), CARTPOLE, config) as training:
    updates = list(training)
seconds = time.perf_counter() - began
returns = [episode.episode_return for update in updates[-60:] for episode in update.episodes]
lag = np.mean([update.policy_lag for update in updates])
print(
    f"mean lag {lag:.2f}, return {np.mean(returns):.0f}, {updates[-1].steps / seconds:.0f} steps/s"
)

# %% [markdown]
# ## Summary
#
# - A **worker** copies θ, acts with the copy, and changes the shared θ by its gradient. Nobody waits. That is A3C; the loss is chapter 03's.
# - Being **late** overwrites nothing: a change is added to what is there. But it is meant for parameters that are a few updates old, its **policy lag**. That costs nothing visible as long as θ moves little meanwhile, and something where it moves much: at η = 0.01 an age of 15 updates did harm, at 0.003 it did not.
# - Being **simultaneous** loses something: adding is reading and writing, and the last to write wins. In A3C that is rare. A count that must be exact gets a slot for each worker.
# - **RMSProp** divides each weight's step by the root of its mean squared gradient, ε inside the root; all workers share $g$. $g$ begins at 0, so the first steps of a large gradient are longer than later ones. Where a gradient is small beside $\sqrt\epsilon$, ε sets the pace, as in plain gradient descent.
# - **Hand gradients over as values.** An idiom that connects `.grad` of two models has piled gradients up since PyTorch 2: 1, 3, 6, 10, 15.
# - A process knows nothing of a notebook: functions reach it by value, through **cloudpickle**, and tensors by their place in shared memory.
# - Two workers on two cores take nearly twice the steps per second of one. They also **decorrelate** successive updates, the critic's above all; at equal steps, eight workers in turn learned neither visibly more nor visibly less than one. What is lost is repeatability.
# - Hogwild!'s theorem is about sparse problems. A network is dense, so that theorem does not say that A3C works; that it does, here, is a measurement.

# %%
progress()

# %% [markdown]
# Next, chapter 06: the same workers, but they wait for each other. Their environments are played in one batch, by one network, and the race is over. That is A2C.
