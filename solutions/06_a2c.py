# %% [markdown]
# # 06  A2C
#
# **You need** chapters 00 to 03, for actor, critic, n-step returns and the loss; chapter 05 for A3C and RMSProp. The section on memory needs chapter 04.<br>
# **You will be able to** let many environments learn in one batch, say exactly what that has in common with A3C and what not, spot the steps from which nothing may be learned, choose between the two algorithms, and write A2C from an empty cell.<br>
# **Time** {time}; the computer works for a little more than a minute.
#
# A3C's workers wait for nobody. *What if they did?*

# %%
import time
from dataclasses import replace

import gymnasium as gym
import matplotlib.pyplot as plt
import numpy as np
import torch
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import (
    DtypeObservation,
    FlattenObservation,
    RescaleObservation,
    TimeLimit,
)
from torch import Tensor

from a3c_lib import (
    ActorCritic,
    Loss,
    RecurrentActorCritic,
    a2c,
    a2c_loss,
    a3c,
    collect,
    entropy,
    evaluate,
    greedy,
    make_envs,
    n_step_returns,
    optim,
    sampled,
    start,
)
from a3c_lib.actor_critic import lesson_of, values_after
from a3c_lib.app import records
from a3c_lib.exercises import exercise, hint, progress, solution, whose
from a3c_lib.figures import diagrams, plots
from a3c_lib.figures.animation import animate
from a3c_lib.figures.progress import track
from a3c_lib.figures.watching import play
from a3c_lib.playing import Played, Player
from a3c_lib.rollout import Rollout
from a3c_lib.training import clip_gradients, seeds

plt.style.use(plots.STYLE)

# %% [markdown]
# ## What not waiting costs
#
# Two ways to use several environments. In A3C nobody waits; in A2C all wait for the slowest, and one update follows:

# %% tags=["hide-input"]
diagrams.time_line()

# %% [markdown]
# Here is A3C as chapter 05 left it. A **worker** acts in an environment of its own, with a copy $\theta'$ of the parameters. When its rollout is over, it changes the shared $\theta$ and takes a new copy. Two of them run here, each in a process of its own. We run this twice, with the same seed. **Predict before you run:** are the two networks
# the same in the end?

# %% tags=["prediction"]
CARTPOLE = "CartPole-v1"


def new_agent(seed: int) -> ActorCritic:
    return ActorCritic.for_env(gym.make(CARTPOLE), seed=seed)


def weights_of(model) -> Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


twice = []
for run in 1, 2:
    agent = new_agent(seed=0)
    config = a3c.Config(total_steps=2_000, t_max=16, num_workers=2, seed=0)
    with a3c.train(agent, CARTPOLE, config) as training:
        updates = list(training)
    late = np.mean([update.policy_lag > 0 for update in updates])
    print(f"run {run}: {len(updates)} updates, of which {late:.0%} came from an older θ")
    twice.append(weights_of(agent))
print(f"largest difference between the two runs: {(twice[0] - twice[1]).abs().max():.4f}")

# %% [markdown]
# Same program, same seed, other results. Who came first was up to the operating system. Such a run cannot be repeated, so a fault in it cannot be looked at twice. That is the first price.
#
# The second: many gradients are old. They were computed with a copy of parameters that somebody else has changed by the time they are applied; the number of changes in between is chapter 05's **policy lag**. (How many are old depends on what else the machine does. In chapter 05's record of two workers it was most of them.)
#
# A third price is often named together with these two, but it has another cause. Each of chapter 05's workers has *one* environment, and asks the network about one observation at a time. Most of the time of such a question is overhead: calling functions, allocating memory. What does a question cost, for each observation, if many are asked together?


# %%
def seconds_per_observation(batch: int, repeats: int = 300) -> float:
    observations = torch.zeros(batch, 4)
    with torch.no_grad():
        agent(observations)  # the first call is slower than the others
        began = time.perf_counter()
        for _ in range(repeats):
            agent(observations)
    return (time.perf_counter() - began) / repeats / batch


cost = {batch: seconds_per_observation(batch) for batch in (1, 8, 64, 512)}
for batch, seconds in cost.items():
    print(f"{batch:3d} at a time: {seconds / cost[1]:6.1%} of what a single one costs")

# %% [markdown]
# The network is cheap in bulk. A worker of A3C can use that too: with `a3c.Config(num_envs=8)` each has eight environments, and asks about eight observations at once. So two questions are to be kept apart: how many environments ask together, and whether anybody waits.
#
# The idea of this chapter is to wait. Let $N$ environments take their steps *together*. One question to the network answers for all of them, one batch teaches, one update follows, and then all go on.
# Everything happens in a fixed order, so a run can be repeated bit for bit. This is the **synchronous advantage actor-critic**, [**A2C**](../docs/glossary.md#a2c). Collecting steps from several environments at once is also called *parallel data collection*.

# %% [markdown]
# ## What waiting costs
#
# Those who act together wait for the slowest. If an environment's step takes now a short time and now a long one, $N$ environments together take the longest of $N$ times, at each step.
#
# For times that are exponentially distributed with mean 1 there is a formula: the mean of the longest of $N$ is $1 + \frac{1}{2} + \ldots + \frac{1}{N}$. One can also wait less often. Let each environment take its whole rollout of $T$ steps by itself, and wait for the others only then. Over $T$ steps long and short times cancel. The price is the one question for all: each environment now asks alone.
#
# The A2C of this chapter waits at every step, in one process. Between the two lies chapter 07's `parallel_a2c`: a few processes, each with several environments that ask together, and the processes meet once a rollout. Here are both ways of waiting, simulated. A single environment takes a time of 1 for a step, on the average; the table says what a step of all $N$ together takes.

# %%
rng = np.random.default_rng(0)
T = 16
print(" N   wait at each step   (formula)   wait once in 16 steps")
for N in 2, 8, 32:
    times = rng.exponential(size=(2_000, T, N))
    each_step = times.max(axis=2).sum(axis=1).mean() / T
    each_rollout = times.sum(axis=1).max(axis=1).mean() / T
    formula = sum(1 / n for n in range(1, N + 1))
    print(f"{N:2d}   {each_step:17.2f}   {formula:9.2f}   {each_rollout:21.2f}")
    assert abs(each_step - formula) < 0.1
    assert each_rollout < each_step

# %% [markdown]
# With 32 such environments that wait at each step, three quarters of the time is spent waiting. A3C pays nothing of this. Where all steps take much the same time, as in CartPole and in the other worlds of this book, the formula does not apply, and waiting costs little. So it depends on the world which of the two is faster.

# %% [markdown]
# ## The idea in mathematics
#
# All environments act with the same $\theta$. Let environment $n$ have $M_n$ steps in a rollout, and let $L_n(\theta)$ be the mean loss over them: what a worker would have descended. The loss over the whole batch is a mean over *all* steps,
#
# $$L(\theta) = \frac{\sum_n M_n\, L_n(\theta)}{\sum_n M_n}, \qquad \text{so} \qquad \nabla L = \frac{\sum_n M_n\, \nabla L_n}{\sum_n M_n}.$$
#
# With equally many steps in each, that is the plain mean of what $N$ workers would have sent, before clipping: a worker clips its own gradient, A2C the mean. (Usually each $M_n$ is $T$. Later in this chapter some steps will not count, and then they differ.) Nothing else is new: rollouts $(T, N)$, n-step returns and the loss have been there since chapters 00, 02 and 03, and they never asked how large $N$ is. The difference between the two algorithms is one of *time*:
#
# | | A3C, $W$ workers with $N$ environments each | A2C, the same $W \cdot N$ environments |
# |---|---|---|
# | batch of one update | $T \cdot N$ steps of one worker; in chapter 05 $N = 1$ | $T \cdot W \cdot N$ steps |
# | a rollout of each environment gives | $W$ updates, one after another | one update |
# | a gradient is taken at | what θ was when its rollout began | θ itself |
# | can be repeated | no (only if the workers are made to act in turn) | yes |
#
# So eight workers with one environment each make eight updates while A2C with eight environments makes one. For the same number of steps A2C then makes eight times fewer updates, each from eight times as much data. Its gradients are less noisy, so it can take longer steps; and it *must*, or it gets less far. Whoever moves from the one to the other and leaves the learning rate as it was will find A2C slow. Keep that in mind for the comparison.
#
# ### Exercise 6.1  One batch
#
# A rollout of two steps of three environments holds six steps. To learn from them in one batch, the axes $T$ and $N$ become one axis of $T \cdot N$ rows. Row $t \cdot N + n$ shall be step $t$ of environment $n$.
#
# | | n = 0 | n = 1 | n = 2 |
# |---|---|---|---|
# | t = 0 | row 0 | row 1 | row 2 |
# | t = 1 | row 3 | row 4 | row 5 |
#
# Observations may have more axes than these two, as a picture has, or no more, where an observation is a single whole number. Any axes after the first two stay as they are. Numbers keep their kind: bytes stay bytes, and floats floats.


