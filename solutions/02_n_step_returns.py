# %% [markdown]
# # 02  n-step returns
#
# **You need** chapter 00 (returns, terminated and truncated) and chapter 01 (rollouts, actor and critic, one-step targets).<br>
# **You will be able to** turn a rollout of several environments into n-step returns, whichever way its episodes end; measure the bias and the variance of a target; and say when looking further ahead
# pays.<br>
# **Time** {time}; the computer works for half a minute.
#
# Chapter 01's critic learns each value from the one next door. *What does that cost when the only reward comes at the very end? And what does it cost to look further?*

# %%
from functools import partial
from types import SimpleNamespace

import gymnasium as gym
import matplotlib.pyplot as plt
import numpy as np
import torch
from gymnasium.wrappers import DtypeObservation, FlattenObservation, RescaleObservation
from torch import Tensor

from a3c_lib import ActorCritic, Rollout, collect, evaluate, greedy, make_envs, sampled, start
from a3c_lib.actor_critic import Config, actor_critic_loss, one_step_targets, train
from a3c_lib.app import records
from a3c_lib.exercises import exercise, hint, progress, solution, whose
from a3c_lib.figures import diagrams, plots
from a3c_lib.figures.animation import animate
from a3c_lib.figures.progress import track
from a3c_lib.figures.watching import play
from a3c_lib.worlds import envs, exact

plt.style.use(plots.STYLE)
GAMMA = 0.95  # in the small worlds of this chapter

# %% [markdown]
# ## A reward that comes late
#
# **Catch** is a grid of 10 rows and 5 columns. A ball (orange) starts anywhere in the top row and falls straight down, one row a step. You move a paddle (blue) in the bottom row, which starts in the middle: left, stay or right. The last step is paid 1 if the ball was caught and −1 if not. The eight steps before it are paid nothing. Here is a game that is lost:

# %%
catch = gym.make("a3c_lib/Catch-v0", render_mode="rgb_array")
catch.reset(seed=3)
pictures = [catch.render()]
for action in (0, 1, 1, 2, 1, 1, 1, 1, 1):
    _, reward, terminated, _, _ = catch.step(action)
    pictures.append(catch.render())

titles = [f"step {t}" for t in (0, 3, 6)] + [f"step 9, paid {reward:.0f}".replace("-", "−")]
plots.frames(
    [pictures[t] for t in (0, 3, 6, 9)],
    titles,
    title="Catch: nine steps, and only the last one is paid",
)
plt.show()
assert terminated

# %% [markdown]
# We let chapter 01's agent play it. The picture is so small that the network gets it as a row of $10 \cdot 5 = 50$ numbers: 1 where the ball or the paddle is, 0 elsewhere. Eight environments play in step with each other, so a rollout is $(T, N) = (16, 8)$, and an
# episode of nine steps fits into it nearly twice. The discount is `Config`'s own, $\gamma = 0.99$; the learning rate and the weight $w = 0.1$ of the critic's loss come from the comparison further below.


# %%
def flat_catch(render_mode: str | None = None) -> gym.Env:
    """Catch as a row of 50 numbers, 0 or 1."""
    env = gym.make("a3c_lib/Catch-v0", render_mode=render_mode)
    env = DtypeObservation(FlattenObservation(env), np.float32)
    return RescaleObservation(env, np.float32(0), np.float32(1))


# anneal=False: the learning rate stays as it is
CATCH = Config(total_steps=16_000, t_max=16, num_envs=8, learning_rate=0.01, anneal=False, seed=0)
LOSS = partial(actor_critic_loss, value_weight=0.1)


def learn_catch(targets):
    """Train on Catch; targets say what the critic is to predict.   → model, updates."""
    model = ActorCritic.for_env(flat_catch(), hidden=(128,), seed=CATCH.seed)
    with train(model, flat_catch, CATCH, targets=targets, loss=LOSS) as training:
        return model, list(track(training))


def mean_return(history, episodes: int = 100) -> float:
    """Of the last so many episodes that were played in training."""
    returns = [episode.episode_return for update in history for episode in update.episodes]
    return float(np.mean(returns[-episodes:]))


# %%
untrained = ActorCritic.for_env(flat_catch(), hidden=(128,), seed=CATCH.seed)
by_chance = evaluate(untrained, flat_catch, episodes=500, seed=0).mean
one_step_agent, one_step_history = learn_catch(one_step_targets)
crawling = mean_return(one_step_history)
print(f"mean return, untrained: {by_chance:.2f}")
print(f"after {one_step_history[-1].steps} steps: {crawling:.2f}")
assert -0.75 < by_chance < -0.45
assert crawling < 0.5

# %% [markdown]
# A return of −1 is a ball missed, 1 a ball caught, so a mean of 0 is half of the balls. An untrained agent acts by chance and catches about one ball in five, a mean of −0.6. After 16,000 steps, nearly 1,800 balls, this agent is better than that, and far from catching them all. Its code has no fault. What it lacks is news of the reward.
#
# ### How the news travels
#
# Which of its nine steps was a catch due to? That is the question of [**credit assignment**](../docs/glossary.md#credit-assignment). Let us watch how one-step targets answer it where nothing else disturbs: a corridor of eight cells, no noise, no slip, paid 1 at the goal. The policy always walks right. The critic is a table, all 0 at first, and each value is set to the latest
# target at once (a step size of 1). Eight steps are one episode, so one rollout of $T = 8$ is one walk from cell 0 to the goal.
#
# **Predict before you run.** With one-step targets, which values are no longer 0 after the first walk? How many walks until the first cell's value changes?

# %% tags=["prediction"]
LENGTH = 8


def always_right(observations, memory):
    """A policy as `collect` wants it."""
    return torch.ones_like(observations), memory


