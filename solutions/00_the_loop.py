# %% [markdown]
# # 00  The loop
#
# **You need** Python, NumPy, and a little PyTorch: what a tensor is, and that it can compute gradients. No reinforcement learning.<br>
# **You will be able to** let an agent act in a Gymnasium environment, say what its behaviour is worth, and make it better by following a gradient that you wrote.<br>
# **Time** {time}; the computer works for half a minute.
#
# A program acts in a world, and now and then it is paid. Nobody shows it the right action. *How can it find out what it should have done, if it is only ever told how well it went?* This chapter
# answers that question in a world so small that every answer can be checked on paper.

# %% [markdown]
# ## Is everything installed?
#
# Run the next cell: click on it and press Shift-Enter. Every line should begin with `[OK]`; a line with `[FAIL]` says what to do about it.

# %%
from a3c_lib.app import check

complete = check.installation()

# %% [markdown]
# ## How this book works
#
# You read, you predict, you write the function that is missing, and you see at once whether it is right. The book then goes on *with your function*: the program that learns at the end of this
# chapter runs on your code.
#
# An exercise is a function whose body is `...`, under a line `@exercise("0.1")`. Replace the three dots, run the cell, and you get a verdict:
#
# | verdict | meaning |
# |---|---|
# | ○ | not attempted: the body is still `...` |
# | ✗ | wrong; the verdict says what is wrong about it, or shows the error that your code raised |
# | ✓ | right |
#
# A wrong or missing answer never stops you. The function's name then stands for the book's own function, the *reference*, so that the cells below run either way. If you are stuck, `hint("0.1")`
# gives a hint, and a stronger one when you call it again; `solution("0.1")` shows the reference; `progress()` shows where you are.
#
# Three things hold in every exercise, if its text says nothing else: what your function is given it leaves as it came; what it returns is new; and "one number" is a tensor of shape `()`.
#
# Under an exercise's title stand the minutes that it takes most readers, and how hard it is: ●○○ is a few lines that the text has prepared, ●●● wants paper and pencil.
#
# Where the page asks you to **predict**, the cells below, folded ones among them, show nothing until you run them. Write your answer down first; it is the cheapest way to notice what you have not understood.
#
# A row of three dots is a folded cell. It holds code that only loads or draws something, or the book's own checks of the numbers on the page. You need not open it. (These checks
# leave room for chance, so that the book does not fail on a machine where other random numbers are drawn.)
#
# Run the cells from top to bottom. If something looks odd, use *Kernel → Restart Kernel and Run All Cells*: everything is computed afresh, and what you wrote stays.
#
# First the imports.

# %%
from collections.abc import Callable

import gymnasium as gym
import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import Tensor

from a3c_lib.exercises import exercise, hint, progress, solution, whose
from a3c_lib.figures import diagrams, plots
from a3c_lib.worlds import envs, exact

plt.style.use(plots.STYLE)

# %% [markdown]
# ## What you should know: gradients in PyTorch
#
# PyTorch writes down how a number was computed from tensors that have `requires_grad=True`, and can then go back along that record, the *graph*. `torch.autograd.grad(y, x)` returns a tuple with one
# entry, the gradient of the number $y$ with respect to $x$.
#
# Three lines to check that we agree. With $y = x_0^2 + x_1$, the gradient is $(2x_0, 1)$. At $x = (3, 5)$ that is $(6, 1)$:

# %% tags=["nbval-check-output"]
x = torch.tensor([3.0, 5.0], requires_grad=True)
y = x[0] ** 2 + x[1]
(gradient,) = torch.autograd.grad(y, x)
print(gradient)
assert gradient.tolist() == [6.0, 1.0]

# %% [markdown]
# `x.detach()` has the same values as `x`, but is cut out of the graph: PyTorch takes it for a constant. **Predict before you run:** what is the gradient of $x_0 \cdot \text{detach}(x_0)$ at
# $x_0 = 3$? The value is 9, like that of $x_0^2$.

# %% tags=["nbval-check-output", "prediction"]
y = x[0] * x[0].detach()
(gradient,) = torch.autograd.grad(y, x)
print("value", y.item(), "  gradient", gradient[0].item())
assert gradient[0] == 3  # and not 6: the second factor is a constant

# %% [markdown]
# The value is that of $x_0^2$, but the gradient is not: it is half as large. There is no error and no warning. Many bugs in this field are of this kind, so the exercises of this book check gradients
# too, wherever there are any.
#
# ### Exercise 0.1  A gradient that flows where it should
#
# Write the squared error $\sum_i (p_i - y_i)^2$ of a prediction $p$ against a target $y$, as one number. An optimiser will make it small. It must do that by moving the prediction towards the target,
# never the target towards the prediction: no gradient may flow into the target.
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
# Your function at work. The gradient is $2(p - y)$, so a step of 0.25 times the negative gradient goes half of the way that is left. The target stays where it is. (`p.data` changes the numbers in `p`
# without a note in the graph.)

# %% tags=["nbval-check-output"]
p, target = torch.tensor([1.0, 2.0], requires_grad=True), torch.tensor([3.0, 2.0])
for _ in range(4):
    (gradient,) = torch.autograd.grad(squared_error(p, target), p)
    p.data -= 0.25 * gradient
    print(p.tolist())
assert p.tolist() == [2.875, 2.0]

# %% [markdown]
# Now make a few mistakes on purpose, one at a time: leave the `detach()` out, write `mean()` instead of `sum()`, forget the `return`. Read what the verdict says. Then put it right and go on.
#
# This is how you ask for help: open a new cell under the exercise (click on the exercise's cell, then press Esc and B), type `hint("0.1")` into it, and run it. Run it again, and the hint is a stronger one.

# %% [markdown]
# ## The loop
#
# An **agent** acts in an **environment**, its world. At every step $t$ the agent sees an **observation** $o_t$ and chooses an **action** $a_t$. The environment answers with a **reward** $r_t$, a
# number, and with the next observation $o_{t+1}$. This goes on until the **episode** is over; then a new one begins.