# %% tags=["nbval-check-output"]
@exercise("6.1")
def one_batch(
    observations: Tensor, actions: Tensor, returns: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """(T, N, *O), (T, N), (T, N) → (T·N, *O), (T·N,), (T·N,): step by step, row t·N + n is
    what environment n did at step t."""
    ### BEGIN SOLUTION
    return observations.flatten(0, 1), actions.flatten(), returns.flatten()
    ### END SOLUTION


# %% [markdown]
# It looks easy. But here the best-hidden faults of A2C programs live. If one of the three is flattened in another order than the others, all shapes fit, nothing is raised, and with one environment or with rollouts of one step the result is even right. It goes wrong only where
# $T$ and $N$ are both larger than 1, and then each action is praised for what another one did.
#
# ### Exercise 6.2  What the workers' gradients come to
#
# Now the formula from above. Each environment hands in its gradients: a tuple with one tensor for each parameter of the network. `steps` holds the numbers $M_n$, each at least 1. Return a tuple (a list will do), and leave what you were given as it was.
#
# *On paper:* gradient $(2, 0)$ from 4 steps and $(-1, 3)$ from 2 steps. The mean over all 6 steps is $(4 \cdot (2, 0) + 2 \cdot (-1, 3)) / 6 = (1, 1)$.


# %% tags=["nbval-check-output"]
@exercise("6.2")
def combined(gradients: list[tuple[Tensor, ...]], steps: list[int]) -> tuple[Tensor, ...]:
    """The gradient of the mean loss over all steps, from each environment's gradient of the mean
    loss over its own `steps`."""
    ### BEGIN SOLUTION
    return tuple(
        sum(m * part for m, part in zip(steps, parts, strict=True)) / sum(steps)
        for parts in zip(*gradients, strict=True)
    )
    ### END SOLUTION


# %% [markdown]
# Is it true of a real network? A rollout of 16 steps of 4 CartPoles. Once the whole rollout teaches, as one batch; once each environment alone, as if it were a worker's, and your function puts the four together. (`rollout.column(n)` is what environment $n$ did, a rollout $(T, 1)$. `lesson_of` is the first half of chapter 01's `learn`: it computes a rollout's returns, its loss and the gradients, and hands them back without changing the network. It takes the rollout as `Played`, which has room for what belongs to one, such as the memory with which it began.)

# %%
poles = make_envs(CARTPOLE, num_envs=4)
policy = sampled(agent, torch.Generator().manual_seed(0))
rollout, _ = collect(poles, policy, start(poles, seed=0), t_max=16)


def gradients_from(some_rollout: Rollout) -> tuple[Tensor, ...]:
    return lesson_of(agent, Played(some_rollout), n_step_returns, a2c_loss, gamma=0.99).gradients


in_one_batch = gradients_from(rollout)
by_workers = combined([gradients_from(rollout.column(n)) for n in range(4)], steps=[16] * 4)
difference = max((a - b).abs().max().item() for a, b in zip(in_one_batch, by_workers, strict=True))
largest = max(part.abs().max().item() for part in in_one_batch)
print(f"largest entry {largest:.3f}, largest difference {difference:.0e}")
assert difference < 1e-4 * largest

# %% [markdown]
# Equal up to rounding. But one way asked the network about 64 observations at once, and the other asked it four times.

# %% [markdown]
# ## The decisive test
#
# If the two algorithms differ only in who waits for whom, then *one* worker, who has nobody to wait for, must be the same as *one* environment in step with itself. Every bit of every weight, after 200 updates. With `schedule="round-robin"` chapter 05's workers act in turn, all in this
# process. Same seed, same settings.

# %%
RATE = 0.003
COMMON = {"total_steps": 3_200, "t_max": 16, "seed": 7}


def asynchronous(workers: int) -> tuple[ActorCritic, list]:
    model = new_agent(seed=7)
    config = a3c.Config(num_workers=workers, schedule="round-robin", learning_rate=RATE, **COMMON)
    with a3c.train(model, CARTPOLE, config) as training:
        return model, list(training)


def synchronous(num_envs: int, learning_rate: float = RATE) -> tuple[ActorCritic, list]:
    model = new_agent(seed=7)
    # fast_envs=False: the same environments as the workers'. What fast ones are, comes below.
    config = a2c.Config(num_envs=num_envs, fast_envs=False, learning_rate=learning_rate, **COMMON)
    with a2c.train(model, CARTPOLE, config) as training:
        return model, list(training)


one_worker, history = asynchronous(workers=1)
one_environment, other_history = synchronous(num_envs=1)
moved = (weights_of(one_worker) - weights_of(new_agent(seed=7))).abs().max()
print(f"{len(history)} updates; the weight that moved most moved by {moved:.2f}")
assert torch.equal(weights_of(one_worker), weights_of(one_environment))
assert len(history) == len(other_history) == 200
assert moved > 0.1
print("every weight is the same, bit for bit")

# %% [markdown]
# This is the strongest test of the book. A worker that forgets to copy θ, that acts with other random numbers, that goes on from the wrong place, a mean here where there is a sum there: each of these changes some bit of some weight. How sharp is the test? Let us make the learning rate of one of the two larger by one part in
# ten million:

# %%
slightly_faster, _ = synchronous(num_envs=1, learning_rate=RATE * (1 + 1e-7))
difference = (weights_of(slightly_faster) - weights_of(one_worker)).abs().max()
print(f"largest difference between two weights: {difference:.0e}")
assert difference > 0

# %% [markdown]
# The test sees even that. And with two? Then the two are different algorithms, and now we can say in which respect:

# %%
two_workers, history = asynchronous(workers=2)
two_environments, other_history = synchronous(num_envs=2)
assert not torch.equal(weights_of(two_workers), weights_of(two_environments))
print(f"two workers:      {len(history)} updates, policy lag {history[-1].policy_lag}")
print(f"two environments: {len(other_history)} updates, policy lag 0 by construction")
assert len(history) == 2 * len(other_history)
assert history[-1].policy_lag == 1

# %% [markdown]
# Half as many updates from the same steps, and no gradient is out of date.

# %% [markdown]
# ## Fast environments, and a step that is no step
#
# `make_envs` of chapter 01 keeps $N$ ordinary environments in a list and steps them one after another, in Python. For a few ids Gymnasium has something better: a **vector environment** of its own, in which all $N$ are rows of one array and a step is a few operations of NumPy. `a2c.make_vector_env` takes it where there is one. What does it gain?

# %%
REPEATS = 300


def seconds_per_step(poles) -> float:
    poles.reset(seed=0)
    actions = np.zeros(poles.num_envs, dtype=np.int64)
    began = time.perf_counter()
    for _ in range(REPEATS):
        poles.step(actions)
    return (time.perf_counter() - began) / REPEATS / poles.num_envs


for N in 1, 8, 64:
    one_by_one = seconds_per_step(a2c.make_vector_env(CARTPOLE, N, fast=False))
    as_an_array = seconds_per_step(a2c.make_vector_env(CARTPOLE, N))
    print(f"N = {N:2d}: as an array a step takes {as_an_array / one_by_one:4.2f} of the time")

# %% [markdown]
# With one environment an array is slower; with many it is much faster. But there is a catch. Look at what happens at the end of an episode. We push both poles to the left until one falls, and print that environment's next steps.

# %%
fast = a2c.make_vector_env(CARTPOLE, 2)
observation, _ = fast.reset(seed=1)
fallen = None
for t in range(14):
    observation, reward, terminated, truncated, _ = fast.step(np.zeros(2, dtype=np.int64))
    if fallen is None and terminated.any():
        fallen, end = int(terminated.argmax()), t
    if fallen is not None and t <= end + 2:
        print(
            f"step {t}: angle {observation[fallen, 2]:+.3f}, reward {reward[fallen]:.0f}, "
            f"terminated {terminated[fallen]}"
        )
        if t == end + 1:
            assert reward[fallen] == 0
            assert abs(observation[fallen, 2]) < 0.05
assert fallen is not None

# %% [markdown]
# The pole falls. Then comes a step that is paid nothing and ends with the pole upright again. **That step is no step at all.** The environment did not look at the action. It used the step to reset itself. Gymnasium's name for this is `NEXT_STEP`: an environment resets in the step *after* the end. Up to now we had `SAME_STEP`: it resets within the step that ends, and
# each of the rollout's steps is real.
#
# Such a **dummy step**, or [**dummy**](../docs/glossary.md#dummy), stands in the rollout like all others: $o_t$ is the fallen pole, $a_t$ an action that nobody looked at, $r_t = 0$, and $o_{t+1}$ is a new beginning. Whoever learns from it learns a falsehood: a fallen pole is worth $0 + \gamma V(\text{new beginning})$, almost as much as a fresh start. And the actor is praised or blamed for an action that did nothing. How many such steps are there?

# %%
wanderer = sampled(new_agent(seed=0), torch.Generator().manual_seed(0))
poles = a2c.make_vector_env(CARTPOLE, 8)
rollout, _ = collect(poles, wanderer, start(poles, seed=0), t_max=500)
ends = (rollout.terminated | rollout.truncated).float().mean().item()
print(f"untrained: after {ends:.1%} of the steps comes a dummy")
assert 0.02 < ends < 0.1

# %% [markdown]
# About one in twenty, and the shorter the episodes the more.
#
# ### Exercise 6.3  Steps that only reset
#
# Mark them. A step is a dummy where the step before it, of the *same* environment, was an end, by `terminated` or by `truncated`. (A dummy itself never ends anything: both flags are False there.) And the first row? Its step before belongs to the rollout before. So whoever collects remembers where it ended, and hands it over as `resetting`.


# %% tags=["nbval-check-output"]
@exercise("6.3")
def dummy_mask(terminated: Tensor, truncated: Tensor, resetting: Tensor) -> Tensor:
    """Which steps only reset an environment: the one after each end.   (T, N), (T, N), (N,) → (T,
    N). `resetting` says where the step before the rollout was an end."""
    ### BEGIN SOLUTION
    ended = terminated | truncated
    return torch.cat([resetting[None], ended[:-1]])
    ### END SOLUTION


# %% [markdown]
# Every dummy is paid 0, and every real step of CartPole is paid 1. So in this world the mask can be checked on any rollout:

# %%
position = start(poles, seed=1)
for _ in range(20):
    resetting = torch.as_tensor(position.resetting)
    rollout, position = collect(poles, wanderer, position, t_max=16)
    dummies = dummy_mask(rollout.terminated, rollout.truncated, resetting)
    assert torch.equal(dummies, rollout.rewards == 0)
print("in 20 rollouts the mask is True exactly where nothing was paid")

# %% [markdown]
# And what does it do to learn from them all the same? **Predict before you look.** Twenty seeds of CartPole with the mask and twenty without, 40,000 steps each:

# %% tags=["prediction"]
without_mask = records.load("a2c_dummies")
print(without_mask)
print(without_mask.settings())
late = {
    f"dummies {way}": without_mask.select(dummies=way).column("late")
    for way in ("left out", "learned from")
}
for way, returns in late.items():
    error = returns.std(ddof=1) / len(returns) ** 0.5
    print(f"{way:22} mean {returns.mean():.0f} ± {2 * error:.0f}")

# %% tags=["hide-input", "prediction"]
plots.strip(
    late,
    x_label="mean return of the last 100 updates",
    title="CartPole: twenty seeds show no difference",
)
plt.show()
(left_out, learned_from) = late.values()
assert abs(left_out.mean() - learned_from.mean()) < 30

# %% [markdown]
# Nothing to be seen. (± is twice the standard error of the mean.) Why not? The falsehood is about the fallen pole, and nobody ever asks what a fallen pole is worth: after a termination a return stops, and what is chosen while the pole lies there changes nothing. The fault costs a twentieth of the batch, later less, and that is all. So why an exercise? Other worlds are less kind, as we shall see
# when there is a trainer.

# %% [markdown]
# ## The loss of the batch
#
# Now all parts are there. First the loss of a rollout, with your batch and without the dummies. (It is enough to leave out a dummy's own row. No return runs through a dummy, since the step before it was an end.)
#
# The network is asked twice. The first answer gives the values from which returns bootstrap; the second is of the real steps alone, and carries the gradient. Returns are constants: `a2c_loss` lets no gradient into them.

# %%
GAMMA, VALUE_WEIGHT, ENTROPY_WEIGHT = 0.99, 0.1, 0.01


def loss_of_the_batch(model, rollout, dummies, gamma=GAMMA) -> Loss:
    with torch.no_grad():
        _, values = model(rollout.observations)
    next_values = values_after(model, rollout, values)  # V(o_{t+1}), of every environment
    ends = rollout.terminated, rollout.truncated
    returns = n_step_returns(rollout.rewards, next_values, *ends, gamma)
    observations, actions, returns = one_batch(rollout.observations, rollout.actions, returns)
    real = ~dummies.flatten()
    logits, values = model(observations[real])
    return a2c_loss(logits, values, actions[real], returns[real], VALUE_WEIGHT, ENTROPY_WEIGHT)


# %% [markdown]
# The loop around it you will write yourself, in exercise 6.5. Until then the book lends you one: `train_together(model, envs, loss, mask, total_steps, seed)` plays rollouts of 16 steps, asks your mask which of them are dummies, descends the loss with RMSProp and η = 0.01, brought down to 0 in a straight line, and returns the steps so far, the loss and the finished episodes of each update. It is for environments that reset late. (In those of `make_envs` there are no dummies, and the mask would leave out real steps. The package's trainers know which kind they were given.)
#
# Three numbers stand here without a reason: η = 0.01, and the weights 0.1 and 0.01 of the critic and the entropy. The first two did well on CartPole in a search further down; the third was not searched for.

# %%
from a3c_lib.exercises.a2c import train_together


def poles_as_an_array(num_envs: int = 8):
    return a2c.make_vector_env(CARTPOLE, num_envs)


print(f"Training with {whose(one_batch, dummy_mask)}.")
agent = new_agent(seed=0)
began = time.perf_counter()
history = train_together(agent, poles_as_an_array(), loss_of_the_batch, dummy_mask, 60_000, seed=0)
mean = evaluate(agent, CARTPOLE, seed=1000).mean
print(
    f"{len(history)} updates in {time.perf_counter() - began:.0f} s, then a mean return of {mean:.0f}"
)
assert mean > 100

# %% [markdown]
# (A random policy gets about 20. This agent has not finished: with 200,000 steps all five seeds of a record further down get above 450.)

# %% [markdown]
# ### A world that does not forgive
#
# Now for the world in which dummies do harm. There is a meadow and a pit. In the meadow, *grazing* pays 0.1 and one stays; *jumping* pays 1, once, and one is in the pit. In the pit nothing pays any more, and there is no way out. After five steps a time limit cuts, wherever one is. With $\gamma = 0.95$ all of it can be solved on paper. A time
# limit is not an ending (chapter 02), so grazing for ever is worth $0.1 / (1 - 0.95) = 2$, the pit is worth 0, and a jump $1 + 0 = 1$. Grazing is right.
#
# And with dummies? Let us begin with one-step returns, for which it is easy. Whoever jumps at once has four real steps in the pit, each with the return $\gamma V(\text{pit})$, and then a dummy, which leads back to the meadow and has the return $\gamma V(\text{meadow})$. The mean of the five is what the critic learns:
#
# $$V(\text{pit}) = \tfrac{4}{5}\, \gamma V(\text{pit}) + \tfrac{1}{5}\, \gamma V(\text{meadow}) \quad\Rightarrow\quad V(\text{pit}) = 0.79\, V(\text{meadow}).$$
#
# The pit is worth 0, and is taken for four fifths of a meadow. If the meadow is worth 2, a jump then seems to be worth $1 + 0.95 \cdot 0.79 \cdot 2 = 2.5$, which is more than grazing. So jumping will become likelier. **Predict before you run:** how likely, in the end?


# %% tags=["prediction"]
class Pit(gym.Env):
    MEADOW, PIT = 0, 1
    GRAZE, JUMP = 0, 1
    observation_space = action_space = gym.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.place = self.MEADOW
        return self.place, {}

    def step(self, action):
        if self.place == self.PIT:
            return self.PIT, 0.0, False, False, {}
        self.place = self.PIT if action == self.JUMP else self.MEADOW
        return self.place, 1.0 if action == self.JUMP else 0.1, False, False, {}


def pits_that_reset_late(num_envs: int = 8):
    return SyncVectorEnv(
        [lambda: TimeLimit(Pit(), max_episode_steps=5)] * num_envs,
        autoreset_mode=AutoresetMode.NEXT_STEP,
    )


def learned_in_the_pit(seed: int, mask: bool):
    """Probability of jumping; what the critic says of meadow and pit; and, update by update, which
    part of the real steps was taken in the pit."""
    in_the_pit = []

    def loss_of(model, rollout, dummies) -> Loss:
        there = rollout.observations == Pit.PIT
        in_the_pit.append(there[~dummies].float().mean().item())
        return loss_of_the_batch(model, rollout, dummies & mask, gamma=0.95)

    model = ActorCritic.for_env(Pit(), hidden=(32,), seed=seed)
    train_together(model, pits_that_reset_late(), loss_of, dummy_mask, 8_000, seed=seed)
    with torch.no_grad():
        logits, values = model(torch.tensor([Pit.MEADOW, Pit.PIT]))
    jump = logits[Pit.MEADOW].softmax(dim=-1)[Pit.JUMP].item()
    return jump, values.tolist(), np.array(in_the_pit)


print(f"Training with {whose(one_batch, dummy_mask)}.")
print("dummies        seed   P(jump)   V(meadow)   V(pit)   in the pit: first tenth, last tenth")
learned = {}
for way, mask in {"left out": True, "learned from": False}.items():
    for seed in range(3):
        jump, (meadow, pit), there = learned_in_the_pit(seed, mask)
        learned[way, seed] = jump, meadow, pit
        tenth = len(there) // 10
        print(
            f"{way:14} {seed:4d} {jump:9.3f} {meadow:11.2f} {pit:8.2f}"
            f"{there[:tenth].mean():26.0%} {there[-tenth:].mean():11.0%}"
        )
assert max(learned["left out", seed][0] for seed in range(3)) < 0.05
assert all(0.2 < learned["learned from", seed][0] < 0.6 for seed in range(3))

# %% [markdown]
# With the mask the critic knows that a meadow is worth 2, and nobody jumps. The pit should be worth 0, and the critic says 0.5 to 0.6. At first the agent is in the pit most of the time, later hardly ever, while $V(\text{meadow})$ climbs to 2 in the same network. That the one value pulls the other along, and nothing corrects it any more, is the likely reason; it was not tested.
#
# Without the mask the agent is left in two minds: it jumps at about four steps in ten. Why not always? Because the returns of this chapter look further than one step. A jump with $k$ steps left before the limit, the jump among them, has the return $1 + \gamma^k V(\text{pit})$ (if no rollout ends in between). Late in an episode that is better than grazing. Early in it, it is worse, since one may still graze, and jump later. But the agent sees only "meadow", and not how much time is left: it has one probability for all five steps, and that settles where the early jumps lose as much as the late ones win.
#
# All of this is arithmetic. Episodes of five steps and a dummy, cut into rollouts of 16 steps, are where they were after 48 steps. Go through these backward. Let $W_t$ be the mean return of whoever is in the meadow at step $t$, and $P_t$ that of whoever is in the pit:
#
# $$W_t = p\,(1 + \gamma P') + (1 - p)\,(0.1 + \gamma W'), \qquad P_t = \gamma P'.$$
#
# $W'$ and $P'$ are the next step's $W_{t+1}$ and $P_{t+1}$, or $V(\text{meadow})$ and $V(\text{pit})$ where the limit or the end of a rollout cuts. A dummy has the return $\gamma W'$ in both places. $V(\text{meadow})$ is the mean of the $W_t$, and $V(\text{pit})$ that of the $P_t$, each weighed by how often one is there. We look for the $p$ at which jumping is neither better nor worse, on the average. (The entropy bonus pulls a little towards one half, and is left out.)


# %%
def with_dummies(p: float, gamma: float = 0.95):
    """V(meadow), V(pit) and the mean advantage of a jump, if dummies are learned from and one jumps
    with probability p."""
    meadow = pit = 0.0
    step = np.arange(48) % 6  # of the episode; step 4 meets the limit, and 5 is the dummy
    grazing = (1 - p) ** step  # how likely one is in the meadow still
    for _ in range(200):  # until the two values agree with each other
        W, P, better = np.zeros((3, 49))
        for t in reversed(range(48)):
            cut = step[t] == 4 or t % 16 == 15
            W_next, P_next = (meadow, pit) if cut else (W[t + 1], P[t + 1])
            jump, graze = 1 + gamma * P_next, 0.1 + gamma * W_next
            W[t], P[t], better[t] = p * jump + (1 - p) * graze, gamma * P_next, jump - graze
            if step[t] == 5:
                W[t] = P[t] = gamma * W_next
        meadow = np.average(W[:48], weights=grazing)
        pit = np.average(P[:48], weights=1 - grazing)
    return meadow, pit, np.average(better[:48], weights=grazing * (step < 5))


low, high = 0.01, 0.99
while high - low > 1e-3:
    p = (low + high) / 2
    low, high = (p, high) if with_dummies(p)[2] > 0 else (low, p)
meadow, pit, _ = with_dummies(p)
print(f"in balance: P(jump) = {p:.2f}, V(meadow) = {meadow:.2f}, V(pit) = {pit:.2f}")
for seed in range(3):
    assert np.allclose(learned["learned from", seed], [p, meadow, pit], atol=0.1)

# %% [markdown]
# That is what the three runs without a mask came to: a balance, and no unfinished learning.

# %% [markdown]
# ### Exercise 6.4  Bug hunt: a poor actor
#
# A colleague found `one_batch` and the function above too long, and wrote the loss of the batch in one piece, without flattening anything. It runs. For a single step of one environment it gives the right number. And it learns; see how much:

# %%
from a3c_lib.exercises.a2c import batch_loss_with_a_bug


def weighed(loss_function):
    """A loss for `train_together`, with this page's constants."""

    def loss_of(model, rollout, dummies):
        return loss_function(model, rollout, dummies, GAMMA, VALUE_WEIGHT, ENTROPY_WEIGHT)

    return loss_of


def mean_return(some_history, updates: int = 100) -> float:
    """Of the episodes that ended in the last so many updates."""
    return np.mean([e.episode_return for _, _, ended in some_history[-updates:] for e in ended])


colleagues = train_together(
    new_agent(seed=0),
    poles_as_an_array(),
    weighed(batch_loss_with_a_bug),
    dummy_mask,
    40_000,
    seed=0,
)
yours = history[: len(colleagues)]  # as many updates, of the 60,000 steps from above
print(f"mean return of the last 100 updates: {mean_return(colleagues):.0f}")
print(f"and with your batch:                 {mean_return(yours):.0f}")
assert mean_return(colleagues) < 0.75 * mean_return(yours)

# %% [markdown]
# It is not dead, it is only poor. Most faults of this kind look like a badly chosen learning rate, and whoever tunes the learning rate will never find them. The critic's part of the loss agrees with yours to the last digit; so does the entropy. **Find the fault and mend it.** One line is wrong; you may mend it there, or in the line where its result is used.


# %% tags=["nbval-check-output"]
@exercise("6.4")
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


# %%
print(f"Training with {whose(batch_loss)}.")
mended = train_together(
    new_agent(seed=0), poles_as_an_array(), weighed(batch_loss), dummy_mask, 40_000, seed=0
)
print(f"the last 100 updates: {mean_return(mended):.0f}; before: {mean_return(colleagues):.0f}")
assert mean_return(mended) > 1.4 * mean_return(colleagues)

# %% [markdown]
# This fault has a name, the **silent broadcast**: a column $(M, 1)$ times a row $(M,)$ is a table $(M, M)$. Every action's $\log \pi$ meets every advantage, and the mean of such a table is the product of two means:
#
# $$\frac{1}{M^2} \sum_i \sum_j \log \pi(a_i)\, A_j = \Bigl(\frac{1}{M} \sum_i \log \pi(a_i)\Bigr) \Bigl(\frac{1}{M} \sum_j A_j\Bigr).$$
#
# All actions of a batch are praised or blamed alike, by its mean advantage. What an action did itself no longer counts; that anything is learned at all is because some rollouts are better than others as a whole. With $M = 1$ nothing is wrong. The fault shows when somebody makes the batch larger. (The package's `a2c_loss` refuses shapes that differ.)

# %% [markdown]
# ## Everything together
#
# You have met every part of the agent. Now write the whole: the loop that acts, looks back, makes returns and a batch, descends the loss and goes on.
#
# ### Exercise 6.5  A2C, from an empty cell
#
# Train `model` until `config.total_steps` real steps are taken, and return how many were. This is what you have:
#
# | | |
# |---|---|
# | `sampled(model, player.generator)` | the policy that draws its actions from what the model says at that moment |
# | `player.play(policy, config.t_max).rollout` | a rollout of all environments, from where the last one stopped |
# | `rollout.dummies` | your mask, as the package makes it: all False where environments reset in the step that ends |
# | `values_after(model, rollout, values)` | $V(o_{t+1})$ of every step, constants |
# | `n_step_returns`, `a2c_loss` | as above; the loss is of the real steps |
# | `clip_gradients(gradients, config.max_grad_norm)[0]` | the gradients, clipped all together |
# | `optimizer.parameters`, `optimizer.step(gradients, learning_rate)` | the list of the model's parameters; `step` writes into them, without a gradient |
# | `config` | `total_steps`, `t_max`, `gamma`, `learning_rate`, `value_weight`, `entropy_weight`, `max_grad_norm` |
#
# The learning rate comes down in a straight line, from `config.learning_rate` to 0 after `total_steps`. An update takes the rate that belongs to the steps *before* its rollout. Only real steps count. The last rollout is played whole, even if it goes beyond the budget.
#
# The checker hands your loop rollouts that are written down, and compares every gradient, every learning rate and the number of updates. Do not learn from the steps that `rollout.dummies` marks. (Your own mask of exercise 6.3 will not do: it cannot know which environments reset late.) Take γ and the weights from `config`. `one_batch` or a mask as an index, and in how many lines: as you like. After that two worlds judge it.


# %% tags=["nbval-check-output"]
@exercise("6.5")
def train_a2c(model: ActorCritic, player: Player, optimizer: optim.RMSProp, config) -> int:
    """Train `model` in the environments of `player` until `config.total_steps` steps are taken.
    → how many were."""
    ### BEGIN SOLUTION
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
    ### END SOLUTION


# %% [markdown]
# The first judge is the package. Its trainer does the same, and more besides: it counts, reports, can be stopped and resumed, and takes models with memory. If both are A2C, they must agree after a few updates from the same seed. (Bit for bit they need not: a mean over one axis may be rounded otherwise than one over two.)

# %%
print(f"Training with {whose(train_a2c)}.")


def learned_by(model, envs, config) -> int:
    """Train with your loop, and with the seeds of the package's trainers.   → steps"""
    player = Player(envs, seeds(config.seed, steps=0), model)
    steps = train_a2c(model, player, optim.RMSProp(model.parameters()), config)
    player.close()
    return steps


config = a2c.Config(
    total_steps=640,
    t_max=16,
    num_envs=8,
    learning_rate=0.01,
    value_weight=VALUE_WEIGHT,
    entropy_weight=ENTROPY_WEIGHT,
    fast_envs=False,
    seed=0,
)
here, there = new_agent(seed=0), new_agent(seed=0)
steps = learned_by(here, make_envs(CARTPOLE, 8), config)
with a2c.train(there, CARTPOLE, config) as training:
    updates = list(training)
moved = (weights_of(there) - weights_of(new_agent(seed=0))).abs().max()
apart = (weights_of(here) - weights_of(there)).abs().max()
print(f"{len(updates)} updates, {steps} steps here, {updates[-1].steps} there")
print(f"the weight that moved most moved by {moved:.3f}; here and there differ by {apart:.0e}")
assert steps == updates[-1].steps == 640
assert apart < 0.01 * moved

# %% [markdown]
# And now the worlds. Three seeds of CartPole, 60,000 steps each; a random policy gets about 20. One seed of Catch, 30,000 steps; a random paddle gets about −0.6, and 1 is the most there is.


# %%
def flat_catch() -> gym.Env:
    env = DtypeObservation(FlattenObservation(gym.make("a3c_lib/Catch-v0")), np.float32)
    return RescaleObservation(env, np.float32(0), np.float32(1))


def judged(world: str, mean: float, enough: float) -> None:
    print(f"{'✓' if mean >= enough else '✗'} {world}: mean return {mean:.2f}; enough is {enough}")


print(f"Training with {whose(train_a2c)}.")
config = a2c.Config(
    total_steps=60_000,
    t_max=16,
    num_envs=8,
    learning_rate=0.01,
    value_weight=VALUE_WEIGHT,
    entropy_weight=ENTROPY_WEIGHT,
)
returns = []
for seed in range(3):
    agent = new_agent(seed)
    learned_by(agent, poles_as_an_array(), replace(config, seed=seed))
    returns.append(evaluate(agent, CARTPOLE, seed=1000 + seed).mean)
judged("CartPole", np.mean(returns), enough=150)

catcher = ActorCritic.for_env(flat_catch(), hidden=(128,), seed=1)
learned_by(
    catcher,
    make_envs(flat_catch, 8),
    replace(config, total_steps=30_000, value_weight=0.5, seed=1),
)
caught = evaluate(catcher, flat_catch, seed=1001).mean
judged("Catch", caught, enough=0.5)
assert np.mean(returns) > 150
assert caught > 0.5

# %% [markdown]
# This is your agent, the last of the three, with its likeliest actions:

# %%
animate(
    play(greedy(agent), CARTPOLE, seed=3, max_steps=150),
    fps=25,
    alt="The agent trained by the loop of exercise 6.5 moves the cart to and fro under the pole.",
)

# %% [markdown]
# ## A3C against A2C at equal steps
#
# Which of the two learns more from the same number of steps? That is a question of [**sample efficiency**](../docs/glossary.md#sample-efficiency), not of speed. A fair comparison needs the same in everything else: eight workers of one environment each against eight environments, rollouts of 16 steps, the same network, RMSProp, loss and $\beta$. And the same tuning: four learning rates each, and in CartPole two weights of the critic's loss. Two worlds: CartPole, 60,000 steps, and chapter 02's
# Catch, 30,000. Five seeds of each. The workers act in turn, so that the runs can be repeated; each gradient is then seven updates old when it is applied. Afterwards come 100 evaluation episodes with sampled actions.
#
# **Write down a guess:** who wins, and whose best learning rate is the larger one?

# %% tags=["prediction"]
record = records.load("a2c_equal_steps")
print(record)
print(record.settings(training=config))

# %% tags=["hide-input", "prediction"]
outcomes = {}  # world, weight, algorithm → learning rate → the seeds' evaluations
for row in record.rows:
    key = row["world"], row["value_weight"], row["algorithm"]
    by_rate = outcomes.setdefault(key, {}).setdefault(row["learning_rate"], {})
    by_rate[row["seed"]] = row["evaluated"]  # the same in all rows of a run

panels = plots.axes(10.5, 3.5, columns=3)
for ax, case in zip(panels, (("CartPole", 0.01), ("CartPole", 0.1), ("Catch", 0.5)), strict=True):
    for algorithm, shift, form in ("A2C", 0.96, "-"), ("A3C", 1.04, "--"):
        by_rate = {rate: [*runs.values()] for rate, runs in outcomes[*case, algorithm].items()}
        rates = np.array([*by_rate]) * shift  # side by side, so that no mark hides another
        means = [np.mean(runs) for runs in by_rate.values()]
        (line,) = ax.plot(rates, means, form, label=algorithm)
        for rate, runs in zip(rates, by_rate.values(), strict=True):
            ax.scatter([rate] * len(runs), runs, s=14, color=line.get_color(), clip_on=False)
    ax.set(xscale="log", xlabel="learning rate η", title=f"{case[0]}, critic's weight {case[1]:g}")
    ax.set_xticks([*by_rate], [f"{rate:g}" for rate in by_rate])
    ax.minorticks_off()
panels[0].set(ylabel="return after training")
panels[2].legend(loc="lower right", handlelength=3)
title = "Of the four learning rates A2C's best is the larger one"
panels[0].figure.suptitle(title, x=0.01, ha="left", fontweight="bold")
plt.show()

# %% [markdown]
# One dot a seed, and a line through the means. (Equal returns lie on one another: the blue dot at the top right of the second panel is five.) Now the best setting of each, by the mean over its seeds, with the returns in the order of the seeds:

# %% tags=["hide-input", "prediction"]
best = {}
for world in "CartPole", "Catch":
    for algorithm in "A2C", "A3C":
        mean, rate, weight, runs = max(
            (np.mean([*runs.values()]), rate, weight, [*runs.values()])
            for (w, weight, a), by_rate in outcomes.items()
            for rate, runs in by_rate.items()
            if (w, a) == (world, algorithm)
        )
        best[world, algorithm] = mean, rate, weight
        digits = 2 if world == "Catch" else 0
        seeds_returns = "  ".join(f"{R:.{digits}f}" for R in runs)
        print(
            f"{world:8} {algorithm}: η = {rate:<5g} weight {weight:<4g} mean {mean:6.2f}  {seeds_returns}"
        )

# %% tags=["hide-input"]
panels = plots.axes(10, 3.5, columns=2)
for world, ax in zip(("CartPole", "Catch"), panels, strict=True):
    curves = {}
    for algorithm in "A2C", "A3C":
        _, rate, weight = best[world, algorithm]
        runs = record.select(
            world=world, algorithm=algorithm, learning_rate=rate, value_weight=weight
        )
        curves[algorithm] = runs.curves("steps", "episode_return")
    plots.learning_curves(
        curves, title=f"{world}, the best of each", y_label="mean of the last 50 episodes", ax=ax
    )
title = "At equal steps neither wins"
panels[0].figure.suptitle(title, x=0.01, ha="left", fontweight="bold")
plt.show()

# %% [markdown]
# In CartPole A2C is ahead: at its best all five seeds reach 500, the most there is, and A3C's do not. In Catch A3C is ahead by a little: its five seeds are all above 0.95, and one of A2C's stays near 0.5. (The curves are medians, which that seed does not move.) So **neither wins**. Five seeds in two small worlds do not make a law.
#
# What both worlds agree on is the learning rate: A2C's best is the larger one, three to ten times A3C's. (In Catch that rests on little: A2C's means at 0.01 and at 0.03 are 0.85 and 0.91, with one low seed in each.) With small rates A3C has learned more, or as much: it makes eight updates while A2C makes one. With larger rates some of its runs break. Nine points are what CartPole pays a policy that always pushes to one side; how many runs ended like that?

# %% tags=["hide-input"]
broken = dict.fromkeys(("A2C", "A3C"), 0)
for (world, _, algorithm), by_rate in outcomes.items():
    if world == "CartPole":
        broken[algorithm] += sum(R < 15 for runs in by_rate.values() for R in runs.values())
print(f"runs of 40 that ended below 15: A2C {broken['A2C']}, A3C {broken['A3C']}")

means = {
    (*key, rate): np.mean([*runs.values()])
    for key, by_rate in outcomes.items()
    for rate, runs in by_rate.items()
}
for world, weight in ("CartPole", 0.01), ("CartPole", 0.1), ("Catch", 0.5):
    assert best[world, "A2C"][1] >= 2 * best[world, "A3C"][1]
    assert means[world, weight, "A3C", 0.003] > means[world, weight, "A2C", 0.003]
assert best["CartPole", "A2C"][0] > best["CartPole", "A3C"][0] + 50
assert best["Catch", "A3C"][0] > best["Catch", "A2C"][0]
assert broken["A3C"] >= 1.5 * broken["A2C"]

# %% [markdown]
# (A2C's best rates are the largest that were tried. Still larger ones were not, so its best may be better than it looks here.) So the number of updates, and the batch of each, decide which rate is good. If you change either, tune the learning rate anew. A comparison with the same rate for both says nothing: at 0.003 A3C would have won everywhere.

# %% [markdown]
# ## Is a batch better if it comes from many environments?
#
# Chapter 05 showed that successive gradients of one worker are alike, and those of several workers less so: their steps are *decorrelated*. The paper sees in that a reason why parallel workers learn stably. In A2C the question is easy to ask, for the size of a batch can be kept: 128 steps may be 128 steps of one environment, 16 of each of 8, or 4 of each of 32. The batch is the same, and so is the number of updates.
#
# One thing would spoil the comparison. A rollout of 128 steps also looks 128 steps ahead, and one of 4 only 4. So there are two series: in one the returns look as far as their rollout goes; in the other all look at most 4 steps ahead, and only the environments differ. Ten seeds, three worlds: CartPole, 40,000 steps, whose episodes become long; Catch, 20,000, whose episodes have nine steps; and chapter 03's trap, 20,000, whose large reward lies eight steps from the start. **Write down a guess:** by how much do 32 environments beat one?

# %% tags=["hide-input"]
decorrelated = records.load("decorrelation")
print(decorrelated)
print(decorrelated.settings(training=config))

# %% tags=["prediction"]
print("world     environments × steps   looks ahead   mean ± 2 standard errors   seed by seed")
mean_of = {}
for world in decorrelated.levels("world"):
    for look_ahead in "its rollout", 4:
        for N in 1, 8, 32:
            steps = 128 // N if look_ahead == "its rollout" else 4
            runs = decorrelated.select(world=world, num_envs=N, look_ahead=steps)
            last = [runs.select(seed=seed).column("evaluated")[-1] for seed in runs.levels("seed")]
            error = np.std(last, ddof=1) / len(last) ** 0.5
            mean_of[world, N, look_ahead] = np.mean(last), error
            digits = 0 if world == "CartPole" else 2
            print(
                f"{world:9} {N:7d} × {128 // N:<10d} {look_ahead!s:>14}"
                f"{np.mean(last):14.{digits}f} ± {2 * error:<10.{digits}f}",
                " ".join(f"{R:.{digits}f}" for R in last),
            )

# %% tags=["hide-input"]
for world in decorrelated.levels("world"):
    (one, error), (many, other) = mean_of[world, 1, 4], mean_of[world, 32, 4]
    print(
        f"{world:9} 32 environments less one: {many - one:6.2f} ± {2 * np.hypot(error, other):.2f}"
    )
    assert abs(many - one) < 2 * np.hypot(error, other)
assert mean_of["Catch", 1, "its rollout"][0] > mean_of["Catch", 1, 4][0] + 0.3
assert mean_of["CartPole", 1, 4][0] > mean_of["CartPole", 1, "its rollout"][0] + 80

# %% tags=["hide-input"]
panels = plots.axes(10.5, 3.5, columns=3)
for world, ax in zip(decorrelated.levels("world"), panels, strict=True):
    curves = {}
    for N in 1, 8, 32:
        runs = decorrelated.select(world=world, num_envs=N, look_ahead=4)
        by_steps = runs.curves("steps", "episode_return")
        curves[f"{N} × {128 // N}"] = [(steps / 1000, mean) for steps, mean in by_steps]
    plots.learning_curves(
        curves,
        centre="mean",
        title=world,
        x_label="thousand steps",
        y_label="mean of the last 50 episodes",
        ax=ax,
    )
title = "4 steps ahead: with more environments no world is learned faster"
panels[0].figure.suptitle(title, x=0.01, ha="left", fontweight="bold")
plt.show()

# %% [markdown]
# **With equal look-ahead the evaluations after training show nothing.** 32 environments less one make −50 ± 125 points in CartPole, −0.03 ± 0.17 in Catch and −0.08 ± 0.12 in the trap, where one of the ten seeds with 32 environments stayed at the near exit. So these ten seeds show no gain in any of the three worlds. They do not show that there is none: in CartPole a gain of 70 points still lies within the ±. (Compare the table, not the figure: its curves are late where environments are many. With 32 of them an episode of 300 steps began 9,600 steps ago.)
#
# **How far returns look shows more.** In Catch the only reward comes with an episode's last step. There one environment that looks 4 steps ahead ends at −0.06, and one that looks as far as its rollout, 128 steps, at 0.42. In CartPole it is the other way round: one environment that looks 4 steps ahead ends at 350 ± 81, and one that looks 128 ahead at 222 ± 45. So whoever changes a batch's shape should ask first what became of the returns. (All of this is at one learning rate for each world, and for batches of 128 steps. Chapter 05's gradients were of 5.)

# %% [markdown]
# ## At equal seconds
#
# Steps are what a simulator costs. Seconds are what you wait. Here each algorithm does what suits it on a machine with two cores. A2C runs eight environments in one process, on one core; in CartPole they are Gymnasium's, as one array. A3C runs two workers in two processes, in two ways: with one environment each, as chapter 05 did, and with eight each, "2 × 8".
# Those differ in the batch, and in the settings that were tuned for it (below). So that the fast poles can be told from the rest, A2C runs with ordinary ones as well ("one by one").
#
# All have the best settings from above, and A3C with 2 × 8 those of A2C, whose batch it has. In CartPole A3C with 2 × 1 has a second try, with a larger rate and weight, since two workers make fewer old gradients than eight; to be fair, A2C and 2 × 8 have one too. A run lasts 5 to 12 seconds in CartPole and 5 to 6 in Catch, and there are five seeds. Seconds count from the first update on. "Enough" is a mean return of 400 in CartPole and of 0.8 in Catch over the last 50 *training* episodes; a dash says that a seed did not get there. That mean lags behind: a run that has learned late may have a dash and be perfect afterwards. So the returns of 100 episodes after the training stand below it.
#
# **Write down a guess:** who takes most steps a second, and who is first?

# %% tags=["hide-input"]
timed = records.load("a2c_equal_seconds")
print(timed)
print(timed.settings(training=config))

ENOUGH = {"CartPole": 400, "Catch": 0.8}  # mean return of 50 episodes


def name_of(row) -> str:
    together = "8" if row["algorithm"] == "A2C" else f"2 × {row['num_envs']}"
    slow = row["world"] == "CartPole" and row["algorithm"] == "A2C" and row["fast_envs"] == "False"
    return f"{row['algorithm']} {together}{' one by one' * slow}, η {row['learning_rate']:g}"


by_setting = {}  # world and name → seed → rows of the run
for row in timed.rows:
    runs = by_setting.setdefault((row["world"], name_of(row)), {})
    runs.setdefault(row["seed"], []).append(row)

# %% tags=["prediction"]
speed, evaluated = {}, {}
for (world, name), runs in by_setting.items():
    speed[world, name] = np.median([its[-1]["steps"] / its[-1]["seconds"] for its in runs.values()])
    evaluated[world, name] = [its[-1]["evaluated"] for its in runs.values()]
    starting = np.median([its[0]["startup"] for its in runs.values()])
    print(f"{world}, {name}: {speed[world, name]:,.0f} steps/s, {starting:.1f} s to start")
    arrived = []
    for its in runs.values():
        there = [row["seconds"] for row in its if row["episode_return"] >= ENOUGH[world]]
        arrived.append(f"{there[0]:6.1f}" if there else "     –")
    print("    seconds until enough, seed by seed", *arrived)
    digits = 2 if world == "Catch" else 0
    print(
        "    evaluated at the end, seed by seed",
        *(f"{R:6.{digits}f}" for R in evaluated[world, name]),
    )

# %% [markdown]
# The next figure shows, for each kind, the setting with the better mean evaluation after training. (Dotted: the run is over. A band goes from the lowest seed to the highest; the mean of 50 episodes of a single run falls and recovers now and then.)

# %% tags=["hide-input", "prediction"]
KINDS = {"A2C 8": "A2C 8,", "A3C 2 × 1": "A3C 2 × 1,", "A3C 2 × 8": "A3C 2 × 8,"}
panels = plots.axes(10, 3.9, columns=2)
for world, ax in zip(ENOUGH, panels, strict=True):
    curves = {}
    for kind, begins in KINDS.items():
        _, name = max(
            (np.mean(evaluated[w, name]), name)
            for w, name in by_setting
            if w == world and name.startswith(begins)
        )
        curves[kind] = [
            ([row["seconds"] for row in its], [row["episode_return"] for row in its])
            for its in by_setting[world, name].values()
        ]
    plots.learning_curves(
        curves,
        title=world,
        x_label="seconds of training",
        y_label="mean of the last 50 episodes",
        ax=ax,
    )
title = "At equal seconds A3C is late with one environment a worker, not with eight"
panels[0].figure.suptitle(title, x=0.01, ha="left", fontweight="bold")
plt.show()

assert speed["CartPole", "A2C 8, η 0.01"] > 2 * speed["CartPole", "A3C 2 × 1, η 0.01"]
assert speed["Catch", "A2C 8, η 0.03"] > 2 * speed["Catch", "A3C 2 × 1, η 0.01"]
assert speed["CartPole", "A3C 2 × 8, η 0.01"] > 2 * speed["CartPole", "A3C 2 × 1, η 0.01"]
assert speed["CartPole", "A3C 2 × 8, η 0.01"] > 1.5 * speed["CartPole", "A2C 8, η 0.01"]
assert speed["Catch", "A3C 2 × 8, η 0.03"] > 1.5 * speed["Catch", "A2C 8, η 0.03"]
assert min(evaluated["CartPole", "A2C 8, η 0.01"]) > 450

# %% [markdown]
# Who takes more steps a second? First A3C beside A3C, where for the speed only the number of a worker's environments matters; then A2C beside A3C with as large a batch:

# %%
FAST, SLOW = "A2C 8, η 0.01", "A2C 8 one by one, η 0.01"
for world, one, other in (
    ("CartPole", "A3C 2 × 8, η 0.01", "A3C 2 × 1, η 0.01"),
    ("Catch", "A3C 2 × 8, η 0.03", "A3C 2 × 1, η 0.01"),
    ("CartPole", FAST, SLOW),
    ("CartPole", SLOW, "A3C 2 × 8, η 0.01"),
    ("CartPole", FAST, "A3C 2 × 8, η 0.01"),
    ("Catch", "A2C 8, η 0.03", "A3C 2 × 8, η 0.03"),
):
    times = speed[world, one] / speed[world, other]
    print(f"{world:8}  {one:25} takes {times:4.1f} times the steps a second of {other}")

# %% tags=["hide-input"]
config = a2c.Config(total_steps=8_000, t_max=16, num_envs=8, fast_envs=False, seed=0)
with a2c.train(new_agent(seed=0), CARTPOLE, config) as training:
    first, began = next(training).steps, time.perf_counter()
    whole = (list(training)[-1].steps - first) / (time.perf_counter() - began)
part = seconds_per_step(a2c.make_vector_env(CARTPOLE, 8, fast=False)) * whole
print(f"live: of a step of A2C with 8 ordinary CartPoles, the environment takes {part:.0%}")

# %% [markdown]
# With eight environments a worker A3C takes about six times the steps a second that it takes with one. It then takes 1.8 to 2.2 times those of A2C in one process: it has two cores, and batches as large. (Eight poles as one array are hardly faster than eight ordinary ones here: the environment is a small part of a step, says the last line, so a faster one gains little.) In CartPole it is first to enough, after 2.2 seconds (the median) against 3.0, but its processes take more than a second to start. In Catch both have enough within a second in the median. One of A2C's five seeds ends at 0.6 there, though.
#
# With one environment a worker A3C is later. In CartPole five of its ten runs have enough, after 7 to 10 seconds, and the other five have not in the 10 to 12 seconds that they last. In Catch two of five have enough, after 1.2 and 2.8 seconds. Two such workers are as asynchronous as two with eight environments each. What differs is the size of their batches, in asking and in learning (an update per 16 steps instead of per 128).
#
# Keep in mind:
#
# - With η = 0.03, the best rate at equal steps, a run may break here: one of A2C's five in CartPole ended at 9. The random numbers are others than above, and there are more steps. A rate that is best on five seeds may be one step from the edge.
# - A step of these worlds costs next to nothing. Where a step takes long, in a big simulator say, what counts is how many are taken at a time.

# %% [markdown]
# ## Which of the two, when
#
# Chapter 07 will have both again, with pictures and a larger network, and with 16 environments a worker. There A3C makes more steps a minute than A2C in two processes (8 each), 130,000 to 140,000 against 95,000 to 110,000, and both learn Pong within minutes. Together with this chapter's measurements:
#
# | if | take | because |
# |---|---|---|
# | you want to look into a run, or repeat it | A2C, in one process | it is the same bit for bit |
# | environments come as one array (Gymnasium's CartPole, simulators on a graphics card) | A2C | one question and one step for all of them; it pays where there are many (eight CartPoles gained little) |
# | you have several cores, and steps take about equally long | A3C with several environments a worker, or `parallel_a2c` | both use all cores; A3C saves the waiting, `parallel_a2c` has no old gradients |
# | some steps take much longer than others | A3C | nobody waits for the longest |
# | your environments are few and slow | either, with a process for each | a step of the environment costs more than all the rest |
#
# From the same number of steps neither is the better one throughout: A2C was ahead in CartPole, A3C by a little in Catch, and in Pong their runs overlap.

# %% [markdown]
# ## With memory
#
# With chapter 04's LSTM each environment has a memory of its own, a row of $h$ and a row of $c$. It is carried from rollout to rollout. It is zeroed for one environment when *its* episode ends, and once more after a dummy step. That holds for A2C's $N$ environments, and for those of each worker. The world is chapter 04's T-maze. A sign shows up or down; then come five squares of
# corridor, in which it is out of sight; then the junction, where the right turn pays 1 and the wrong one −1. Without memory half of all turns are right, whatever one does, and the mean return is 0.
#
# Here it is with A3C: two workers in two processes, eight mazes each.

# %%
maze = "a3c_lib/TMaze-v0"
model = RecurrentActorCritic.for_env(gym.make(maze), hidden=(32,), cells=32, seed=1)
config = a3c.Config(
    total_steps=80_000,
    t_max=32,
    num_envs=8,
    num_workers=2,
    learning_rate=0.01,
    entropy_weight=0.02,
    seed=1,
)
with a3c.train(model, maze, config) as training:
    updates = list(track(training))
turns = evaluate(model, maze, seed=1001).mean
print(f"{len(updates)} updates; mean return of 100 episodes: {turns:.2f}")
assert turns > 0.3

# %% [markdown]
# And on record, five seeds of both algorithms, with 16 mazes each in all. (A3C's workers take turns there, so that the runs can be repeated.)

# %% tags=["hide-input"]
memories = {"A2C": records.load("a2c_recurrent"), "A3C": records.load("a3c_recurrent")}
final = {}
panels = plots.axes(10, 3.4, columns=2)
for (algorithm, memory), ax in zip(memories.items(), panels, strict=True):
    print(f"{algorithm}. {memory}")
    print(memory.settings(world=maze, model=model, training=config))
    plots.learning_curves(
        {
            network: memory.select(network=network).curves("steps", "episode_return")
            for network in ("LSTM", "no memory")
        },
        lines={"always right": 1.0},
        title=f"{algorithm} with memory learns the T-maze",
        y_label="mean of the last 100 episodes",
        ax=ax,
    )
    for network in "LSTM", "no memory":
        runs = memory.select(network=network)
        final[algorithm, network] = [
            runs.select(seed=seed).column("evaluated")[-1] for seed in runs.levels("seed")
        ]
        print(f"{network:9} seed by seed:", *(f"{R:.2f}" for R in final[algorithm, network]))
plt.show()
for algorithm in memories:
    assert min(final[algorithm, "LSTM"]) > 0.7
    assert max(final[algorithm, "no memory"]) < 0.4

# %% [markdown]
# ## An open question: a graphics processor
#
# A graphics processor (GPU) multiplies large matrices at enormous speed, and takes its time, whatever the size, to be asked and to answer. A2C comes with $N$ observations at each step and $T \cdot N$ at each update, so the price of asking is divided among many. That is one of OpenAI's reasons for A2C, and it is plausible for a large network and many environments.
#
# **This book has not measured it**: no GPU was available where it was made. `a2c.Config(device="cuda")` moves the network there; environments, actions and random numbers stay on the CPU. The tests check, without a GPU, that a rollout goes where the network is. If your machine has one, this cell compares:

# %%
for device in ["cpu"] + ["cuda"] * torch.cuda.is_available():
    for N in 8, 128:
        config = a2c.Config(total_steps=500 * N, t_max=16, num_envs=N, device=device, seed=0)
        with a2c.train(new_agent(seed=0), CARTPOLE, config) as training:
            began = time.perf_counter()
            steps = list(training)[-1].steps
            seconds = time.perf_counter() - began
        print(f"{device}, {N:3d} environments: {steps / seconds:6.0f} steps a second")

# %% [markdown]
# ## What it cost
#
# - **Waiting.** Those who act together wait for the slowest. With steps that take equally long it hardly shows; with 32 environments and exponentially distributed times it was a factor of four.
# - **Fewer updates.** With one environment a worker, A3C makes $N$ updates where A2C makes one of $N$ times as many steps. The learning rate has to be tuned anew.
# - **One core.** A2C as written here runs in one process. Chapter 07's `parallel_a2c` shares its environments out to several, which meet once an update, and computes the same. (Gymnasium's `AsyncVectorEnv` has a process for each environment and sends messages at every step; that can pay only where a step takes long.)
# - **Care with resets.** A dummy step after each end, where the fast environments reset late.
# - **Every step is used once.** A2C and A3C are [**on-policy**](../docs/glossary.md#on-policy): a rollout of older parameters teaches the wrong gradient, so it is thrown away after its update. [**PPO**](../docs/glossary.md#ppo), the relative of A2C that is used most today, takes several steps on each batch, and limits how far the policy may move meanwhile.
#
# What it gains: runs that can be repeated and looked into, gradients that are never old, the network in bulk.

# %% [markdown]
# ## Where the paper says it
#
# It does not: A2C is not in the paper of 2016. It was described in 2017, by OpenAI, in [a note on A2C and ACKTR](../docs/bibliography.md#after-it), and came with a program.
#
# | here | source | what differs |
# |---|---|---|
# | one update with the mean over all, and nobody goes on before it | OpenAI, *ACKTR & A2C*, 2017: wait for each actor to finish its stretch | here all wait at each step as well |
# | is asynchrony itself a help? | the same note: no evidence was seen that its noise helps | here measured on two small worlds |
# | A2C is said to do as well as A3C, or better | the same note says both, in different sentences | – |
# | `num_envs` 8, `t_max` 16 or 32 | OpenAI's program: 5 steps a rollout, learning rate 0.0007 annealed, weight of the value 0.5, of the entropy 0.01, gradients cut at norm 0.5, RMSProp with 0.99 and 0.00001 | a small network and few steps want larger learning rates |
# | RMSProp with ε inside the root | the paper on A3C; OpenAI's A2C | – |
# | $W$ workers, $W$ updates | the paper on A3C: 16 threads with an environment each, $t_{max} = 5$ | A2C makes one of them |

# %% [markdown]
# ## What to try next
#
# 1. More environments: `num_envs=32` with the same learning rate. Does it learn less from the same number of steps? Which learning rate mends that?
# 2. Shorter rollouts and more environments: `t_max=2, num_envs=64` has the same batch. What happens to the returns, which now look less far?
# 3. Let the pit's time limit be 50 steps instead of 5. Compute $V(\text{pit})$ on paper first, with one-step returns: do the dummies still mislead?
# 4. With `lambda: gym.make(maze, length=10)` in the place of `maze`, the sign is shown 11 steps before the turn. Is it still learned, and if not, what helps: more steps, a longer rollout, more environments?
# 5. `start` gives each environment a seed of its own. Suppose that all had the same seed: what would a batch be worth if they all began alike, and the policy were nearly certain?
# 6. On-policy, or not quite: let your `train_a2c` take two steps of the optimiser on each rollout, or four, with the returns computed anew each time. From how many on does it learn less?
#
# <details><summary>Answers to 3 and 5</summary>
#
# 3: Of 50 steps in the pit 49 are real and one is a dummy, so $V(\text{pit}) = \frac{49}{50} \gamma V(\text{pit}) + \frac{1}{50} \gamma V(\text{meadow})$, which makes it 0.28 $V(\text{meadow})$. A jump then seems to be worth $1 + 0.95 \cdot 0.28 \cdot 2 = 1.5$, less than grazing. The value is still wrong, but it misleads nobody.
#
# 5: Environments that begin alike and are treated alike stay alike. A nearly certain policy treats them alike, so the batch holds one rollout, $N$ times: its gradient is that of a single environment, and no less noisy.
#
# </details>

# %%
num_envs, t_max, learning_rate, seed = 32, 16, 0.01, 0

model = new_agent(seed)
config = a2c.Config(
    total_steps=60_000,
    t_max=t_max,
    num_envs=num_envs,
    learning_rate=learning_rate,
    value_weight=VALUE_WEIGHT,
    seed=seed,
)
with a2c.train(model, CARTPOLE, config) as training:
    updates = list(track(training))
print(f"{len(updates)} updates; {evaluate(model, CARTPOLE, seed=1000).mean:.0f}")

# %% [markdown]
# ## Summary
#
# - A2C: $N$ environments in step with each other, one batch of $T \cdot N$ steps, one update, and on. The losses and returns are A3C's.
# - Its gradient, before clipping, is the mean of what $N$ workers would send, all taken at the same θ. With one worker and one environment the two algorithms are the same, bit for bit.
# - Flatten everything in the same order, give both factors of a product the same shape, and do not learn from a step that only resets.
# - At equal steps neither wins: A2C is ahead in CartPole, A3C by a little in Catch. The best learning rate goes with the number of updates and the batch of each; what is best for one is worse for the other, in CartPole much worse.
# - With batches of 128 steps and returns that look equally far, steps of 32 environments taught no more than as many steps of one, as far as ten seeds in three small worlds can tell.
# - At equal seconds the size of the batch counts, in asking and in learning. A3C with one environment a worker took a third of A2C's steps a second in Catch, and a little more than a quarter in CartPole; with eight it takes 1.8 to 2.2 times as many as A2C in one process.
# - With memory, both work as they do without.
# - You have written A2C.

# %%
progress()

# %% [markdown]
# This is the end of Part I. What comes next: [chapter 07](07_atari.ipynb), in which all that the agent is told is what is on the screen of an Atari game.