def walks(targets, t_max: int, episodes: int) -> list[Tensor]:
    """Walk from cell 0 to the goal, and learn from each t_max steps.   → V after each walk."""
    V = torch.zeros(LENGTH + 1)  # the last one is the goal's
    corridor = make_envs(lambda: envs.Corridor(LENGTH))
    position, maps = start(corridor, seed=0), []
    for step in range(0, episodes * LENGTH, t_max):
        rollout, position = collect(corridor, always_right, position, t_max)
        next_values = V[rollout.next_observations]
        V[rollout.observations] = targets(
            rollout.rewards, next_values, rollout.terminated, rollout.truncated, GAMMA
        )
        if (step + t_max) % LENGTH == 0:
            maps.append(V.clone())
    return maps


one_step_maps = walks(one_step_targets, t_max=LENGTH, episodes=8)
rows = {f"after walk {k}": one_step_maps[k - 1] for k in (1, 2, 3, 8)}
plots.value_map(
    rows,
    terminal={LENGTH: "goal"},
    start=0,
    title="One-step targets: a value moves one cell a walk",
)
plt.show()
assert [int((V > 0).sum()) for V in one_step_maps] == [1, 2, 3, 4, 5, 6, 7, 8]

# %% [markdown]
# The first walk was paid, and seven of its eight steps learned nothing from it: their targets were $0 + \gamma \cdot 0$. The news moves one cell a walk, and reaches the start with the eighth. And that is the best case: with a small step size each cell learns a *part* of
# what its neighbour has learned a part of.
#
# In Catch there are nine steps from the first decision to the reward. In all but the last of them the actor is steered by the critic's value alone, and it takes long until the critic knows anything there.

# %% [markdown]
# ## The idea: look further
#
# The rollout *saw* the reward. A one-step target does not use it: it takes one reward and asks the critic for the rest. Here are the five steps of a rollout. A row shows what one step's target looks at, with $n = 1$:

# %% tags=["hide-input"]
diagrams.look_ahead(steps=5, n=1)

# %% [markdown]
# Such a drawing is a [**backup diagram**](../docs/glossary.md#backup-diagram). Now let each step look at up to three rewards before it asks the critic, $n = 3$. The last steps have fewer left:

# %% tags=["hide-input"]
diagrams.look_ahead(steps=5, n=3)

# %% [markdown]
# And this is what the paper does. Each step looks *as far as the rollout goes*: the first one five steps ahead, the last one a single step.

# %% tags=["hide-input"]
diagrams.look_ahead(steps=5)

# %% [markdown]
# In a formula, a target that looks at $n$ rewards is
#
# $$R_t^{(n)} = r_t + \gamma r_{t+1} + \ldots + \gamma^{n-1} r_{t+n-1} + \gamma^n V(o_{t+n}).$$
#
# This is the [**n-step return**](../docs/glossary.md#n-step-return). $V(o_{t+n})$, what the critic says of everything that was not looked at, is the **bootstrap**. With $n = 1$ the n-step return is chapter 01's target. If $n$ reaches to the end of the episode, after which nothing comes, it is chapter 00's return.
#
# From here on $R_t$, without an $n$ above it, is the last picture's: the longest return that the rollout allows. To say it like this, by looking ahead from each step, is the [**forward view**](../docs/glossary.md#forward-view). Each of these returns contains the next one,
#
# $$R_t = r_t + \gamma R_{t+1}, \qquad R_T = V(o_T),$$
#
# so one loop from the back computes them all, with one multiplication each, and the critic is asked only once: for $V(o_T)$.
#
# ### Exercise 2.1  A stretch without an end
#
# First for one environment, and a stretch of $T$ steps in which no episode ends. You get its rewards, $(T,)$, and the bootstrap $V(o_T)$, one number, $()$. Return $R_0 \ldots R_{T-1}$. γ is any number from 0 to 1. Here and in 2.2 and 2.3 you need not think of gradients: rewards and values come without one.
#
# *On paper:* $r = (1, 2, 3)$, $\gamma = 0.5$, and the critic says 8 of where the stretch stops. The last step: $3 + 0.5 \cdot 8 = 7$. The one before: $2 + 0.5 \cdot 7 = 5.5$. The first: $1 + 0.5 \cdot 5.5 = 3.75$. So $(3.75, 5.5, 7)$.


# %% tags=["nbval-check-output"]
@exercise("2.1")
def stretch_returns(rewards: Tensor, bootstrap: Tensor, gamma: float) -> Tensor:
    """R_t = r_t + γ R_{t+1}, where R_T is the bootstrap.   (T,), () → (T,)."""
    ### BEGIN SOLUTION
    returns = []
    R = bootstrap
    for reward in reversed(rewards):
        R = reward + gamma * R
        returns.append(R)
    return torch.stack(returns[::-1])
    ### END SOLUTION


# %% [markdown]
# The first walk through the corridor once more: eight rewards, and then the goal, after which nothing comes, so the bootstrap is 0.

# %% tags=["nbval-check-output"]
first_walk = torch.tensor([0.0] * 7 + [1.0])
R = stretch_returns(first_walk, torch.tensor(0.0), GAMMA)
print("n-step, one walk:      ", [round(x, 2) for x in R.tolist()])
print("one-step, eight walks: ", [round(x, 2) for x in one_step_maps[-1][:-1].tolist()])
assert torch.allclose(R, one_step_maps[-1][:-1])