# %% tags=["hide-input"]
diagrams.agent_and_world()

# %% [markdown]
# Our first environment is a corridor of three cells. The agent starts in cell 0, at a wall. Its actions are 0, a step to the left, and 1, a step to the right; walking into the wall leaves it where it
# is. Behind cell 2 lies the goal. The step that reaches it is paid 1, every other step 0. What the agent observes is the number of its cell; the goal has number 3. An episode that has not reached the
# goal after 200 steps is stopped there: we say that it is cut.

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
# `info` is a dict with extra information, which we do not need; we write `_` for it. Let us walk right three times:

# %% tags=["nbval-check-output"]
LEFT, RIGHT = envs.LEFT, envs.RIGHT  # 0 and 1

for _ in range(3):
    observation, reward, terminated, truncated, _ = env.step(RIGHT)
    print(f"now in {observation}, paid {reward}, terminated {terminated}, truncated {truncated}")

# %% [markdown]
# ### Two ways to be over
#
# Why does a step return two flags, `terminated` and `truncated`? An episode can be over for two reasons, and they are different in kind.
#
# - **terminated**: the *world* ended it. The goal is reached, the robot has fallen. Nothing comes after, so what comes after is worth exactly nothing.
# - **truncated**: *somebody's patience* ended it, mostly a limit on the number of steps. The world would have gone on, and the agent would have gone on being paid.
#
# In the step in which the time is up the goal may be reached as well; then both flags are True. Older code merges the two into one flag. That tells the agent that the world ends where only
# its time is up. You will see below what this does to a number. In this book the two are never merged.
#
# Two names for types, so that the functions below can say what is handed over:

# %%
Env = gym.Env  # any Gymnasium environment
Choose = Callable[[int], int]  # observation → action: what decides

# %% [markdown]
# ### Exercise 0.2  One episode
#
# Write the loop. Play one episode, from `reset` (with the seed) to its end, whichever end it is. `choose` is a function that decides: `choose(observation)` is the action to take. Return two things:
# the list of the rewards, in order, and whether the world ended the episode, that is, the last `terminated`. Both may stay as `step` gives them.
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
# Now the simplest player of all: it tosses a coin in every step and goes left or right with equal probability. Three steps would be enough. How many does it take on average? **Write down a guess**
# before you run the cell.

# %% tags=["prediction"]
rng = np.random.default_rng(seed=0)


def toss_a_coin(observation) -> int:
    return rng.integers(2)


lengths = [len(play_episode(env, toss_a_coin, seed)[0]) for seed in range(1000)]

ax = plots.axes(height=2.8)
ax.hist(lengths, bins=range(3, 80, 2), color=plots.BLUE)
ax.axvline(np.mean(lengths), color=plots.BLACK, linestyle="--", label="mean")
ax.set(xlabel="steps in an episode", ylabel="episodes", title="1000 episodes of the coin")
ax.legend()
plt.show()
print(f"mean {np.mean(lengths):.1f} steps, longest {max(lengths)}")
assert 11.2 < np.mean(lengths) < 12.8  # on paper: 3 · 4 = 12

# %% [markdown]
# About twelve steps, four times as many as needed, and now and then very many. This agent dawdles. The rest of the chapter teaches it the way.
#
# ## What is an episode worth?
#
# In the corridor every episode that reaches the goal is paid 1 in total, so the sum of the rewards cannot tell 3 steps from 30. Therefore later rewards count less: a reward that comes $k$ steps
# later is multiplied by $\gamma^k$. The **discount** $\gamma$ is a number from 0 to 1; in this chapter $\gamma = 0.9$. The **return** of step $t$ is what is paid from then on,
#
# $$G_t = r_t + \gamma\, r_{t+1} + \gamma^2 r_{t+2} + \dots$$
#
# up to the end of the episode. Note three things. The reward $r_t$ is paid for the action $a_t$ and is a part of $G_t$, undiscounted. What was paid *before* step $t$
# is no part of $G_t$: the action $a_t$ cannot change it any more. And "return" is not "reward": the book never uses one word for the other.
#
# ### Exercise 0.3  Discounted returns
#
# Compute all $G_t$ of one episode from its rewards. The formula above, taken literally, is a sum within a loop. There is a better way. Take one $\gamma$ out of all terms but the first; what it
# multiplies is the return of the next step:
#
# $$G_t = r_t + \gamma\, G_{t+1}.$$
#
# After the end nothing is paid, so the return there is 0. Begin at the last step and go back: each return then takes one multiplication and one addition. The rewards come as a tensor of floats.
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
# In the corridor the walk to the right is paid once, at its end. **Predict before you run:** what are its three returns, with $\gamma = 0.9$?

# %% tags=["nbval-check-output", "prediction"]
GAMMA = 0.9

rewards, _ = play_episode(env, lambda observation: RIGHT, seed=0)
G = discounted_returns(torch.tensor(rewards), GAMMA)
print(G)
torch.testing.assert_close(G, torch.tensor([0.81, 0.9, 1.0]))

# %% [markdown]
# The reward fades by $\gamma$ with every step back from the goal: 1 in the last step, 0.9 before it, 0.81 at the start.
#
# ## What is a state worth?
#
# The **state** of the world is what decides how it goes on. In the corridor that is the agent's cell, and the agent sees it: the observation is the state. (In general an observation shows less. We
# write $s$ where the state is seen, and $o$ where it need not be.) How the agent came to its cell makes no difference to what follows. This is the [**Markov property**](../docs/glossary.md#markov-property), and a world that has it is a *Markov decision process*.
#
# A **policy** is a rule for choosing actions, and it may leave something to chance: $\pi(a \mid s)$ is the probability of action $a$ in state $s$. The coin is a policy, with $\pi(a \mid s) = \tfrac12$
# everywhere; "always right" is another. The return of one episode is then a matter of luck. Its mean is not. It is called the **value** of the state under the policy:
#
# $$V^\pi(s) = \text{mean of } G_t \text{ over all episodes that are in } s \text{ at step } t.$$
#
# (Here we leave the limit of 200 steps aside; exercise 0.4 is about limits. Without it neither the world nor the policy looks at the clock, so the value is the same for every $t$.)

