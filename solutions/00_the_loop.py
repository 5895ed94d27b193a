# %% [markdown]
# # 00  The loop
#
# **You need** Python, NumPy, and a little PyTorch: what a tensor is, and that it can compute gradients. No reinforcement learning.<br>
# **You will be able to** let an agent act in a Gymnasium environment, say what its behaviour is worth, and make it better by following a gradient that you wrote.<br>
# **Time** 75 minutes of reading and writing; the computer works for half a minute.
#
# Nobody tells an agent what to do. It acts, and now and then it is paid. *How can a program that is only ever told how well it went find out what it should have done?* This chapter answers that
# question in a world so small that every answer can be checked on paper.

# %% [markdown]
# ## Is everything installed?
#
# Run the next cell: click on it and press Shift-Enter. Every line should begin with `[OK]`; after a `[FAIL]` stands what to do about it.

# %%
from a3c_lib import check

complete = check.installation()

# %% [markdown]
# ## How this book works
#
# You read, you predict, you write the function that is missing, and you see at once whether it is right. The book then goes on *with your function*: the agent that learns at the end of this chapter
# runs on your code.
#
# An exercise is a function whose body is `...`, under a line `@exercise("0.1")`. Replace the three dots, run the cell, and you get a verdict:
#
# | verdict | meaning |
# |---|---|
# | ○ | not attempted: the body is still `...` |
# | ✗ | wrong, with what is wrong about it, or the error that your code raised |
# | ✓ | right |
#
# A wrong or missing answer never stops you. The name then stands for the book's own function, the *reference*, so that the cells below run either way. If you are stuck, `hint("0.1")` gives a
# hint, and a stronger one when you call it again; `solution("0.1")` shows the reference; `progress()` shows where you are.
#
# Run the cells from top to bottom. If ever something looks odd, restart: *Kernel → Restart Kernel and Run All Cells* brings you back to a clean page, with what you wrote still in it.
#
# Let us try it on something that you may know already.

# %%
from collections.abc import Callable

import gymnasium as gym
import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import Tensor

from a3c_lib import envs, exact, plots
from a3c_lib.exercises import exercise, hint, progress, whose

plt.style.use(plots.STYLE)

# %% [markdown]
# ## What you should know: gradients in PyTorch
#
# PyTorch writes down how a number was computed from tensors that have `requires_grad=True`, and can then go back along that record, the *graph*. `torch.autograd.grad(y, x)` is the derivative of the
# number $y$ with respect to $x$.
#
# Three lines to check that we agree. With $y = x_0^2 + x_1$, the gradient is $(2x_0, 1)$. At $x = (3, 5)$ that is $(6, 1)$:

# %% tags=["nbval-check-output"]
x = torch.tensor([3.0, 5.0], requires_grad=True)
y = x[0] ** 2 + x[1]
(gradient,) = torch.autograd.grad(y, x)
print(gradient)
assert gradient.tolist() == [6.0, 1.0]

# %% [markdown]
# `x.detach()` has the same values as `x`, but is cut out of the graph: autograd takes it for a constant. **Predict before you run:** what is the gradient of $x_0 \cdot \text{detach}(x_0)$ at
# $x_0 = 3$? The value is 9, like that of $x_0^2$.

# %% tags=["nbval-check-output"]
y = x[0] * x[0].detach()
(gradient,) = torch.autograd.grad(y, x)
print("value", y.item(), "  gradient", gradient[0].item())
assert gradient[0] == 3  # and not 6: the second factor is a constant

# %% [markdown]
# The value is the same, the gradient is another. No error, no warning. Most bugs in this field are of this kind, so every exercise of this book checks values *and* gradients.
#
# ### Exercise 0.1  A gradient that flows where it should
#
# Write the squared error $\sum_i (p_i - y_i)^2$ of a prediction $p$ against a target $y$, as one number. An optimiser will make it small. It shall do so by moving the prediction to the target, never
# the target to the prediction: no gradient may flow into the target.
#
# *On paper:* for $p = (1, 2)$ and $y = (3, 2)$ the error is $4 + 0 = 4$. Its gradient is $(-4, 0)$ for $p$, and none for $y$.


# %% tags=["nbval-check-output"]
@exercise("0.1")
def squared_error(prediction: Tensor, target: Tensor) -> Tensor:
    """Σ (prediction − target)², with a gradient for the prediction only.   (T,), (T,) → ()."""
    ### BEGIN SOLUTION
    return ((prediction - target.detach()) ** 2).sum()
    ### END SOLUTION


# %% [markdown]
# Your function at work: with every step along the negative gradient the prediction goes half of the way that is left. The target stays where it is.

# %% tags=["nbval-check-output"]
p, target = torch.tensor([1.0, 2.0], requires_grad=True), torch.tensor([3.0, 2.0])
for _ in range(4):
    (gradient,) = torch.autograd.grad(squared_error(p, target), p)
    p.data -= 0.25 * gradient
    print(p.tolist())
assert p.tolist() == [2.875, 2.0]

# %% [markdown]
# Make a mistake on purpose: leave the `detach()` out, use `mean()` for `sum()`, forget the `return`. Read what the verdict says. Then get it right and go on.
#
# And this is how you ask for help:

# %% tags=["nbval-check-output"]
hint("0.1")

# %% [markdown]
# ## The loop
#
# An **agent** acts in an **environment**. At every step $t$ the agent sees an **observation** $o_t$ and chooses an **action** $a_t$. The environment answers with a **reward** $r_t$, a number, and with
# the next observation $o_{t+1}$. So it goes on until an **episode** is over; then a new one begins.
#
# Our first environment is a corridor of three cells. The agent starts in cell 0, at a wall. Its actions are 0, a step to the left, and 1, a step to the right; walking into the wall leaves it where it
# is. Behind cell 2 lies the goal. The step that reaches it is paid 1, every other step 0. What the agent observes is the number of its cell. After 200 steps an episode is cut.