# %% [markdown]
# One walk, and all eight values stand where one-step targets needed eight walks to put them.
#
# ## When episodes end
#
# Our rollouts are $(T, N)$, and go on through the ends of episodes. So at each step there are now three answers to "what comes after?": 0, $V(o_{t+1})$ or $R_{t+1}$. Read this table from the top; the first line that fits is the answer:
#
# | after step $t$ | what follows $r_t$ is worth |
# |---|---|
# | the world ended: `terminated[t]` | 0: there is nothing |
# | only the clock cut: `truncated[t]` | $V(o_{t+1})$: the world would have gone on, and here nobody saw how |
# | the rollout is over: $t = T - 1$ | $V(o_{t+1})$: it goes on in the next rollout |
# | otherwise | $R_{t+1}$ |
#
# (So if both flags are set, the world ended.) Below an end, the rollout's rows belong to *another episode*. $R_{t+1}$ is then a stranger's return, and adding it is the commonest bug of this chapter. It also makes the fault of exercise 1.4 dearer: a wrong value at a cut no longer spoils one target but, through $R_t = r_t + \gamma R_{t+1}$, those of all steps before the cut.
#
# ### Exercise 2.2  A rollout in which episodes end
#
# Now for $N$ environments side by side: everything is $(T, N)$, with a row for each step and a column for each environment, and each column has its own ends. `next_values[t]` is $V(o_{t+1})$ of each environment, before any reset. It is a finite number everywhere, also where the table does not ask for it.
#
# *On paper,* one environment, $r = (1, 2, 3)$, $\gamma = 0.5$, next values $(4, 6, 8)$:
#
# | what ended | $R$ | because |
# |---|---|---|
# | nothing | (3.75, 5.5, 7) | as above; 4 and 6 are never looked at |
# | terminated at the last step | (2.75, 3.5, 3) | 8 is not looked at either |
# | terminated at the second step | (2, 2, 7) | $2$ alone, then $1 + 0.5 \cdot 2$ |
# | truncated at the second step | (3.5, 5, 7) | $2 + 0.5 \cdot 6$, then $1 + 0.5 \cdot 5$ |


# %% tags=["nbval-check-output"]
@exercise("2.2")
def n_step_returns(
    rewards: Tensor, next_values: Tensor, terminated: Tensor, truncated: Tensor, gamma: float
) -> Tensor:
    """R_t = r_t + γ · (0, V(o_{t+1}) or R_{t+1}), as the table above says.   All (T, N) → (T, N)."""
    ### BEGIN SOLUTION
    returns = []
    R = next_values[-1]
    for t in reversed(range(len(rewards))):
        after = torch.where(truncated[t], next_values[t], R)
        R = rewards[t] + gamma * torch.where(terminated[t], 0.0, after)
        returns.append(R)
    return torch.stack(returns[::-1])
    ### END SOLUTION


# %% [markdown]
# Your function takes what chapter 01's `one_step_targets` takes, so it can stand in its place. Back to the corridor, with rollouts of several lengths. **Predict before you run:** with rollouts of $T = 2$ steps, how many values have moved after the first walk? After the second?

# %% tags=["prediction"]
print(f"This runs {whose(n_step_returns)}.")
n_step_maps = {T: walks(n_step_returns, T, episodes=8) for T in (1, 2, 4, 8)}
for walk in 1, 2:
    rows = {f"T = {T}": n_step_maps[T][walk - 1] for T in n_step_maps}
    title = f"n-step returns after walk {walk}: a value moves T cells a walk"
    plots.value_map(rows, terminal={LENGTH: "goal"}, start=0, title=title)
    plt.show()
for T, maps in n_step_maps.items():
    assert [int((V > 0).sum()) for V in maps] == [min(T * k, LENGTH) for k in range(1, 9)]

# %% [markdown]
# With $T = 2$ two values have moved after the first walk and four after the second. With $T = 1$ the n-step return *is* the one-step target. In general a value moves $T$ cells a walk: the rollout that ends at the goal carries the news back to its own first step, and the next walk carries it on from there.
#
# ## The same thing twice
#
# A recursion is quick and easy to get wrong, and wrong returns raise no error: the agent trains on them, badly. So derive the result a second time, slowly and plainly, and compare. The slow way is the definition:
#
# $$R_t = \sum_{k=t}^{m} \gamma^{k-t} r_k \;+\; \gamma^{m-t+1}\, V(o_{m+1})\,[\text{not terminated at } m]$$
#
# Here $m$ is the last step that counts: the first one from $t$ on, $t$ itself included, at which the episode was terminated or truncated, or $T - 1$ if there is none. The bracket is 1 if what it says is true, and 0 if not.
#
# ### Exercise 2.3  The same, from the definition
#
# One environment, one step $t$: all tensors are $(T,)$, and the result is one number, as a float or a tensor of shape $()$. Write down the sum, without your function of 2.2: it is to be tested by this one.
#
# *On paper,* with the numbers of the table above, truncated at the second step, from $t = 0$: $1 + 0.5 \cdot 2 + 0.25 \cdot 6 = 3.5$.


# %% tags=["nbval-check-output"]
@exercise("2.3")
def return_from(
    t: int,
    rewards: Tensor,
    next_values: Tensor,
    terminated: Tensor,
    truncated: Tensor,
    gamma: float,
) -> Tensor:
    """R_t from its definition: rewards up to the first end, and the value of what comes after it.
    All (T,) → ()."""
    ### BEGIN SOLUTION
    R, discount = 0.0, 1.0
    for k in range(t, len(rewards)):
        R += discount * rewards[k]
        discount *= gamma
        if terminated[k]:
            return R
        if truncated[k]:
            break
    return R + discount * next_values[k]
    ### END SOLUTION


# %% [markdown]
# And compare, on random rollouts with many ends of both kinds:

# %% tags=["nbval-check-output"]
random = torch.Generator().manual_seed(0)
compared = 0
for T, N in (1, 1), (6, 3), (20, 2):
    numbers = torch.randn(2, T, N, generator=random)
    ends = torch.rand(2, T, N, generator=random) < 0.2
    fast = n_step_returns(*numbers, *ends, GAMMA)
    for t in range(T):
        for n in range(N):
            slow = return_from(t, *numbers[:, :, n], *ends[:, :, n], GAMMA)
            assert abs(fast[t, n] - slow) < 1e-5
            compared += 1
print(f"{compared} returns, computed twice, agree")

# %% [markdown]
# ## What it costs to look further: bias and variance
#
# A longer look asks the critic later, so a wrong critic matters less. But it adds up more rewards, and rewards are chance. Both can be seen in a small world, where $V^\pi$ is known exactly (chapter 00).
#
# The world is the noisy corridor of chapter 01: eight cells, each step slips into the other direction with probability 0.2, each reward comes with normal noise of standard deviation 0.5. The policy goes right with probability 0.9. 2,000 environments all begin in cell 0 and take 64 steps each. (`SimpleNamespace(logits=…)` is an object whose only attribute is `logits`. That is all that `sampled` asks of a model.)

# %%
noisy = envs.corridor(length=8, slip=0.2, reward_noise=0.5)
pi = torch.tensor([[0.1, 0.9]]).repeat(noisy.num_states, 1).double()
V_pi = exact.state_values(noisy, pi, GAMMA)

always_so = SimpleNamespace(logits=lambda observations: pi.log()[observations])
corridors = make_envs(lambda: envs.TabularEnv(noisy), num_envs=2000)
policy = sampled(always_so, torch.Generator().manual_seed(1))
samples, _ = collect(corridors, policy, start(corridors, seed=1), t_max=64)
print("V^π:", V_pi[:-1].numpy().round(2), "  rollout:", tuple(samples.rewards.shape))

# %% [markdown]
# To get n-step returns for the first step, we cut the rollout after $n$ steps, and take the first row of *your* returns. The critic is fixed, and deliberately wrong: it knows nothing, and says 0 of every cell.

# %%
knows_nothing = torch.zeros_like(V_pi)


def returns_from_the_start(n: int, critic: Tensor) -> Tensor:
    """The n-step return of the first step, in each of the 2,000 environments.   → (N,)."""
    rewards, seen = samples.rewards[:n].double(), samples.next_observations[:n]
    ends = samples.terminated[:n], samples.truncated[:n]
    return n_step_returns(rewards, critic[seen], *ends, GAMMA)[0]


print(f"This runs {whose(n_step_returns)}.")

# %% tags=["hide-input"]
panels = plots.axes(10, 2.6, columns=3)
spreads = []
for ax, n in zip(panels, (1, 8, 64), strict=True):
    R = returns_from_the_start(n, knows_nothing)
    spreads.append(R.std().item())
    ax.hist(R.numpy(), np.linspace(-4, 5, 46), color=plots.BLUE, alpha=0.5)
    ax.axvline(V_pi[0].item(), color=plots.BLACK, linewidth=2, label="truth")
    ax.axvline(R.mean().item(), color=plots.RED, linewidth=2, linestyle="--", label="mean")
    ax.set(title=f"n = {n}", xlabel="n-step return from cell 0", yticks=[])
panels[0].legend(loc="upper right")
title = "A longer look: the mean comes nearer, the returns scatter more"
panels[0].figure.suptitle(title, x=0.01, ha="left", fontweight="bold")
plt.show()
assert spreads[0] < spreads[1] < spreads[2]

# %% [markdown]
# The solid line is the truth, $V^\pi(0)$. The dashed line is the mean of the returns.
#
# - How far the dashed line is from the solid one is the [**bias**](../docs/glossary.md#bias): the mean of the target minus $V^\pi$. With $n = 1$ all of $V^\pi(0)$ is missing.
# - How wide the hill is shows the [**variance**](../docs/glossary.md#variance): how much the target scatters around its own mean.
#
# The bias can be said in a sentence. *What is left of the critic's error is its error at the place where you are after $n$ steps, times $\gamma^n$.* Write $\hat V$ for what the critic says, and $P_\pi$ for the probabilities to go from state to state under the policy, with a row of zeros for the goal, after which nothing comes. Then $P_\pi^n$ says where one may be after $n$ steps, and
#
# $$\mathrm{mean}\,R^{(n)} - V^\pi = \gamma^n P_\pi^n\,(\hat V - V^\pi),$$
#
# one number for each state to begin in.
#
# *Why:* let $r_\pi$ be the mean rewards of the states. Chapter 00 had $V^\pi = r_\pi + \gamma P_\pi V^\pi$. Put the right side in for the $V^\pi$ on the right, again and again, $n$ steps in all:
#
# $$V^\pi = r_\pi + \gamma P_\pi r_\pi + \ldots + \gamma^{n-1} P_\pi^{n-1} r_\pi + \gamma^n P_\pi^n\, V^\pi.$$
#
# The mean of $R^{(n)}$ has the same rewards, and $\hat V$ in the place of the last $V^\pi$. In the difference only the end is left. Nothing like this holds the variance down: each further reward brings its own chance.
#
# We take a second wrong critic, one that is too hopeful by 1 in every cell, and measure both against the formula.
#
# **Predict before you run.** From cell 0 the goal is eight steps away. The first critic knows nothing. By how much does its bias fall between $n = 1$ and $n = 4$?

# %% tags=["prediction"]
STEPS = np.array([1, 2, 4, 8, 16, 32, 64])
too_hopeful = V_pi + 1
too_hopeful[-1] = 0  # that the goal is worth nothing is known
P_pi = torch.einsum("sa,sat->st", pi, torch.as_tensor(noisy.transitions))
P_pi[-1] = 0  # nothing comes after the goal