# %% [markdown]
# ### Values on paper
#
# How large is the value? $G_t = r_t + \gamma G_{t+1}$ holds in every episode, so it holds for the means: a state is worth what the
# next step pays, plus $\gamma$ times what the state after it is worth, on average. This is the [**Bellman equation**](../docs/glossary.md#bellman-equation). For the coin in our corridor:
#
# $$V_0 = \tfrac12 \gamma V_0 + \tfrac12 \gamma V_1 \qquad V_1 = \tfrac12 \gamma V_0 + \tfrac12 \gamma V_2 \qquad V_2 = \tfrac12 \gamma V_1 + \tfrac12 \cdot 1$$
#
# In cell 0 half of the steps end at the wall and stay, hence the $V_0$ on the right-hand side. In cell 2 half of the steps reach the goal and are paid 1; after the goal nothing comes. Three equations,
# three unknowns. Written with a matrix they are $V = \gamma P V + r$, or $(I - \gamma P)\,V = r$. A row of $P$ says where one step from a cell leads: from cell 0 to cell 0 or to cell 1, with probability $\tfrac12$ each, so the row is $(\tfrac12, \tfrac12, 0)$. (The row of cell 2 adds up to $\tfrac12$: the other half goes to the goal, which has no column.) And $r$ holds the mean reward in each cell: nothing in cells 0 and 1, $\tfrac12$ in cell 2.

# %% tags=["nbval-check-output"]
P = torch.tensor([[0.5, 0.5, 0.0], [0.5, 0.0, 0.5], [0.0, 0.5, 0.0]])
r = torch.tensor([0.0, 0.0, 0.5])
V = torch.linalg.solve(torch.eye(3) - GAMMA * P, r)
print("value", [round(v, 4) for v in V.tolist()])

steps = torch.linalg.solve(torch.eye(3) - P, torch.ones(3))
print("steps", [round(n, 2) for n in steps.tolist()])
assert abs(steps[0] - 12) < 0.001

# %% [markdown]
# This is what the book means by "solved on paper". (The last lines ask the same system another question. If every step is paid 1 and nothing is discounted, the value of a cell is the mean number of
# steps still to go. From the start that is exactly 12, close to what you saw by playing.)
#
# `exact.state_values` does the same for any small world and any policy. It takes two things:
#
# - the **world's table**: for every state and action, where the step may lead, with what probability, and what it pays. Ours is `envs.corridor(length=3)`. The agent never sees this table;
# - the policy as a **matrix of probabilities**, a row for each state and a column for each action. The goal is a state too, number 3. It has a row that nobody uses, and is worth 0.
#
# `exact.optimal_values` needs the world's table only. It returns the values of the best policy there is, called $V^*$; here that is walking right.

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
# Does playing agree with paper? Below are 2000 episodes of the coin, each with its return from the start. Their mean is an estimate of $V_0 = 0.4288$, up to chance. (To estimate a value by the mean of whole returns is called [**Monte Carlo**](../docs/glossary.md#monte-carlo).) How far off can chance bring it? The mean
# of $n$ independent numbers with standard deviation $\sigma$ has the **standard error** $\sigma / \sqrt n$, and in about 95 of 100 such experiments it lies within two standard errors of the truth. Where this book
# compares a mean with something, it prints two standard errors after the ±. (Its folded checks allow four. Chance exceeds that once in 16,000 times.)


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
# Now the same with a time limit of six steps. Most of the coin's episodes are then cut. What is a cut episode worth? Not only what was paid until then: the agent would have gone on, from the cell where
# it was stopped, and that cell has a value. So the return of an episode that was cut after $T$ steps is
#
# $$G_0 = r_0 + \gamma r_1 + \dots + \gamma^{T-1} r_{T-1} + \gamma^T\, V(o_T),$$
#
# where $V(o_T)$ is *what was still to come*, on average. After a real ending nothing was, whatever anybody says about the observation there. If both flags are set, the world ended.
#
# *On paper:* rewards 1 and 2, then the limit, in a cell that is worth 3; $\gamma = 0.5$. The return is $1 + 0.5 \cdot 2 + 0.25 \cdot 3 = 2.75$. Had the world ended there, it would be 2.
#
# The function below is meant to do that; $V$ is handed to it as `value_of`. It runs and raises no error, but its average comes out far too low. **Find the fault.** A bug hunt starts from code that is
# wrong, and the verdict stays ○ until you have changed something. Change as little as you can.
#
# (One `seed` is enough for many episodes. It goes to the first `reset` and starts the environment's random numbers; a `reset` without a seed goes on with them, so no two episodes use the same ones.)


# %% tags=["nbval-check-output"]
ValueOf = Callable[[int], float]  # observation → what is still to come from there


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
# This is what the fault costs. There are three ways to deal with a cut: ask what was still to come, take the cut for an ending, or throw the episode away. Each number is a mean over 2000 episodes,
# or over those of them that ended, and has a ± of less than 0.02.

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
# Take a cut for an ending, and the start looks worse than it is. Throw the cut episodes away, and it looks better than it is, since the lucky ones are left. Only asking what was still to come
# gives the right number. It looks circular: to estimate a value we had to be given values. Chapter 01 makes a learning rule of that circle.
#
# For now, keep the rule: **terminated means nothing comes after; truncated means that something would have.**