# %%
env = gym.make("a3c_lib/Corridor-v0", render_mode="rgb_array")
observation, _ = env.reset(seed=0)

plots.frames([env.render()], titles=[f"The agent is in cell {observation}. The goal is green"])
plt.show()

# %% [markdown]
# The interface is Gymnasium's, which nearly all environments share. There are two calls:
#
# - `observation, info = env.reset(seed=seed)` begins an episode. With the same seed and the same actions the same episode follows.
# - `observation, reward, terminated, truncated, info = env.step(action)` takes one step.
#
# `info` is for curiosity; we write `_` for it. Let us walk right three times:

# %% tags=["nbval-check-output"]
LEFT, RIGHT = envs.LEFT, envs.RIGHT  # 0 and 1

for _ in range(3):
    observation, reward, terminated, truncated, _ = env.step(RIGHT)
    print(f"now in {observation}, paid {reward}, terminated {terminated}, truncated {truncated}")

# %% [markdown]
# ### Two ways to be over
#
# Why are there two flags at the end? An episode can be over for two reasons, and they are different in kind.
#
# - **terminated**: the *world* ended it. The goal is reached, the pole has fallen. Nothing comes after, and what comes after is worth exactly nothing.
# - **truncated**: *somebody's patience* ended it, mostly a limit on the number of steps. The world would have gone on, and the agent would have gone on being paid.
#
# Whoever merges the two into one flag, as older code does, tells the agent that its time limit is a death. You will see below what that does to a number. In this book the two are never merged.
#
# Before you write the loop yourself, three names, so that signatures can say what is handed over:

# %%
Env = gym.Env  # any Gymnasium environment
Choose = Callable[[int], int]  # observation → action: what decides
ValueOf = Callable[[int], float]  # observation → what is still to come from there

# %% [markdown]
# ### Exercise 0.2  One episode
#
# Write the loop. `choose(observation)` gives an action. Play one episode, from `reset` (with the seed) to its end, whichever end it is. Return the list of its rewards, in order, and whether the world
# ended it, that is, the last `terminated`.
#
# *On paper:* an agent that always walks right gets `([0.0, 0.0, 1.0], True)`. One that always walks left, with a limit of 4 steps, gets `([0.0, 0.0, 0.0, 0.0], False)`.


# %% tags=["nbval-check-output"]
@exercise("0.2")
def play_episode(env: Env, choose: Choose, seed: int) -> tuple[list[float], bool]:
    """Play one episode.   → its rewards, in order, and whether the world ended it."""
    ### BEGIN SOLUTION
    observation, _ = env.reset(seed=seed)
    rewards = []
    terminated = truncated = False
    while not (terminated or truncated):
        observation, reward, terminated, truncated, _ = env.step(choose(observation))
        rewards.append(reward)
    return rewards, terminated
    ### END SOLUTION


# %% [markdown]
# Now let somebody play who knows nothing: every step to the left or to the right with equal probability. Three steps would do. How many does this agent take on average? **Write down a guess** before
# you run the cell.

# %%
rng = np.random.default_rng(seed=0)


def toss_a_coin(observation) -> int:
    return rng.integers(2)


lengths = [len(play_episode(env, toss_a_coin, seed)[0]) for seed in range(1000)]

ax = plots.axes(height=2.8)
ax.hist(lengths, bins=range(3, 80, 2), color=plots.BLUE)
ax.axvline(np.mean(lengths), color=plots.BLACK, linestyle="--", label="mean")
ax.set(xlabel="steps in an episode", ylabel="episodes", title="Who knows nothing, wanders")
ax.legend()
plt.show()
print(f"mean {np.mean(lengths):.1f} steps, longest {max(lengths)}")
assert 11.2 < np.mean(lengths) < 12.8  # on paper: 3 · 4 = 12

# %% [markdown]
# About twelve steps, four times as many as needed, and now and then it wanders for very long. (In a corridor of $L$ cells a coin takes $L(L+1)$ steps on average, so it gets worse quickly.) This is the agent that fails;
# the rest of the chapter makes it succeed.
#
# ## What is an episode worth?
#
# In the corridor every episode that reaches the goal is paid 1 in total. A sum of rewards does not know that 3 steps are better than 30. So later rewards are counted less: a reward that comes $k$ steps
# later is multiplied by $\gamma^k$. The **discount** $\gamma$ is a number from 0 to 1; in this chapter $\gamma = 0.9$. The **return** of step $t$ is what is paid from then on,
#
# $$G_t = r_t + \gamma\, r_{t+1} + \gamma^2 r_{t+2} + \dots$$
#
# up to the end of the episode. (The A3C paper writes $R_t$.) Mind three things. The reward $r_t$ is paid for the action $a_t$ and belongs to its return, undiscounted. What was paid *before* step $t$
# has no place in $G_t$, for the action $a_t$ cannot change it. And "return" is not "reward": the book never uses one word for the other.
#
# ### Exercise 0.3  Discounted returns
#
# Compute all $G_t$ of one episode from its rewards. The formula above, taken literally, is a sum within a loop. There is a better way. Take $\gamma$ out of all terms but the first:
#
# $$G_t = r_t + \gamma\, G_{t+1},$$
#
# and after the end nothing is paid. So if you begin at the last step and go back, each return takes one multiplication and one addition.
#
# *On paper:* rewards $(1, 2, 3)$ and $\gamma = 0.5$. The last return is 3; the one before $2 + 0.5 \cdot 3 = 3.5$; the first $1 + 0.5 \cdot 3.5 = 2.75$.