def bias_and_variance(critic: Tensor):
    """Of n-step returns from cell 0, for each n.   → measured bias, its standard error, exact bias, variance."""
    rows = []
    for n in STEPS:
        R = returns_from_the_start(n, critic)
        exact_bias = GAMMA**n * torch.linalg.matrix_power(P_pi, n) @ (critic - V_pi)
        rows.append([R.mean() - V_pi[0], R.std() / len(R) ** 0.5, exact_bias[0], R.var()])
    return np.array(rows).T


critics = {"knows nothing": knows_nothing, "is too hopeful": too_hopeful}
measured = {name: bias_and_variance(critic) for name, critic in critics.items()}
for name, (bias, error, exact_bias, variance) in measured.items():
    print(f"\nA critic that {name}:\n   n   measured bias    exact   variance")
    for row in zip(STEPS, bias, 2 * error, exact_bias, variance, strict=True):
        print("{:4d}  {:+.3f} ± {:.3f}   {:+.3f}      {:.2f}".format(*row))
    assert (abs(bias - exact_bias) < 4 * error).all()  # the formula and the measurement agree
    assert abs(bias[-1]) < 0.2 * abs(bias[0])  # far enough ahead, a wrong critic does no harm
    assert variance[-1] > 5 * variance[0]  # and chance has grown

# %% tags=["hide-input"]
panels = plots.axes(10, 3.4, columns=2)
for ax, (name, (bias, error, exact_bias, variance)) in zip(panels, measured.items(), strict=True):
    plots.bias_variance(STEPS, exact_bias, np.sqrt(variance), title=f"A critic that {name}", ax=ax)
    ax.errorbar(STEPS, abs(bias), 2 * error, fmt="none", ecolor=plots.GREY, capsize=3)
plt.show()
exact_bias = measured["knows nothing"][2]
assert np.allclose(exact_bias[:3], -V_pi[0])  # n = 1, 2, 4: all of V^π(0) is missing

# %% [markdown]
# The dashed line with squares is the critic's fault, the size of the bias (the grey bars are the measured one, ± 2 standard errors). The dashed line with dots is chance, the standard deviation, that is, the root of the variance. The solid line is both together: the root of bias² + variance, which is how far one such return typically is from $V^\pi(0)$. (On the left, at $n = 1$, square and dot lie on one another: both are 0.5.) Looking further trades the first for the second.
#
# Look at the left picture again. Up to $n = 4$ the bias of the critic that knows nothing does *not fall at all*: the goal is not in sight yet, the rewards on the way are pure noise, and the rest is still the same wrong guess. For this critic a longer look pays only once there is something to see. The critic on the right is wrong by the same 1 in every cell, so the discount alone helps a little: $\gamma^n$ of the 1 is left, and less than that once episodes are over. (From $n = 16$ on the variance hardly grows any more: most episodes are over by then.)
#
# ### Which n is best?
#
# Chance can be averaged away. An update of a critic averages over many targets. If these were independent, the mean of $m$ of them would have the same bias and a variance $m$ times smaller. Here is the error, the solid line, of the mean of $m$ returns, for the critic that knows nothing. A ring marks the best $n$:

# %% tags=["hide-input"]
exact_bias, variance = measured["knows nothing"][2:]
best_n = {}
ax = plots.axes(7, 3.4)
looks = zip(
    (1, 4, 16, 64),
    ("-", "--", "-.", ":"),
    (plots.BLUE, plots.RED, plots.GREEN, plots.BLACK),
    strict=True,
)
for m, form, colour in looks:
    errors = np.sqrt(exact_bias**2 + variance / m)
    best_n[m] = int(STEPS[errors.argmin()])
    ax.plot(STEPS, errors, form, color=colour)
    ax.plot(best_n[m], errors.min(), "o", color=colour, markersize=9, fillstyle="none")
    ax.text(STEPS[-1] * 1.1, errors[-1], f"m = {m}", color=plots.ink(colour), va="center")
ax.set_xscale("log", base=2)
ax.set_xticks(STEPS, [str(n) for n in STEPS])
ax.set_ylim(bottom=0)
ax.set(xlabel="n", ylabel="error of the mean of m returns")
ax.set_title("The more returns are averaged, the further it pays to look")
plt.show()
print("best n:", {f"m = {m}": n for m, n in best_n.items()})
assert best_n[1] == 1
assert best_n[64] >= 16

# %% [markdown]
# With one return at a time, the shortest look is best: a wrong guess is less bad than all that noise. With 64 of them, the longest ones win, since their error was nearly all chance. So there is no best $n$. What is gained and what is lost depends on how wrong the critic is, how noisy the world is, and how many
# returns are averaged.
#
# **Must one choose?** One can also take a mean of the returns of *all* lengths $n$, with weights $(1 - \lambda)\lambda^{n-1}$ (the longest return gets what is left), for a λ between 0 and 1:
#
# $$R_t = r_t + \gamma\,\bigl((1 - \lambda)\, V(o_{t+1}) + \lambda R_{t+1}\bigr).$$
#
# With $\lambda = 0$ this is the one-step target, with $\lambda = 1$ the longest return, and between them λ trades bias for variance without a jump. These returns minus $V(o_t)$ are called [**GAE**](../docs/glossary.md#gae), *generalised advantage estimation* ([Schulman and others](../docs/bibliography.md#beside-it)); PPO, a relative of A3C that chapter 06 names, uses them too. The paper, and the trainings of this book, stay with $\lambda = 1$; the configs of A2C and A3C take another as `lambda_`.