# %% [markdown]
# ## A policy that can learn
#
# The coin cannot learn: there is nothing in it to change. A policy that can learn needs **parameters** $\theta$, numbers that its probabilities depend on. The plainest choice is one number for every
# state and action: a row of **logits** $\theta_s$ for each state, turned into probabilities by the softmax:
#
# $$\pi(a \mid s) = \frac{e^{\theta_{s,a}}}{\sum_b e^{\theta_{s,b}}}.$$
#
# Any numbers will do as logits; the probabilities are positive and add up to 1. With all logits 0 we are back at the coin. A policy of this kind is called *tabular*, and the matrix of its logits is its `table`:

# %% tags=["nbval-check-output"]
from a3c_lib.reinforce import TabularPolicy

policy = TabularPolicy(num_states=4, num_actions=2)
print(policy.table)
print(policy.logits(torch.tensor([0, 2])).softmax(dim=-1))

# %% [markdown]
# ## The smallest case: two arms
#
# How should the logits change? We begin with a world that is smaller than the corridor: a slot machine with two arms, a *bandit*. It has one state, and an episode is one step. The left arm always pays 1, the
# right arm always pays 3, and the agent knows neither number. It begins with logits $(0, 0)$, so it pulls each arm with probability one half.
#
# Say that it pulls the right arm and is paid 3. Then what it did becomes likelier, and the more it was paid, the more so. (The picture calls what was paid the *weight*. The step size is 0.5.)

# %% tags=["hide-input"]
diagrams.one_update((0.5, 0.5), action=RIGHT, weight=3.0, learning_rate=0.5)

# %% [markdown]
# Had it pulled the left arm, that would have become likelier, but less so, since it pays less:

# %% tags=["hide-input"]
diagrams.one_update((0.5, 0.5), action=LEFT, weight=1.0, learning_rate=0.5)

# %% [markdown]
# That is the whole idea. Each action that is paid pulls its way, even the worse one; the better one pulls harder, and so it wins on average. Now the same in numbers.
#
# **What we want.** On average a pull is paid $J = \pi(\text{left}) \cdot 1 + \pi(\text{right}) \cdot 3$, at the beginning 2. To make $J$ larger we go along its gradient. The softmax has a simple derivative: if the logit of an action rises,
# the action's own probability $p$ rises at the rate $p\,(1 - p)$, and the other one falls at the same rate. At one half that is $\tfrac14$. So the derivative of $J$ with respect to the logit of *right* is
# $3 \cdot \tfrac14 - 1 \cdot \tfrac14 = \tfrac12$, and with respect to that of *left* it is $-\tfrac12$.
#
# **What the agent can do.** It does not know 1 and 3, so it cannot compute this. It can pull. After each pull it moves the logits by *what was paid, times* (1 for the arm that was pulled and 0 for the other, minus the probabilities):
#
# | pulled | paid | the logit of left moves by | the logit of right moves by |
# |---|---|---|---|
# | left | 1 | $1 \cdot (1 - \tfrac12) = +\tfrac12$ | $1 \cdot (0 - \tfrac12) = -\tfrac12$ |
# | right | 3 | $3 \cdot (0 - \tfrac12) = -\tfrac32$ | $3 \cdot (1 - \tfrac12) = +\tfrac32$ |
# | on average, each with probability ½ | 2 | $-\tfrac12$ | $+\tfrac12$ |
#
# The last row is the gradient, exactly. No single pull says so, but their mean does. Let us see what ten pulls say, and ten thousand:

# %%
paid = torch.tensor([1.0, 3.0])  # by the left arm and by the right one; the agent sees one a pull
theta = torch.zeros(2, requires_grad=True)
pi = theta.softmax(dim=-1)
(gradient,) = torch.autograd.grad((pi * paid).sum(), theta)
print("on paper          ", gradient.tolist())

generator, pi = torch.Generator().manual_seed(0), pi.detach()
pulls = torch.multinomial(pi, 10_000, replacement=True, generator=generator)
moves = paid[pulls][:, None] * (torch.eye(2)[pulls] - pi)  # a row for each pull
print("ten pulls         ", moves[:10].mean(dim=0).tolist(), "from", pulls[:10].tolist())
print("ten thousand pulls", moves.mean(dim=0).tolist())
assert (moves.mean(dim=0) - gradient).abs().max() < 0.04

# %% [markdown]
# Ten pulls give no more than a hint: each says $+\tfrac32$ or $-\tfrac12$ for the logit of right, and their mean is often far from $\tfrac12$. Ten thousand come close. But the agent need not wait for a mean. It can take a small step after every pull; the chance in the
# steps averages out along the way:

# %%
theta = torch.zeros(2)
for pull in range(301):
    pi = theta.softmax(dim=-1)
    if pull in (0, 10, 30, 100, 300):
        print(f"after {pull:3} pulls: π(right) = {pi[RIGHT]:.2f}")
    arm = torch.multinomial(pi, 1, generator=generator).item()
    theta += 0.1 * paid[arm] * (torch.eye(2)[arm] - pi)
assert pi[RIGHT] > 0.8

# %% [markdown]
# It has found the better arm, and was only ever told what it was paid.
#
# ### Why it works
#
# The direction in the table, 1 for the arm that was pulled and 0 for the other, minus the probabilities, is the gradient of $\log\pi(a)$ with respect to the logits. It is called the [**score function**](../docs/glossary.md#score-function). (You will check this in exercise 0.5.) With it the
# table's last row can be computed for any policy and any pay $r(a)$. All it takes is $\nabla \log x = \nabla x / x$, that is, $\nabla \pi = \pi\, \nabla \log \pi$:
#
# $$\nabla J = \nabla \sum_a \pi(a)\, r(a) = \sum_a r(a)\, \nabla\pi(a) = \sum_a \pi(a)\; r(a)\, \nabla\log \pi(a).$$
#
# In the middle stands a sum over all arms, and to compute it one must know what each pays. The last sum weighs each arm by the probability with which the agent pulls it. So it is a *mean over the agent's own pulls*, and a mean can be estimated by pulling.