# %% tags=["nbval-check-output"]
@exercise("0.3")
def discounted_returns(rewards: Tensor, gamma: float) -> Tensor:
    """G_t = r_t + γ G_{t+1}, for each step of one episode.   (T,) → (T,)."""
    ### BEGIN SOLUTION
    returns = torch.empty_like(rewards)
    G = 0.0
    for t in reversed(range(len(rewards))):
        G = rewards[t] + gamma * G
        returns[t] = G
    return returns
    ### END SOLUTION


# %% [markdown]
# In the corridor the walk to the right is paid once, at its end. What should the three returns be? A reward fades by $\gamma$ with every step back: 1 in the last step, 0.9 before, 0.81 at the start.

# %% tags=["nbval-check-output"]
GAMMA = 0.9

rewards, _ = play_episode(env, lambda observation: RIGHT, seed=0)
G = discounted_returns(torch.tensor(rewards), GAMMA)
print(G)
torch.testing.assert_close(G, torch.tensor([0.81, 0.9, 1.0]))

# %% [markdown]
# ## What is a state worth?
#
# A rule for choosing actions is called a **policy**. It may toss coins: $\pi(a \mid s)$ is the probability of action $a$ in state $s$. (The **state** is what decides how the world goes on. In the corridor
# the observation is the state; in general an observation shows less than that.) The return of one episode is then a matter of luck. What is not a matter of luck is its mean, the **value** of the
# state under the policy:
#
# $$V^\pi(s) = \text{mean of } G_t \text{ over all episodes that come through } s \text{ at step } t.$$
#
# $G_t = r_t + \gamma G_{t+1}$ holds for every episode, so it holds for the means: a state is worth what the next step pays, plus $\gamma$ times what the state after it is worth. For the coin in
# our corridor:
#
# $$V_0 = \tfrac12 \gamma V_0 + \tfrac12 \gamma V_1 \qquad V_1 = \tfrac12 \gamma V_0 + \tfrac12 \gamma V_2 \qquad V_2 = \tfrac12 \gamma V_1 + \tfrac12 \cdot 1$$
#
# In cell 0 half of the steps end at the wall, hence $V_0$ on the right. In cell 2 half of the steps reach the goal and are paid 1; after the goal comes nothing. Three equations, three unknowns. As
# matrices, $V = \gamma P V + r$, or $(I - \gamma P)\,V = r$, where $P$ holds the probabilities to go from cell to cell and $r$ the mean rewards:

# %% tags=["nbval-check-output"]
P = torch.tensor([[0.5, 0.5, 0.0], [0.5, 0.0, 0.5], [0.0, 0.5, 0.0]])
r = torch.tensor([0.0, 0.0, 0.5])
V = torch.linalg.solve(torch.eye(3) - GAMMA * P, r)
print("value", [round(v, 4) for v in V.tolist()])

steps = torch.linalg.solve(torch.eye(3) - P, torch.ones(3))
print("steps", [round(n, 2) for n in steps.tolist()])
assert abs(steps[0] - 12) < 0.001

# %% [markdown]
# That is the whole of "solved on paper". (The last lines ask the same system another question: if every step is paid 1, and nothing is discounted, then the "value" of a cell is the number of steps still to go. From the
# start they are exactly 12, as you saw by playing.) `exact.state_values` does the same from the table of any small world, here `envs.corridor(length=3)`, for any policy, a table of probabilities with a row for each
# state (the goal has a row too, and is worth 0). The best policy's values, called $V^*$, are those of walking right.

# %% tags=["nbval-check-output"]
corridor = envs.corridor(length=3)
coin = torch.full((4, 2), 0.5)

V_coin = exact.state_values(corridor, coin, GAMMA)
V_best = exact.optimal_values(corridor, GAMMA)
print("coin", [round(v, 4) for v in V_coin.tolist()])
print("best", [round(v, 4) for v in V_best.tolist()])
torch.testing.assert_close(V_coin[:3].float(), V)
torch.testing.assert_close(V_best, torch.tensor([0.81, 0.9, 1.0, 0.0], dtype=torch.float64))

# %%
plots.value_map(
    {"coin": V_coin, "always right": V_best},
    terminal={3: "goal"},
    title="The nearer the goal, the more a cell is worth",
)
plt.show()

# %% [markdown]
# Does playing agree with paper? Below are 2000 episodes of the coin, each with its return from the start. Their mean should be $V_0 = 0.4288$, up to chance. How far may chance take it? A mean of $n$
# numbers with standard deviation $\sigma$ has the **standard error** $\sigma / \sqrt n$, and in 95 of 100 such experiments it lies within about two standard errors of the truth. Where this book
# compares a mean with something, it prints the two standard errors after the ±.


# %%
starts = []
for seed in range(2000):
    rewards, _ = play_episode(env, toss_a_coin, seed)
    starts.append(discounted_returns(torch.tensor(rewards), GAMMA)[0].item())

mean, standard_error = np.mean(starts), np.std(starts, ddof=1) / np.sqrt(len(starts))
print(f"played {mean:.3f} ± {2 * standard_error:.3f}      on paper {V[0]:.4f}")
assert abs(mean - V[0]) < 4 * standard_error