# %% [markdown]
# ## Bug hunt: one long column
#
# If the critic were *right*, $\hat V = V^\pi$, the formula says: no bias, for any $n$. That makes a sharp test. Give the agent the true values, let it play, and compare its returns with $V^\pi$: on average the difference is 0.
#
# A colleague wrote a function that takes a whole rollout and the model. It asks the model for $V(o_{t+1})$, makes one long column of the $N$ environments' steps, $T \cdot N$ of them, cuts it where an environment's last step stands, and calls `n_step_returns` once. It passed every test they had. All those tests had one environment.
#
# We put it to the test with 200 environments: the corridor from above, without the noise on its rewards, which changes no value. The same rollout is handed over in parts of 1, 2 or 8 environments. An environment knows nothing of its neighbours, so the returns must not depend on the parts.

# %%
from a3c_lib.exercises.n_step import rollout_returns_with_a_bug

true_critic = SimpleNamespace(values=lambda observations: V_pi.float()[observations])
worlds = make_envs(lambda: envs.TabularEnv(envs.corridor(length=8, slip=0.2)), num_envs=200)
policy = sampled(always_so, torch.Generator().manual_seed(2))
played, _ = collect(worlds, policy, start(worlds, seed=2), t_max=32)


def environments(first: int, N: int) -> Rollout:
    """The rollout of N of the environments, from number `first` on."""
    fields = played.observations, played.actions, played.rewards, played.next_observations
    fields += played.terminated, played.truncated
    return Rollout.of(*(field[:, first : first + N] for field in fields))


def error_of_returns(returns_of, N: int):
    """Mean of R − V^π with the true values as the critic, N environments at a time.   → mean, its standard error."""
    R = [returns_of(environments(n, N), true_critic, GAMMA) for n in range(0, 200, N)]
    errors = (torch.cat(R, dim=1) - V_pi.float()[played.observations]).mean(dim=0)
    return errors.mean().item(), errors.std().item() / len(errors) ** 0.5


for N in 1, 2, 8:
    mean, error = error_of_returns(rollout_returns_with_a_bug, N)
    print(f"{N} at a time: mean of R − V^π = {mean:+.3f} ± {2 * error:.3f}")
assert mean < -5 * error

# %% [markdown]
# One environment at a time, the returns are right on average. With neighbours they are too low, by more than five standard errors. An agent of this colleague would learn that the corridor is worth less than it is.
#
# ### Exercise 2.4  Find it
#
# Here is the function. It runs, and it is wrong. Mend it; you may also write it anew, as long as it returns the n-step returns of a rollout, $(T, N)$. They are targets, so no gradient is to flow into them.
#
# *On paper:* two steps of two environments, nothing ends, the critic says 0 of everything, and $\gamma = 0.5$. Environment 0 is paid 1 and then 2, environment 1 is paid 10 and then 20, so the rewards are $((1, 10), (2, 20))$. The returns are $((2, 20), (2, 20))$. Write down the long column that the function makes of the rewards, and what comes out.


# %% tags=["nbval-check-output"]
@exercise("2.4")
def rollout_returns(rollout: Rollout, model: ActorCritic, gamma: float) -> Tensor:
    """The n-step returns of a rollout, (T, N), by one long column of all steps, (T · N, 1)."""
    T, N = rollout.rewards.shape
    with torch.no_grad():
        next_values = model.values(rollout.next_observations)
    cut = rollout.truncated.clone()
    cut[-1] = True  # an environment's last step: what follows in the column is another's
    parts = rollout.rewards, next_values, rollout.terminated, cut
    rewards, next_values, terminated, cut = (part.T.reshape(T * N, 1) for part in parts)
    return n_step_returns(rewards, next_values, terminated, cut, gamma).reshape(N, T).T


# %% [markdown]
# And the test with the true values, with your function in the colleague's place:

# %%
print(f"This runs {whose(rollout_returns)}.")
for N in 1, 2, 8:
    mean, error = error_of_returns(rollout_returns, N)
    print(f"{N} at a time: mean of R − V^π = {mean:+.3f} ± {2 * error:.3f}")
    assert abs(mean) < 4 * error

# %% [markdown]
# `reshape` reads a table row by row, and a row of a rollout is one step of *all* environments. So after $r_t$ of one environment came $r_t$ of the next, and its reward was added as if it had been paid a step later. With $N = 1$ the two orders are the same, and that is why this bug lives long. Many programs lay $(T, N)$ out as one batch. For a loss, which is a mean, the order does not matter. For returns it does.
#
# ## Catch, again
#
# All is as it was but for one thing: `targets=n_step_returns`. **Predict before you run:** what is this agent's mean return after 16,000 steps?

# %% tags=["prediction"]
print(f"Training with {whose(n_step_returns)}.")
n_step_agent, n_step_history = learn_catch(n_step_returns)
print(f"last 100 episodes: one step {crawling:.2f}, n steps {mean_return(n_step_history):.2f}")
assert mean_return(n_step_history) > 0.8
assert mean_return(n_step_history) > crawling + 0.4


# %%
def curve(history, window: int = 100):
    """Steps, and the mean return of the latest episodes."""
    pairs = [(u.steps, e.episode_return) for u in history for e in u.episodes]
    steps, returns = np.array(pairs).T
    means = np.convolve(returns, np.ones(window) / window, mode="valid")
    return steps[window - 1 :], means


own_curves = {"one step": [curve(one_step_history)], "n steps": [curve(n_step_history)]}
title = "Catch, one seed: what changed is how far the targets look"
plots.learning_curves(
    own_curves, lines={"every ball": 1.0}, title=title, y_label="mean of the last 100 episodes"
)
plt.show()

# %% [markdown]
# The agent with n-step returns caught all of its last 100 balls. Watch it play. Under each picture stands what the critic expects. In training its actions are drawn by chance; here it takes the likeliest one, [**greedily**](../docs/glossary.md#greedy), so that what you see is what it has learned.