# %% [markdown]
# ## The policy gradient
#
# In the corridor an episode has many steps, and there is a logit for each action in each state. What is the agent to make large? The value of the start state $s_0$, which depends on the parameters through the policy:
#
# $$J(\theta) = V^{\pi_\theta}(s_0).$$
#
# An episode now takes the place of a pull. Let $\tau$ be an episode, $p_\theta(\tau)$ its probability, and $G(\tau)$ its return from the start. $J$ is the mean return, and the same two steps as for the bandit give
#
# $$\nabla J = \nabla \sum_\tau p_\theta(\tau)\, G(\tau) = \sum_\tau p_\theta(\tau)\; G(\tau)\, \nabla\log p_\theta(\tau),$$
#
# a mean over episodes. What is $\nabla\log p_\theta(\tau)$? The probability of an episode is a product with two factors for each step: the policy's probability of the action, and the world's probability of what follows. The logarithm turns the
# product into a sum. The world's part does not depend on $\theta$, so its gradient is 0, and what remains is
#
# $$\nabla\log p_\theta(\tau) = \sum_t \nabla\log \pi(a_t \mid o_t).$$
#
# The unknown world has dropped out. So this is what to do: play an episode; for every step take the direction that makes the chosen action likelier; add these directions up; weigh the sum by what the episode was paid.
#
# *On paper:* three episodes of the coin, and how each of them pulls at one logit, that of *right* in cell 0. Each step to the right in cell 0 counts $1 - \tfrac12 = +\tfrac12$, each step to the left (into the wall) $0 - \tfrac12 = -\tfrac12$.
# Steps in other cells have logits of their own.
#
# | episode | its return $G(\tau)$ | steps in cell 0 | it pulls by |
# |---|---|---|---|
# | right, right, right | $0.9^2 = 0.81$ | $+\tfrac12$ | $+0.405$ |
# | left, right, right, right | $0.9^3 = 0.729$ | $-\tfrac12 + \tfrac12 = 0$ | $0$ |
# | left, left, right, right, right | $0.9^4 = 0.656$ | $-\tfrac12 - \tfrac12 + \tfrac12 = -\tfrac12$ | $-0.328$ |
#
# The quick episode pulls up, the slow one pulls down, and the quick one pulls harder. It also happens four times as often.

# %% [markdown]
# ### What a step can still change
#
# One improvement. Cut the return of an episode in two at step $t$:
#
# $$G(\tau) = \underbrace{r_0 + \gamma r_1 + \dots + \gamma^{t-1} r_{t-1}}_{\text{paid before step } t} \; + \; \underbrace{\gamma^t r_t + \gamma^{t+1} r_{t+1} + \dots}_{\gamma^t\, G_t\text{, paid from then on}}$$
#
# The first part is not due to the action $a_t$, which came later. Weighed by it, the step's direction is 0 on average: whatever was paid before, the mean of the score function over the policy's own choices is
# $\sum_a \pi\, \nabla\log\pi = \nabla \sum_a \pi = \nabla 1 = 0$. This part adds nothing but noise, so leave it out. Each step is then weighed by what was paid from then on:
#
# $$\nabla J = \text{mean over episodes of } \sum_t \gamma^t\, G_t\, \nabla\log\pi(a_t \mid o_t).$$
#
# This is **REINFORCE** ([Williams, 1992](../docs/bibliography.md#before-it)). It is [**on-policy**](../docs/glossary.md#on-policy): the mean is over episodes of the very policy that is to change, so after each update new ones are needed. You will write it as two small functions.

# %% [markdown]
# ### Exercise 0.5  The log-probability of what was done
#
# From the logits of $T$ steps and the $T$ actions that were taken, compute $\log\pi(a_t \mid o_t)$ for each step. Each row of logits belongs to one step; it has one entry for each of the $A$ actions.
#
# *On paper:* logits $(\log 0.7, \log 0.3)$ are the probabilities $(0.7, 0.3)$. If action 1 was taken, the answer is $\log 0.3 = -1.204$. And its gradient with respect to the two logits is
# $(0 - 0.7,\; 1 - 0.3) = (-0.7, 0.7)$: 1 for the action taken and 0 for the other, minus the probabilities.
#
# It has to work for logits that lie far apart, too. For logits $(0, -200)$ the second probability, $e^{-200}$, is too small for a float32 and is rounded to 0. Yet its logarithm is an ordinary
# number, $-200$, and that is what your function should return. PyTorch has a function for this.


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
# PyTorch's optimisers make a number, the **loss**, small. We want to go *up* along $\sum_t G_t \nabla\log\pi(a_t \mid o_t)$. So write the number whose gradient is the negative of that. (The factor
# $\gamma^t$ of the formula is left out on purpose: your function takes the returns as they come, and its caller may multiply them by $\gamma^t$ first. Below we do both, and compare.) Three things matter:
#
# - the **sign**;
# - a **sum** over the steps, not a mean: $J$ is about whole episodes, and in a mean each step of a long episode would count less;
# - the **returns are constants**. They are what happened, so no gradient may flow into them. In this chapter none could anyway; from chapter 01 on a network has a part in them, and then it matters.
#
# *On paper:* one step, probabilities $(0.7, 0.3)$, action 1 taken, return 2. The loss is $-2 \log 0.3 = 2.408$, its gradient with respect to the logits $-2 \cdot (-0.7, 0.7) = (1.4, -1.4)$. A step
# against this gradient raises the logit of action 1, the one that was paid for. (Take the returns as they come: nothing is subtracted from them, and nothing divided. What may be subtracted is a question of chapter 01.)


# %% tags=["nbval-check-output"]
@exercise("0.6")
def reinforce_loss(log_probabilities: Tensor, returns: Tensor) -> Tensor:
    """The loss whose negative gradient is Σ_t G_t ∇log π(a_t | o_t).   (T,), (T,) → ()."""
    ### BEGIN SOLUTION
    return -(returns.detach() * log_probabilities).sum()
    ### END SOLUTION