# %% [markdown]
# ### Exercise 0.4  Bug hunt: an average that comes out too low
#
# Now the same with a time limit of six steps. Many of the coin's episodes are cut. What is a cut episode worth? Not only what was paid until then: the agent would have gone on, from the cell where it was
# stopped, and that cell has a value. So the return of an episode that was cut after $T$ steps is
#
# $$G_0 = r_0 + \gamma r_1 + \dots + \gamma^{T-1} r_{T-1} + \gamma^T\, V(o_T),$$
#
# where $V(o_T)$ is *what was still to come*. After a real ending nothing was.
#
# *On paper:* rewards 1 and 2, then the limit, in a cell that is worth 3; $\gamma = 0.5$. The return is $1 + 0.5 \cdot 2 + 0.25 \cdot 3 = 2.75$. Had the world ended there, it would be 2.
#
# The function below does that; somebody has lent it $V$ as `value_of`. It runs, nobody has ever seen it raise an error, and its average comes out far too low. **Find the fault.** A bug hunt starts
# from code that is wrong, and the verdict stays ○ until you have changed something.


# %% tags=["nbval-check-output"]
@exercise("0.4")
def average_return(
    env: Env, choose: Choose, value_of: ValueOf, gamma: float, episodes: int, seed: int
) -> float:
    """The mean discounted return from the start: an estimate of V^π there.

    Where an episode was cut, value_of(observation) says what was still to come.
    """
    returns = []
    observation, _ = env.reset(seed=seed)
    for _ in range(episodes):
        rewards, over = [], False
        while not over:
            observation, reward, terminated, truncated, _ = env.step(choose(observation))
            rewards.append(float(reward))
            over = terminated or truncated
        G = 0.0 if terminated else value_of(observation)
        for reward in reversed(rewards):
            G = reward + gamma * G
        returns.append(G)
        observation, _ = env.reset()
    return sum(returns) / episodes


# %% [markdown]
# Look at what the fault costs. Three ways to deal with a cut: ask what was still to come, take the cut for an ending, or throw the episode away. Each number is again a mean over up to 2000 episodes, good to about ±0.01.

# %%
impatient = gym.make("a3c_lib/Corridor-v0", max_episode_steps=6)

right = average_return(
    impatient, toss_a_coin, lambda cell: V_coin[cell].item(), GAMMA, 2000, seed=0
)
as_ending = average_return(impatient, toss_a_coin, lambda cell: 0.0, GAMMA, 2000, seed=0)
played = [play_episode(impatient, toss_a_coin, seed) for seed in range(2000)]
finished = [discounted_returns(torch.tensor(r), GAMMA)[0].item() for r, ended in played if ended]

print(f"on paper                      {V[0]:.3f}")
print(f"with what was still to come   {right:.3f}")
print(f"a cut is an ending            {as_ending:.3f}")
print(f"only episodes that ended      {np.mean(finished):.3f}   ({len(finished)} of 2000)")
assert abs(right - V[0]) < 0.03
assert as_ending < V[0] - 0.08 < V[0] + 0.08 < np.mean(finished)

# %% [markdown]
# Taking a cut for an ending says that the world is worse than it is. Throwing the cut episodes away says that it is better, for what is left are the lucky ones. Only to ask what was still to come is right. It looks circular: to
# estimate a value we had to be lent a value. Chapter 01 takes that circle and makes a learning rule of it.
#
# For now, keep the rule: **terminated means nothing comes after; truncated means that something would have.**

# %% [markdown]
# ## A policy that can learn
#
# The coin cannot learn, for there is nothing in it to change. A policy that can needs **parameters** $\theta$, numbers that decide about its probabilities. The plainest choice is a table with one number for
# every state and action, a row of **logits** $\theta_s$ for each state, turned into probabilities by the softmax:
#
# $$\pi(a \mid s) = \frac{e^{\theta_{s,a}}}{\sum_b e^{\theta_{s,b}}}.$$
#
# Any numbers will do as logits; the probabilities are positive and add up to 1. With all logits 0 we are back at the coin.

# %% tags=["nbval-check-output"]
from a3c_lib.reinforce import TabularPolicy

policy = TabularPolicy(num_states=4, num_actions=2)
print(policy.table)
print(policy.logits(torch.tensor([0, 2])).softmax(dim=-1))

# %% [markdown]
# ### The rollout
#
# To learn, we have to remember what happened. From here to the end of Part I the book keeps that in one structure, the **rollout**: $T$ steps of $N$ environments, everything in tensors that begin with the dimensions
# $(T, N)$, time first. You have written the loop; `collect` is the same loop for $N$ environments at once.
#
# Two rules make it a loop that never stops. A rollout goes on where the last one stopped: that is the `position`. And it goes on through the end of an episode: the environment resets itself within
# the step that ended.
#
# To `collect`, a policy is a function `(observation, state) → (action, state)`. The `state` is a memory that it may carry along; until chapter 04 nobody has one. Below, environment 0 always walks right and
# environment 1 always left, with a time limit of 4 steps. **Predict before you run:** in the step $t = 2$ environment 0 reaches the goal. What are $o_3$ and the *next observation* of step 2?

# %% tags=["nbval-check-output"]
from a3c_lib.rollout import collect, make_envs, start

vector = make_envs(lambda: gym.make("a3c_lib/Corridor-v0", max_episode_steps=4), num_envs=2)
position = start(vector, seed=0)
rollout, position = collect(
    vector, lambda o, s: (torch.tensor([RIGHT, LEFT]), s), position, t_max=6
)

for n in range(2):
    print(f"environment {n}\n  t   o_t  a_t  r_t   next  terminated  truncated")
    for t in range(6):
        o, a, r, following, ended, cut = (field[t, n].item() for field in rollout[:6])
        print(f"  {t} {o:5} {a:4} {r:5} {following:5}  {ended!s:>10}  {cut!s:>9}")