# %%
frames = play(greedy(n_step_agent), flat_catch, seed=1, episodes=4, values=n_step_agent.values)
animate(frames, fps=6, alt="Four games of Catch: the paddle moves under each falling ball.")

# %% [markdown]
# ### Over several seeds, and fairly
#
# One seed is an anecdote, and one learning rate may suit one kind of target by luck. So both kinds of target get the same network, the same rollouts, the same number of updates, *and the same tuning*: three learning rates, two weights of the critic's loss, five seeds each, up to 60,000
# steps. **Solved** means: at some time in the run the last 100 training episodes had a mean return of at least 0.9, so at least 95 of 100 balls were caught. (The figure shows the mean at the end.)
#
# It is on record; one mark is one seed:

# %% tags=["hide-input"]
catch_runs = records.load("n_step_catch")
print(catch_runs)
print(
    catch_runs.settings(
        world=flat_catch, model=n_step_agent, training=CATCH, targets=n_step_returns, loss=LOSS
    )
)

BUDGET = 60_000
at_the_end = {}  # (targets, learning rate, weight of the critic's loss) → the last row of each seed
for row in catch_runs.select(steps=BUDGET).rows:
    key = row["targets"], row["learning_rate"], row["value_weight"]
    at_the_end.setdefault(key, []).append(row)
solved_at = {key: [row["solved_at"] for row in rows] for key, rows in at_the_end.items()}

plots.strip(
    {
        f"{targets}, η = {rate:g}, weight {weight:g}": [row["episode_return"] for row in rows]
        for (targets, rate, weight), rows in at_the_end.items()
    },
    below=0.9,
    called="not solved",
    x_label="mean return of the last 100 training episodes",
    title="Catch: no run with one-step targets is solved",
    ax=plots.axes(7, 5),
)
plt.show()

best_setting = min((k for k in solved_at if k[0] == "n steps"), key=lambda k: np.mean(solved_at[k]))
slowest = max(solved_at[best_setting])
print(f"n steps, best setting: η = {best_setting[1]:g}, weight {best_setting[2]:g}")
print(
    f"solved after {sorted(solved_at[best_setting])} steps; 30 runs with one step: not in {BUDGET}"
)
one_step_solved = [
    row["solved"] for key, rows in at_the_end.items() if key[0] == "one step" for row in rows
]
assert len(one_step_solved) == 30
assert sum(one_step_solved) == 0
assert 5 * slowest <= BUDGET  # every seed against every seed, not only the medians

# %% [markdown]
# Even the *slowest* of the five seeds with n steps, at the best setting, needs less than a fifth of the budget that was not enough for *any* of the thirty runs with one step. (The best setting is the one with the smallest mean of the steps, where an unsolved run counts as its whole budget.)
#
# This result has three limits.
#
# - The rollout and the network were chosen by trying, and by what suits n steps.
# - It is about this network. Smaller ones, and networks of *convolutions*, which look at every place of the picture with the same weights, may do better or worse. The record says nothing of them.
# - With $\eta = 0.03$ some runs with n steps are not solved either. The record does not say why. One way to get stuck is to be certain of a wrong action too early: an agent that tries nothing else finds nothing else. Chapter 03 is about that.

# %% [markdown]
# ## When does the long look pay?
#
# In a table, news travels one step an *update* with one-step targets, and as far as the rollout goes with n-step returns. From this follows a rule: **the farther away the rewards, and the fewer the updates, the more the long look pays.** In Catch the reward is nine steps away. In CartPole each step is paid 1, so a reward is always in sight. Then distance is no handicap, and what is left of the rule is the number of updates.
#
# Here are 80,000 steps of four CartPoles, once in rollouts of 64 steps and once in rollouts of 16, which makes four times as many updates. Five seeds each, on record; after training, 100 evaluation episodes with sampled actions.

# %% tags=["hide-input"]
cartpole_runs = records.load("n_step_cartpole")
print(cartpole_runs)
print(cartpole_runs.settings())

outcomes = {}
for row in cartpole_runs.select(steps=80_000).rows:
    key = row["targets"], row["t_max"], row["learning_rate"], row["value_weight"]
    outcomes.setdefault(key, []).append(row["evaluated"])

best_of = {}
for T in 64, 16:
    for targets in "one step", "n steps":
        tried = [key for key in outcomes if key[:2] == (targets, T)]
        best_of[targets, T] = max(tried, key=lambda key: np.median(outcomes[key]))

plots.strip(
    {
        f"T = {T:g}, {targets} (η = {rate:g}, weight {weight:g})": outcomes[
            targets, T, rate, weight
        ]
        for targets, T, rate, weight in best_of.values()
    },
    lines={"the most there is": 500},
    x_label="mean return of 100 evaluation episodes",
    title="CartPole: the long look wins with few updates, not with many",
)
plt.show()

median = {key: np.median(outcomes[setting]) for key, setting in best_of.items()}
for (targets, T), R in median.items():
    print(f"median of 5 seeds, rollouts of {T} steps, {targets}: {R:.0f}")
assert median["n steps", 64] > 1.5 * median["one step", 64]
assert median["one step", 16] > 400

# %% [markdown]
# With rollouts of 64 steps the median of n steps is far ahead. With rollouts of 16 steps one-step targets learn CartPole just as well, and in these five seeds more evenly. The rule agrees with that, but is not tested alone: $T$ also changes how far n steps look, and the size of a batch. And the single seeds scatter; five a side are few.
#
# (*How it was compared.* With 64 steps both kinds had three learning rates and two weights, and each row shows the setting with the best median; for both the best learning rate is the largest that was tried, so there may be a better one. With 16 steps there is one setting for each kind. We had looked at 16 and 32 first, found the two kinds close, and went on to 64.)