# %% [markdown]
# ## The agent learns
#
# Now everything is in place. To learn from an episode we have to remember what was seen and done in it. Your `play_episode` asks `choose` for every action, so we let `choose` take notes. It draws each action with the probabilities of
# the policy, $a_t \sim \pi(\cdot \mid o_t)$, with the random numbers of a `generator`, so that a run can be repeated:


# %%
def remember_episode(env: Env, policy, generator: torch.Generator, seed: int):
    """Play one episode.   → its observations, actions and rewards, (T,) each."""
    observations, actions = [], []

    def choose(observation) -> int:
        pi = policy.logits(torch.tensor(observation)).softmax(dim=-1)
        action = torch.multinomial(pi, 1, generator=generator).item()
        observations.append(int(observation))
        actions.append(action)
        return action

    rewards, _ = play_episode(env, choose, seed)
    return torch.tensor(observations), torch.tensor(actions), torch.tensor(rewards)


# %% [markdown]
# And this is the whole of REINFORCE, with your four functions in it. Three lines are PyTorch's: `backward()` writes the gradient to each parameter, `step()` moves it by $-\eta$ times that ($\eta$ is the learning rate), and `zero_grad()` wipes the old one. The factor $\gamma^t$ is left out, as in nearly every program; what that means, we look at when the agent has learned.

# %%
from itertools import count
from typing import NamedTuple


class Learned(NamedTuple):
    """What training reports after an episode."""

    steps: int  # in the environment, since training began
    episode_return: float
    length: int


def reinforce(policy, env: Env, total_steps: int, learning_rate: float, seed: int):
    """One whole episode, one step along its gradient, and so on."""
    generator, steps = torch.Generator().manual_seed(seed), 0
    optimizer = torch.optim.SGD(policy.parameters(), lr=learning_rate)
    for episode_seed in count(1000 * seed):  # each episode has a seed of its own
        if steps >= total_steps:
            return
        observations, actions, rewards = remember_episode(env, policy, generator, episode_seed)
        returns = discounted_returns(rewards, GAMMA)
        loss = reinforce_loss(log_pi(policy.logits(observations), actions), returns)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        steps += len(rewards)
        yield Learned(steps, rewards.sum().item(), len(rewards))


# %% [markdown]
# It is a Python *generator* (no relation to the dice called `generator`): it hands out one report after the other, and the code that asks for them decides what to print, what to plot and when to stop. All trainers of this book work like that. `track` wraps such a
# trainer and keeps one line of text up to date while it runs. The package has the same loop as `reinforce.train`, with some housekeeping. (An episode that is cut counts here as if nothing more were
# to come. You know that this is wrong; but REINFORCE has no $V$ to ask, and in three cells the limit of 200 steps is hardly ever reached.)
#
# One agent first. What is its policy worth, that is, what is $J$? The coin has 0.43, the best policy 0.81. We need not play to find out, since we have `exact`: `worth` below computes $J$ from the
# logits and the world's table. The agent itself sees episodes only.

# %%
from a3c_lib.figures.progress import track


def worth(agent) -> float:
    return exact.objective(corridor, agent.table, GAMMA).item()


print(f"This runs {whose(play_episode, discounted_returns, log_pi, reinforce_loss)}.")
agent = TabularPolicy(4, 2)
training = reinforce(agent, env, 1000, learning_rate=0.5, seed=0)
print(f"before {worth(agent):.3f}")
history = list(track(training, total_steps=1000))
print(f"after  {worth(agent):.3f}, learned from {len(history)} episodes")
assert worth(agent) > 0.55

# %% [markdown]
# (`whose` says whether a cell runs your code or the reference.) One seed says little: it may have been a lucky one. Here are ten, and after every episode we look up $J$:

# %%
agents, curves = [], []
for seed in range(10):
    agent = TabularPolicy(4, 2)
    steps, J = [0], [worth(agent)]
    for report in reinforce(agent, env, 1000, learning_rate=0.5, seed=seed):
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
# The line is the median of the ten agents, and the band reaches from the lowest to the highest. Look at its lower edge: again and again an agent that was doing well falls back.
#
# Here is the agent in the middle of the ten, by its $J$ at the end: first its policy, then the values of its cells.

# %% tags=["hide-input"]
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
    title="The learned policy is worth nearly as much as the best",
)
plt.show()
assert (V_best - V_after).max() < 0.06

# %% [markdown]
# And here it is at play: first as it was, then as it is. `sampled(policy, generator)` is the function that acts: it draws each action as `choose` did above. (To stop a film, give it a name, such as `film = animate(...)`; then `film.still(12)` shows one picture of it.)

# %%
from a3c_lib.figures.animation import animate
from a3c_lib.figures.watching import play
from a3c_lib.rollout import sampled

animate(
    play(sampled(untrained, torch.Generator().manual_seed(3)), "a3c_lib/Corridor-v0"),
    fps=4,
    alt="The untrained agent wanders to and fro in the corridor, and takes long to reach the goal.",
)

# %%
animate(
    play(sampled(trained, torch.Generator().manual_seed(3)), "a3c_lib/Corridor-v0"),
    fps=4,
    alt="The trained agent walks to the right, to the goal.",
)

# %% [markdown]
# ### How good is an agent?
#
# In most worlds nobody knows the table. There an agent is judged by playing: many episodes, in environments that it does not train in, and their mean ± two standard errors. That is `evaluate`. It
# reports the sum of the rewards *without* discount, as is the custom; the discount belongs to learning. **Predict before you run:** what will the untrained agent get in the corridor with its limit of
# 200 steps, and what with a limit of 6?

# %% tags=["prediction"]
from a3c_lib.evaluation import evaluate


def make_impatient():
    return gym.make("a3c_lib/Corridor-v0", max_episode_steps=6)


for name, player in ("untrained", untrained), ("trained", trained):
    print(f"{name:9}  limit 200:", evaluate(player, "a3c_lib/Corridor-v0", episodes=500, seed=1))
    print(f"{'':9}  limit   6:", evaluate(player, make_impatient, episodes=500, seed=1))