# %% [markdown]
# `next_observations[2, 0]` is 3, the goal, where the step led. `observations[3, 0]` is 0: the new episode has begun. Everywhere else the next observation is simply the observation of the next row. This is the
# field that is lost in many programs, and with it the state at which a time limit cut: you have seen that its value is needed.

# %% tags=["nbval-check-output"]
over = rollout.terminated | rollout.truncated
same = rollout.next_observations[:-1] == rollout.observations[1:]
assert same[~over[:-1]].all()
assert rollout.next_observations[2, 0] == 3
assert rollout.observations[3, 0] == 0
print("T, N =", tuple(rollout.rewards.shape))
for episode in rollout.episodes:
    print(episode)

# %% [markdown]
# `sampled(policy, generator)` makes of a table of logits a policy that `collect` can use: it draws $a_t \sim \pi(\cdot \mid o_t)$, with the random numbers of the generator that you hand over, so that a run can be repeated.
# `greedy(policy)` always takes the likeliest action. And `collect_episode` plays one whole episode, a rollout with $N = 1$ and as many steps as it takes.

# %% [markdown]
# ## The policy gradient
#
# What shall the agent make large? Its value at the start, which depends on the parameters through the policy:
#
# $$J(\theta) = V^{\pi_\theta}(s_0).$$
#
# If we knew the gradient $\nabla_\theta J$, we would take small steps along it, uphill. But the agent does not know the world's table; it has only episodes. Here is the idea that makes it possible. Let $\tau$ be an
# episode, $p_\theta(\tau)$ its probability, and $G(\tau)$ its return from the start. Then $J$ is the mean return, and
#
# $$J = \sum_\tau p_\theta(\tau)\, G(\tau), \qquad \nabla J = \sum_\tau \nabla p_\theta(\tau)\, G(\tau) = \sum_\tau p_\theta(\tau)\; G(\tau)\, \nabla\log p_\theta(\tau),$$
#
# since $\nabla \log p = \nabla p / p$. The last sum is again a *mean over episodes*, and a mean can be estimated by playing. Now $p_\theta(\tau)$ is a product: in every step the policy's probability of the action times the
# world's probability of what follows. The logarithm makes it a sum, and the world's part does not depend on $\theta$, so its gradient is 0:
#
# $$\nabla\log p_\theta(\tau) = \sum_t \nabla\log \pi(a_t \mid o_t).$$
#
# The unknown world has dropped out. So: play; take for every step the direction that makes the chosen action likelier; weigh it by what the episode was paid. Good episodes pull harder than bad ones.
#
# One improvement. What was paid before step $t$ is not due to $a_t$, and on average its product with $\nabla\log\pi(a_t \mid o_t)$ is 0, because over the policy's own choices the mean of $\nabla\log\pi$ is
# $\sum_a \pi\, \nabla\log\pi = \nabla \sum_a \pi = \nabla 1 = 0$. It adds nothing but noise; leave it out. Of $G(\tau)$ there remains for step $t$ what was paid from then on, which, seen from the start, is $\gamma^t G_t$:
#
# $$\nabla J = \text{mean over episodes of } \sum_t \gamma^t\, G_t\, \nabla\log\pi(a_t \mid o_t).$$
#
# This is **REINFORCE** (Williams, 1992). You will write it as two small functions.
#
# ### Exercise 0.5  The log-probability of what was done
#
# From the logits of $T$ steps and the $T$ actions that were taken, compute $\log\pi(a_t \mid o_t)$ for each step.
#
# *On paper:* logits $(\log 0.7, \log 0.3)$ are the probabilities $(0.7, 0.3)$. If action 1 was taken, the answer is $\log 0.3 = -1.204$. And its gradient with respect to the two logits is
# $(0 - 0.7,\; 1 - 0.3) = (-0.7, 0.7)$: one for the action taken, minus the probabilities.


# %% tags=["nbval-check-output"]
@exercise("0.5")
def log_pi(logits: Tensor, actions: Tensor) -> Tensor:
    """log π(a_t | o_t) of the actions taken.   (T, A), (T,) → (T,)."""
    ### BEGIN SOLUTION
    return logits.log_softmax(dim=-1)[torch.arange(len(actions)), actions]
    ### END SOLUTION


# %% tags=["nbval-check-output"]
logits = torch.tensor([[0.7, 0.3]]).log().requires_grad_()
(gradient,) = torch.autograd.grad(log_pi(logits, torch.tensor([1])).sum(), logits)
print([round(g, 4) for g in gradient[0].tolist()])
assert torch.allclose(gradient, torch.tensor([[-0.7, 0.7]]))

# %% [markdown]
# ### Exercise 0.6  The REINFORCE loss
#
# PyTorch's optimisers make a number, the **loss**, small. We want to go *up* along $\sum_t G_t \nabla\log\pi(a_t \mid o_t)$. (The factor $\gamma^t$ of the formula is missing here on purpose: whoever calls your function may multiply the returns by it first. We do both below, and compare.) So write the number whose gradient is the negative of that. Decide about three things:
#
# - the **sign**;
# - a **sum** over the steps, not a mean: $J$ is about whole episodes, and in a mean each step of a long episode would count less;
# - the **returns are constants**. They are what happened. In this chapter no gradient could flow into them anyway; from chapter 01 on a network has a part in them, and it must not.
#
# *On paper:* one step, probabilities $(0.7, 0.3)$, action 1 taken, return 2. The loss is $-2 \log 0.3 = 2.408$, its gradient with respect to the logits $-2 \cdot (-0.7, 0.7) = (1.4, -1.4)$. Descending it
# raises the logit of action 1, which was paid for.