# %% [markdown]
# ## What it cost
#
# The longer look itself costs next to nothing: a loop over $T$ rows of $N$ numbers, no further question to the network. What $T$ changes is how often one learns: $K$ steps make $K / (T \cdot N)$ updates. An update of a large batch takes hardly longer than one of a small batch, so longer rollouts make steps cheap and updates rare.

# %%
import time

for t_max in 1, 4, 16, 64:
    model = ActorCritic.for_env(flat_catch(), hidden=(128,), seed=0)
    config = Config(total_steps=4096, t_max=t_max, num_envs=8, seed=0)
    with train(model, flat_catch, config, targets=n_step_returns) as training:
        began = time.perf_counter()
        updates = len(list(training))
        seconds = time.perf_counter() - began
    print(
        f"T = {t_max:2d}: {updates:3d} updates in 4096 steps, {1000 * seconds / 4.096:4.0f} ms for 1000 steps"
    )
    assert updates == 4096 / (8 * t_max)

# %% [markdown]
# (The times are those of the machine that ran this.) There are two other prices: the variance that we measured, and delay. The policy that collects a rollout stays as it was for $T$ steps, however clear its mistakes are by then.
#
# ## Where the paper says it
#
# | here | in the paper | the difference |
# |---|---|---|
# | the loop from the back, $R_t = r_t + \gamma R_{t+1}$ | Algorithm S3: $R \leftarrow r_i + \gamma R$, beginning with $R = 0$ at a terminal state, else $V(s_t; \theta'_v)$ | none |
# | every step looks as far as the rollout goes | section 4: the last state gets a one-step update, the one before it a two-step update, up to $t_{max}$ | none |
# | $R_t - V(o_t)$ | $\sum_{i=0}^{k-1} \gamma^i r_{t+i} + \gamma^k V(s_{t+k}) - V(s_t)$, where $k \le t_{max}$ varies from state to state | none |
# | a rollout goes on through the end of an episode | a rollout ends at a terminal state | ours are all $T$ steps long, which keeps them $(T, N)$; the returns are the same, since none looks past an end |
# | `truncated`: bootstrap from the true last observation | Algorithm S3 asks only whether a state is terminal | a time limit is not an ending; well-known A3C codes treat it as one |
# | $T = 16$ and 64 here | $t_{max} = 5$, with 16 threads, each with its own environment | a long rollout of few environments or a short one of many: chapter 06 |
# | the mean over the rollout | gradients are added up | chapter 01 |
#
# The paper chooses the forward view over the backward one, *eligibility traces*, which hand each reward back to the steps before it at the moment it is paid. The forward view goes better with momentum (steps along a moving average of gradients) and with recurrent networks.
#
# ## What to try next
#
# - **Longer and shorter.** `t_max=2`, `t_max=64`: what happens to the steps that Catch takes, and to the number of updates?
# - **A taller Catch.** The cell has 8 rows, to be quick. With `rows=16` the reward is 15 steps away. Compare both kinds of targets (`targets=one_step_targets`); give them more steps.
# - **Pictures.** Make `my_catch` return `gym.make("a3c_lib/Catch-v0", rows=rows)`. The network then uses convolutions, for which a ball in one row is much like a ball in the next, so what is learned of one row may help with the others. Does it help one-step targets? (Set `hidden=()`, and try several seeds.)
# - **Wrong on purpose.** Take `terminated` out of your `n_step_returns`, write `@exercise("2.2", run_mine=True)` above it, and run this cell again. Catch pays 1 or −1 at the end of *each* episode: what does an agent learn that counts the next ball's reward, too?

# %%
rows, t_max, total_steps, seed, hidden = 8, 16, 12_000, 0, (128,)


def my_catch() -> gym.Env:
    env = gym.make("a3c_lib/Catch-v0", rows=rows)
    env = DtypeObservation(FlattenObservation(env), np.float32)
    return RescaleObservation(env, np.float32(0), np.float32(1))


print(f"Training with {whose(n_step_returns)}.")
model = ActorCritic.for_env(my_catch(), hidden=hidden, seed=seed)
config = Config(
    total_steps=total_steps, t_max=t_max, num_envs=8, learning_rate=0.01, anneal=False, seed=seed
)
loss = partial(actor_critic_loss, value_weight=0.1)
with train(model, my_catch, config, targets=n_step_returns, loss=loss) as training:
    history = list(track(training))
print(f"{len(history)} updates; the last 100 episodes: {mean_return(history):.2f}")

# %% [markdown]
# ## Summary
#
# - A one-step target moves the news of a reward one step an update, in a table. An n-step return, $R_t = r_t + \gamma R_{t+1}$ from the back, moves it as far as the rollout goes.
# - After a step comes 0 (terminated), $V(o_{t+1})$ (truncated, or the rollout is over) or $R_{t+1}$. $V(o_{t+1})$ is asked *before any reset*.
# - With the policy and the critic fixed, the bias of an n-step return is $\gamma^n P_\pi^n (\hat V - V^\pi)$: it fades with $n$. The variance grows with $n$, and can be averaged away.
# - The paper's scheme: every step takes the longest return that its rollout allows.
# - On Catch, with the same network and tuned equally, n steps need less than a fifth of the 60,000 steps that were not enough for any run with one step. On CartPole, where rewards are near, they win with long rollouts and few updates, and do not with short ones. There is no best $n$, and λ mixes them all.
# - Derive a result twice. And test with the true values in the critic's place: then returns must be right on average, however many environments there are.
#
# Nothing in this chapter keeps the policy from making up its mind too early. [Chapter 03](03_entropy_bonus.ipynb) shows a world where it does, keeps it undecided for as long as needed, and reads the signs of a run that goes wrong.

# %%
progress()