assert evaluate(untrained, make_impatient, episodes=500, seed=1).high < 0.45
assert evaluate(trained, make_impatient, episodes=500, seed=1).low > 0.9

# %% [markdown]
# With a limit of 200 both get 1.00: the coin arrives too, if it may walk long enough, and the undiscounted sum does not count steps. With a limit of 6 the two are far apart. So a number says something
# only if you know what it counts.
#
# Always say whether actions were sampled from the policy, as here, or whether the likeliest was taken (`actions="greedy"`): the two can give very different numbers.

# %% [markdown]
# ## Was it the gradient?
#
# The agent has learned, so its steps led uphill. That is not enough to call them the gradient: an estimate could be half the gradient, or wrong in one cell, and still lead uphill. But in the corridor $V^\pi$ is the solution of a linear system, and PyTorch can
# differentiate that solution. `exact.policy_gradient` does so, without episodes and without chance. So we can compare, number by number.
#
# We take the gradient at the coin, where all logits are 0, from 1000 episodes. `weigh(T)` gives the factors by which the $T$ returns of an episode are multiplied: first $\gamma^t$, as the formula has it.


# %%
def estimate_gradient(policy, episodes: int, seed: int, weigh) -> Tensor:
    """−d loss / d table of each episode.   → (episodes, S, A)."""
    generator, gradients = torch.Generator().manual_seed(seed), []
    for episode_seed in range(episodes):
        observations, actions, rewards = remember_episode(env, policy, generator, episode_seed)
        G = discounted_returns(rewards, GAMMA)
        loss = reinforce_loss(log_pi(policy.logits(observations), actions), weigh(len(G)) * G)
        gradients.append(-torch.autograd.grad(loss, policy.table)[0])
    return torch.stack(gradients)


def with_discount(steps: int) -> Tensor:
    return GAMMA ** torch.arange(steps)


sample = estimate_gradient(policy, 1000, seed=0, weigh=with_discount)
print(sample.mean(dim=0))

# %% [markdown]
# There is a row for each state and a column for each action. In every cell the estimate wants the logit of *right* up and that of *left* down, by the same amount, since only the difference of two logits
# matters to the softmax. The goal's row is 0, since nobody acts there. Now beside the truth, for the column of *right*:


# %%
truth = exact.policy_gradient(corridor, policy.table, GAMMA)[:3, RIGHT]


def compare(sample: Tensor) -> Tensor:
    """Print the estimate for RIGHT beside the truth.   → standard errors between them, (3,)."""
    estimate = sample[:, :3, RIGHT].mean(dim=0)
    error = sample[:, :3, RIGHT].std(dim=0) / len(sample) ** 0.5
    off = (estimate - truth) / error
    for cell in range(3):
        printed = f"{estimate[cell]:.3f} ± {2 * error[cell]:.3f}, on paper {truth[cell]:.3f}"
        print(f"cell {cell}: played {printed}: {off[cell]:+.1f} standard errors off")
    return off


distance = compare(sample)
assert (distance.abs() < 4).all()

# %% [markdown]
# The estimate agrees with paper within the printed error. An interval of ± two standard errors should miss the truth about once in twenty times. So
# here are forty such runs, each with a seed of its own and 1000 episodes. With three cells that makes 120 intervals, of which about 114 should contain the exact value.
#
# It took some minutes to compute them, so the book keeps the result as a **record**, and the cell draws that. Each dot is the estimate of one run, and the bar through it is ± two standard errors. The
# black line is the exact value. A bar that crosses it is a hit; the others are drawn in orange.

# %% tags=["hide-input"]
from a3c_lib.app import records

record = records.load("policy_gradient")
print(record)
print(record.settings(model=policy, gamma=GAMMA))

contained = 0
for cell, ax in enumerate(plots.axes(width=10, height=2.8, columns=3)):
    runs = record.select(weight="γ^t", state=cell)
    estimate, error = runs.column("estimate"), 2 * runs.column("standard_error")
    hit = abs(estimate - runs.column("exact")) < error
    for which, colour in (hit, plots.BLUE), (~hit, plots.RED):
        seeds = runs.column("seed")[which]
        ax.errorbar(seeds, estimate[which], error[which], fmt=".", color=colour, linewidth=1)
    ax.axhline(runs.column("exact")[0], color=plots.BLACK)
    ax.set(title=f"Cell {cell}: {hit.sum()} of {len(hit)} hit", xlabel="seed of the run")
    if cell == 0:
        ax.set_ylabel("gradient for “right”")
    contained += hit.sum()
plt.show()
print(f"{contained} of 120 intervals contain the exact value")
assert contained >= 106

# %% [markdown]
# ### A factor that nearly everybody drops
#
# The factor $\gamma^t$ says that what happens late in an episode matters little for the value of its *start*. With it the estimate is right on average, as you have
# just seen. The training above went without it. On the same thousand episodes:

# %%
without = estimate_gradient(policy, 1000, seed=0, weigh=torch.ones)
distance = compare(without)

direction = without.mean(dim=0)[:3, RIGHT].double()
cosine = torch.cosine_similarity(direction, truth, dim=0)
print(f"length {direction.norm() / truth.norm():.1f} times, cosine of the angle {cosine:.3f}")
assert distance.max() > 8
assert cosine > 0.98

# %% [markdown]
# This is not the gradient of $J$: it is about twice as long, and lies outside the error bars. But here it points in nearly the same direction (a cosine of 1 would be exactly the same). Without the factor
# late steps count as much as early ones, and that is rather welcome: at $t = 50$ the factor $0.9^{50} = 0.005$ would all but switch off learning. Nearly all programs drop it, and so does the A3C paper's
# algorithm. **This book drops it too**, and now you know what that does. ([Thomas, 2014](../docs/bibliography.md#before-it), shows what the factor's absence means for algorithms of this kind.)