# %% tags=["nbval-check-output"]
@exercise("0.6")
def reinforce_loss(log_probabilities: Tensor, returns: Tensor) -> Tensor:
    """The loss whose negative gradient is Σ_t G_t ∇log π(a_t | o_t).   (T,), (T,) → ()."""
    ### BEGIN SOLUTION
    return -(returns.detach() * log_probabilities).sum()
    ### END SOLUTION


# %% [markdown]
# ### Does it point the right way?
#
# We estimate the gradient for the coin's table from 1000 episodes, with your three functions. `weigh` is what the returns are multiplied by; more about that in a moment.

# %%
from a3c_lib.rollout import collect_episode, sampled


def estimate_gradient(policy, episodes: int, seed: int, weigh) -> Tensor:
    """−d loss / d table of each episode.   → (episodes, S, A)."""
    world = make_envs("a3c_lib/Corridor-v0")
    act, position = sampled(policy, torch.Generator().manual_seed(seed)), start(world, seed)
    gradients = []
    for _ in range(episodes):
        rollout, position = collect_episode(world, act, position)
        taken = log_pi(policy.logits(rollout.observations[:, 0]), rollout.actions[:, 0])
        G = discounted_returns(rollout.rewards[:, 0], GAMMA)
        loss = reinforce_loss(taken, weigh(len(G)) * G)
        gradients.append(-torch.autograd.grad(loss, policy.table)[0])
    return torch.stack(gradients)


def with_discount(steps: int) -> Tensor:
    return GAMMA ** torch.arange(steps)


print(f"This runs {whose(log_pi, discounted_returns, reinforce_loss)}.")
sample = estimate_gradient(policy, 1000, seed=0, weigh=with_discount)
print(sample.mean(dim=0))

# %% [markdown]
# A row for each state, a column for each action. Right is to become likelier and left rarer in every cell, and by the same amount, since the probabilities add up to 1. Nothing points anywhere in the goal's row, for
# nobody acts there. Take one step along it:

# %%
stepped = TabularPolicy(4, 2)
stepped.table.data += 1.0 * sample.mean(dim=0)

before, after = (p.table.detach().softmax(dim=-1) for p in (policy, stepped))
print("π(right) before", before[:3, RIGHT].tolist())
print("π(right) after ", [round(p, 3) for p in after[:3, RIGHT].tolist()])
print(f"J before {exact.objective(corridor, policy.table, GAMMA):.4f}", end="   ")
print(f"after {exact.objective(corridor, stepped.table, GAMMA):.4f}")
assert (after[:3, RIGHT] > before[:3, RIGHT] + 0.01).all()

# %% [markdown]
# ### Is it the gradient?
#
# The right way is not enough. It could be half the gradient, or have one cell wrong, and still point uphill. But in the corridor $V^\pi$ is the solution of a linear system, and autograd can differentiate a linear
# system. `exact.policy_gradient` does: no episode, no chance. So we can compare the column of `RIGHT`, number by number:


# %%
truth = exact.policy_gradient(corridor, policy.table, GAMMA)[:3, RIGHT]


def compare(sample: Tensor) -> Tensor:
    """Print the estimate for RIGHT beside the truth.   → standard errors between them, (3,)."""
    estimate = sample[:, :3, RIGHT].mean(dim=0)
    error = sample[:, :3, RIGHT].std(dim=0) / len(sample) ** 0.5
    for cell in range(3):
        printed = f"{estimate[cell]:.3f} ± {2 * error[cell]:.3f}"
        print(f"cell {cell}: played {printed}, on paper {truth[cell]:.3f}")
    return (estimate - truth) / error


distance = compare(sample)
assert (distance.abs() < 4).all()

# %% [markdown]
# The estimate agrees with paper within its printed error. (The `assert` allows twice that much, here and elsewhere: a book must not fail on your machine for having drawn other random numbers.) Was it luck? An interval of two standard errors should miss the truth about once in twenty times; never to miss would be as suspicious as to miss
# often. So here are forty runs with forty seeds, three cells each: 120 intervals, of which about 114 should meet the line.

# %%
from a3c_lib import records

record = records.load("policy_gradient")
print(record)

meets = 0
for cell, ax in enumerate(plots.axes(width=10, height=2.8, columns=3)):
    runs = record.select(weight="γ^t", state=cell)
    estimate, error = runs.column("estimate"), 2 * runs.column("standard_error")
    hit = abs(estimate - runs.column("exact")) < error
    for which, colour in (hit, plots.BLUE), (~hit, plots.RED):
        seeds = runs.column("seed")[which]
        ax.errorbar(seeds, estimate[which], error[which], fmt=".", color=colour, linewidth=1)
    ax.axhline(runs.column("exact")[0], color=plots.BLACK)
    ax.set(title=f"cell {cell}: {hit.sum()} of {len(hit)} meet the line", xlabel="seed")
    meets += hit.sum()
plt.show()
print(f"{meets} of 120 intervals contain the exact value")
assert meets >= 106

# %% [markdown]
# ### A factor that nearly everybody drops
#
# Each step was weighed by $\gamma^t G_t$. The factor $\gamma^t$ says that what happens late in an episode matters little for the value of its *start*. With it, the estimate is unbiased for $J$: you have just seen it. Without it,
# on the same thousand episodes:

# %%
without = estimate_gradient(policy, 1000, seed=0, weigh=torch.ones)
distance = compare(without)

direction = without.mean(dim=0)[:3, RIGHT].double()
cosine = torch.cosine_similarity(direction, truth, dim=0)
print(f"length {direction.norm() / truth.norm():.1f} times, cosine of the angle {cosine:.3f}")
assert distance.max() > 8
assert cosine > 0.98