# %% [markdown]
# ## What it cost
#
# Every update took a whole episode and then threw it away, since the method is on-policy. How many steps in the corridor did it take until $J$ stayed above 0.75? For each of the ten agents the cell looks for the last time that $J$ was below, and counts the steps up to the
# update after it. (An agent that is still below at the end counts with all its steps; its true number is larger.)

# %%
spent = []
for steps, J in curves:
    below = [k for k, value in enumerate(J) if value < 0.75]  # 0 is one of them
    spent.append(steps[min(below[-1] + 1, len(steps) - 1)])
still_below = sum(J[-1] < 0.75 for _, J in curves)
print(f"{np.median(spent):.0f} steps (median), from {min(spent)} to {max(spent)};", end=" ")
print(f"{still_below} of {len(curves)} agents are still below at the end")

mean, deviation = without[:, 0, RIGHT].mean(), without[:, 0, RIGHT].std()
print(f"one episode, cell 0: mean {mean:.2f}, standard deviation {deviation:.2f}", end=", ")
print(f"{deviation / mean:.1f} times the mean")
assert deviation > 2 * mean

# %% [markdown]
# A few hundred steps to learn "right, right, right". The last line shows how little a single update knows. It says how one episode of the coin pulls at the logit of *right* in cell 0, without $\gamma^t$, as in the training. The pulls have a mean above 0, so on average they lead the right way; but they scatter around it with a standard deviation
# of about four times the mean. So most of a single update is chance, and no setback in the curves above is a surprise. Smaller steps average the chance out, but then learning takes longer. The worlds to come are noisier than
# this one. The next chapter is about making the chance smaller.

# %% [markdown]
# ## Where the paper says it
#
# The book's paper is *Asynchronous Methods for Deep Reinforcement Learning* ([Mnih et al., 2016](../docs/bibliography.md#the-paper)). This chapter built the ground that it stands on. For now, two lines of it can be read:
#
# | here | in the paper | the difference |
# |---|---|---|
# | $o_t$, $a_t$, $r_t$, $\gamma$ | $s_t$, $a_t$, $r_t$, $\gamma$ | it calls what is observed the state; its experiments have $\gamma = 0.99$, ours here 0.9, so that the discount shows in three cells |
# | $\sum_t G_t \nabla\log\pi(a_t \mid o_t)$ | $\nabla_{\theta'}\log\pi(a_i \mid s_i; \theta')\,(R - V(s_i; \theta'_v))$, added up | its $R$ is computed backwards too, as your $G_t$ is, but over a few steps (chapter 02); $V$ is chapter 01; no $\gamma^t$ there either |
#
# For a second explanation of returns, values and the policy gradient, read [Sutton and Barto](../docs/bibliography.md#before-it), chapters 3 and 13.
#
# ## What to try next
#
# The cell below trains three agents, with three seeds, in a corridor of eight cells, and draws how long their episodes are. Change its first line and run it again.
#
# - **A longer corridor.** How many episodes does it take until they are short? And with `length = 12`, where the coin needs 156 steps on average and the limit is 200?
# - **The size of a step.** Is `learning_rate = 3.0` faster? And `30.0`? Try ten seeds, and look at the worst of them.
# - **Noise.** With `reward_noise = 1.0` every step is paid a random number on top, 0 on average. That changes no value, and not $J$. How well do the agents learn now?
# - **Wrong on purpose.** In exercise 0.6 take the minus sign out of your `reinforce_loss`, and write `@exercise("0.6", run_mine=True)` above it, so that the book uses it although it is wrong. Run
#   that cell, then the one below. Afterwards put both back, and run the cell of exercise 0.6 once more.

# %%
length, reward_noise, learning_rate, seeds = 8, 0.0, 0.5, range(3)


def my_corridor():
    return gym.wrappers.TimeLimit(envs.Corridor(length, reward_noise=reward_noise), 200)


print(f"This runs {whose(play_episode, discounted_returns, log_pi, reinforce_loss)}.")
ax = plots.axes(height=2.8)
for seed in seeds:
    mine = TabularPolicy(length + 1, 2)
    history = list(track(reinforce(mine, my_corridor(), 3000, learning_rate, seed), 3000))
    lengths = [report.length for report in history]
    ax.plot(range(1, len(lengths) + 1), lengths, linewidth=1, label=f"seed {seed}")
    first, last = np.mean(lengths[:10]), np.mean(lengths[-10:])
    print(f"seed {seed}: {len(lengths)} episodes, mean length", end=" ")
    print(f"{first:.1f} in the first ten, {last:.1f} in the last ten")

ax.axhline(length, color=plots.BLACK, linestyle="--", label="always right")
ax.set(xlabel="episode", ylabel="steps in the episode", title="How long the episodes are")
ax.legend()
plt.show()

# %% [markdown]
# ## Summary
#
# - An agent observes, acts, is paid, and goes on: `reset`, then `step` until *terminated* (nothing comes after) or *truncated* (something would have come). Never one flag for both.
# - The return $G_t = r_t + \gamma G_{t+1}$ is computed backwards. Its mean is the value $V^\pi$; for a small world $V^\pi$ is the solution of a linear system, and playing agrees with it.
# - What was paid, times $\nabla\log\pi$ of what was done, is on average the gradient of the mean pay. You saw it for two arms; with episodes it is the same.
# - The policy gradient makes what was done likelier, in proportion to what was paid from then on. $-\sum_t G_t \log\pi(a_t \mid o_t)$ is the loss; the returns are constants. With the factor $\gamma^t$ its gradient agrees with the
#   exact one; we drop the factor, as nearly everybody does.
# - A mean is printed with its error. A result of learning is shown over several seeds.
#
# It works, in three cells without noise. But it takes a whole episode for one update, and its gradient is mostly chance. [Chapter 01](01_actor_critic.ipynb) shows where that fails, and adds a second
# learner, the critic, which says what was to be expected.

# %%
progress()