# %% [markdown]
# This is not the gradient of $J$: it is about twice as long, and many standard errors away. But it points in nearly the same direction. What it gives up is to care most for the beginning, and that is rather welcome: at $t = 50$ the factor $0.9^{50} = 0.005$
# would all but switch off learning. Nearly all programs drop the factor, and so does the A3C paper's algorithm. **From here on we drop it too**, and know what we have done. (Thomas, 2014, shows what the
# factor's absence means for algorithms of this kind.)

# %% [markdown]
# ## The agent learns
#
# Everything is there. The whole of REINFORCE, with your three functions in it:

# %%
from typing import NamedTuple


class Learned(NamedTuple):
    """What training reports after an episode."""

    steps: int  # in the environment, since training began
    episode_return: float
    length: int


def reinforce(policy, make_env, total_steps: int, learning_rate: float, seed: int):
    """One whole episode, one step along its gradient, and so on."""
    world, steps = make_envs(make_env), 0
    act, position = sampled(policy, torch.Generator().manual_seed(seed)), start(world, seed)
    optimizer = torch.optim.SGD(policy.parameters(), lr=learning_rate)
    while steps < total_steps:
        rollout, position = collect_episode(world, act, position)
        taken = log_pi(policy.logits(rollout.observations[:, 0]), rollout.actions[:, 0])
        returns = discounted_returns(rollout.rewards[:, 0], GAMMA)
        optimizer.zero_grad()
        reinforce_loss(taken, returns).backward()
        optimizer.step()
        steps += len(returns)
        yield Learned(steps, rollout.episodes[0].episode_return, len(returns))


# %% [markdown]
# It is a generator: training hands out one report after the other, and whoever asks for them decides what to print, what to plot and when to stop. All trainers of this book are like that. `track` wraps such a
# trainer and keeps one line of text up to date while it runs. The package has this very loop as
# `reinforce.train`, with some housekeeping. (An episode that is cut counts here as if nothing more were to come. You know that this is wrong; but REINFORCE has no $V$ to ask, and in three cells the limit of
# 200 steps is as good as never met.)
#
# One agent first. What is its policy worth at the start? 0.43 is the coin, 0.81 the best there is. We need not play to find out, for we have `exact`.

# %%
from a3c_lib.progress import track


def worth(agent) -> float:
    return exact.objective(corridor, agent.table, GAMMA).item()


print(f"This runs {whose(log_pi, discounted_returns, reinforce_loss)}.")
agent = TabularPolicy(4, 2)
training = reinforce(agent, "a3c_lib/Corridor-v0", 1000, learning_rate=0.5, seed=0)
print(f"before {worth(agent):.3f}")
history = list(track(training, total_steps=1000))
print(f"after  {worth(agent):.3f}, learned from {len(history)} episodes")
assert worth(agent) > 0.55

# %% [markdown]
# One seed is an anecdote. Ten seeds, and after every episode a look at the truth:

# %%
agents, curves = [], []
for seed in range(10):
    agent = TabularPolicy(4, 2)
    steps, J = [0], [worth(agent)]
    for report in reinforce(agent, "a3c_lib/Corridor-v0", 1000, learning_rate=0.5, seed=seed):
        steps.append(report.steps)
        J.append(worth(agent))
    agents.append(agent)
    curves.append((steps, J))

plots.learning_curves(
    {"REINFORCE": curves},
    lines={"always right": 0.81},
    title="All ten agents find the way, not without setbacks",
    y_label="J, the value at the start",
)
plt.show()
assert min(max(J) for _, J in curves) > 0.75
assert np.median([J[-1] for _, J in curves]) > 0.75

# %% [markdown]
# The line is the median of the ten, the band reaches from the lowest to the highest. Look at its lower edge: even an agent that knew the way can be thrown back by a few unlucky episodes. We come to that below.
#
# What have they learned? Here is the one in the middle of the ten: its policy, and the values of its cells.

# %%
untrained, trained = TabularPolicy(4, 2), sorted(agents, key=worth)[5]
before, after = (agent.table.detach().softmax(dim=-1) for agent in (untrained, trained))
left, right = plots.axes(width=9, height=2.6, columns=2)
actions, goal = ["left", "right"], {3: "goal"}
plots.policy_bars(before, actions, terminal=goal, ax=left, title="Before: a coin")
plots.policy_bars(after, actions, terminal=goal, ax=right, title="After: to the right")
plt.show()

V_after = exact.state_values(corridor, after, GAMMA)
plots.value_map(
    {"coin": V_coin, "learned": V_after, "always right": V_best},
    terminal={3: "goal"},
    digits=3,
    title="What it learned is nearly worth the best",
)
plt.show()
assert (V_best - V_after).max() < 0.06

# %% [markdown]
# And here it is at play: first as it was, then as it is.

# %%
from a3c_lib.animation import animate, play

animate(play(sampled(untrained, torch.Generator().manual_seed(3)), "a3c_lib/Corridor-v0"), fps=4)

# %%
animate(play(sampled(trained, torch.Generator().manual_seed(3)), "a3c_lib/Corridor-v0"), fps=4)

# %% [markdown]
# ### How good is an agent?
#
# Where nobody knows the world's table, and that is everywhere but here, an agent is judged by playing: many episodes, in environments of its own, and a mean with its 95 % interval. That is `evaluate`. It reports the sum
# of the rewards *without* discount, as everybody does; the discount belongs to learning. **Predict before you run:** the untrained agent in the corridor, with its limit of 200 steps, and in the impatient one with a
# limit of 6?

# %%
from a3c_lib.evaluation import evaluate


def make_impatient():
    return gym.make("a3c_lib/Corridor-v0", max_episode_steps=6)


for name, player in ("untrained", untrained), ("trained", trained):
    print(f"{name:9}  limit 200:", evaluate(player, "a3c_lib/Corridor-v0", episodes=500, seed=1))
    print(f"{'':9}  limit   6:", evaluate(player, make_impatient, episodes=500, seed=1))

assert evaluate(untrained, make_impatient, episodes=500, seed=1).high < 0.45
assert evaluate(trained, make_impatient, episodes=500, seed=1).low > 0.9

# %% [markdown]
# In the patient corridor both get 1.00: whoever wanders long enough arrives, and an undiscounted sum does not mind. A number says something only if you know what it counts. With six steps to go, they are a world apart.
#
# Always say whether actions were sampled from the policy, as here, or whether the likeliest was taken (`actions="greedy"`): the two can differ by much.

# %% [markdown]
# ## What it cost
#
# Every step of learning took a whole episode, and threw it away: after the step the policy is another one, and what the old one met no longer tells what the new one will meet. How many steps in the corridor did it take until $J$ was
# above 0.75 for good?

# %%
spent = []
for steps, J in curves:
    last_below = np.flatnonzero(np.array(J) < 0.75).max()
    spent.append(steps[min(last_below + 1, len(steps) - 1)])
print(f"{np.median(spent):.0f} steps (median), from {min(spent)} to {max(spent)}")

single = sample[:, 0, RIGHT]
print(
    f"gradient from one episode, cell 0: {single.mean():.2f}, standard deviation {single.std():.2f}"
)
assert single.std() > 2 * single.mean()

# %% [markdown]
# A few hundred steps to learn "right, right, right". The last line says why: what one episode says about the gradient in cell 0 is on average 0.07, and scatters around that by five times as much. Nearly all
# of a single step of learning is chance; that is where the setbacks come from. Small steps average it out, and small steps take long. The worlds to come are noisier than this one; to make the chance smaller is what the next chapter is about.

# %% [markdown]
# ## Where the paper says it
#
# The book's paper is *Asynchronous Methods for Deep Reinforcement Learning* (Mnih et al., 2016). What this chapter built is the ground it stands on:
#
# | here | in the paper | the difference |
# |---|---|---|
# | $o_t$, $a_t$, $r_t$, $\gamma$ | $s_t$, $a_t$, $r_t$, $\gamma$ | it says state for what is observed; its experiments have $\gamma = 0.99$, ours here 0.9, so that fading shows in three cells |
# | $G_t$, to the end of the episode | $R$, in Algorithm S3 | there it is computed by the same backward recursion, over at most $t_{max}$ steps (chapter 02) |
# | $\sum_t G_t \nabla\log\pi(a_t \mid o_t)$ | $\nabla_{\theta'}\log\pi(a_i \mid s_i; \theta')\,(R - V(s_i; \theta'_v))$, added up | $V$ is chapter 01; no $\gamma^t$ there either |
# | a rollout goes on through the end of an episode | a rollout stops at a terminal state | a return looks the same, since it never looks past an end |
# | gradient ascent with a fixed step | RMSProp with shared statistics | chapter 05 |
#
# REINFORCE itself is from R. J. Williams, *Simple statistical gradient-following algorithms for connectionist reinforcement learning* (1992). The missing $\gamma^t$: P. Thomas, *Bias in natural actor-critic algorithms*
# (2014).
#
# ## What to try next
#
# - **A longer corridor.** Below are eight cells. How many episodes does it need? And twelve cells, where a coin needs 156 steps and the limit is 200?
# - **The step's size.** Is `learning_rate=3.0` faster? Try several seeds, and watch the slowest.
# - **Noise.** With `reward_noise=1.0` every step is paid a random number on top, 0 on average. No value changes, and $J$ is what it was. How does learning fare?
# - **Wrong on purpose.** Take the sign out of your `reinforce_loss`, write `@exercise("0.6", run_mine=True)` above it, so that the book uses it although it is wrong, and run this cell again.

# %%
length, reward_noise, learning_rate, seed = 8, 0.0, 0.5, 0


def my_corridor():
    return gym.wrappers.TimeLimit(envs.Corridor(length, reward_noise=reward_noise), 200)


mine = TabularPolicy(length + 1, 2)
print(f"This runs {whose(log_pi, discounted_returns, reinforce_loss)}.")
history = list(track(reinforce(mine, my_corridor, 3000, learning_rate, seed), 3000))
lengths = [report.length for report in history]
print(f"{len(lengths)} episodes; steps in the first ten of them: {np.mean(lengths[:10]):.0f},")
print(f"in the last ten: {np.mean(lengths[-10:]):.1f}. At best: {length}.")

# %% [markdown]
# ## Summary
#
# - An agent observes, acts, is paid, and goes on: `reset`, then `step` until *terminated* (nothing comes after) or *truncated* (something would have). Never one flag for both.
# - The return $G_t = r_t + \gamma G_{t+1}$ is computed backwards. Its mean is the value $V^\pi$; for a small world $V^\pi$ is the solution of a linear system, and playing agrees with it.
# - A rollout is $T$ steps of $N$ environments, $(T, N)$. It knows the true next observation of every step.
# - The policy gradient: make what was done likelier, in proportion to what was paid from then on. $-\sum_t G_t \log\pi(a_t \mid o_t)$ is the loss; the returns are constants. With the factor $\gamma^t$ its gradient agrees with the
#   exact one; we drop the factor, as nearly everybody does.
# - A mean is printed with its error, a learner with its seeds.
#
# It works, in three cells without noise. One episode for one step, and a gradient that is mostly chance: [chapter 01](01_actor_critic.ipynb) shows where that fails, and lets a second learner, the critic, say what was to be expected.

# %%
progress()
