# %% [markdown]
# # 03  The entropy bonus
#
# **You need** chapters 00 to 02: the policy gradient, actor and critic, n-step returns.<br>
# **You will be able to** keep an agent from making up its mind too early, say how much of that is too much, and read from three numbers what is wrong with a run.<br>
# **Time** {time}; the computer works for half a minute.
#
# An agent learns from what it does, and does what it has learned. *What if it decides before it has seen enough, and how would you notice?*

# %%
import math
from functools import partial
from types import SimpleNamespace

import gymnasium as gym
import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import Tensor

from a3c_lib import ActorCritic, actor_critic, evaluate, greedy, n_step_returns
from a3c_lib.actor_critic import Loss, actor_critic_loss
from a3c_lib.app import records
from a3c_lib.exercises import exercise, hint, progress, solution, whose
from a3c_lib.figures import diagrams, plots
from a3c_lib.figures.animation import animate
from a3c_lib.figures.progress import track
from a3c_lib.figures.watching import play
from a3c_lib.worlds import envs, exact

plt.style.use(plots.STYLE)

# %% [markdown]
# ## A trap
#
# A row of ten cells, 0 to 9. The two at the ends are exits. The agent starts in cell 1. One step to the left, in cell 0, is the near exit, which pays 0.3. Eight steps to the right, in cell 9, is the far exit,
# which pays 1. Nothing else pays. We discount with $\gamma = 0.95$.

# %%
env = gym.make("a3c_lib/Trap-v0", render_mode="rgb_array")
env.reset(seed=0)

plots.frames([env.render()], titles=["The agent starts in cell 1. Orange pays 0.3, green pays 1"])
plt.show()

# %% [markdown]
# What is right? The far exit, discounted over the seven steps that come before the one that pays, is worth $0.95^7 = 0.70$ at the start. That is more than twice 0.3.
#
# But that is its worth *for somebody who walks straight to it*. At first an agent wanders, and a wanderer who leaves cell 1 to the right mostly comes back. So there are two answers, and both can be computed
# exactly: one for the best policy and one for the coin of chapter 00, which goes left and right with equal probability.

# %% tags=["nbval-check-output"]
GAMMA = 0.95
LEFT, RIGHT, START = envs.LEFT, envs.RIGHT, 1

world = envs.trap()  # the table behind a3c_lib/Trap-v0
coin = torch.full((world.num_states, 2), 0.5)
V_best = exact.optimal_values(world, GAMMA)
V_coin = exact.state_values(world, coin, GAMMA)

for name, V in {"best policy": V_best, "coin": V_coin}.items():
    Q = exact.action_values(world, V, GAMMA)[START]
    print(f"{name:12} start: left is worth {Q[LEFT]:.3f}, right {Q[RIGHT]:.3f}")

Q_coin = exact.action_values(world, V_coin, GAMMA)[START]
assert Q_coin[LEFT] > 1.25 * Q_coin[RIGHT]
assert V_best[START] > 2 * Q_coin[LEFT]

# %%
plots.value_map(
    {"V of the coin": V_coin, "V*": V_best},
    terminal={0: "pays 0.3", 9: "pays 1"},
    start=START,
    title="To a wanderer, the way to the far exit is worth little",
)
plt.show()

# %% [markdown]
# That is the trap. For the agent *as it is at the beginning*, left really is the better action. An honest policy gradient has to say so.
#
# **Predict before you run:** what will chapter 02's agent, with its n-step returns, have learned after 4000 steps: left or right? (`anneal=False` keeps the learning rate as it is. If the agent stops changing, it is not because its
# steps have become small.)

# %% tags=["prediction"]
TRAP = "a3c_lib/Trap-v0"


def new_agent(seed):
    return ActorCritic.for_env(gym.make(TRAP), hidden=(32,), seed=seed)


SETTINGS = {"t_max": 10, "gamma": GAMMA, "learning_rate": 0.02, "anneal": False}


def learn(model, loss, steps, seed):
    """Train in the trap with n-step returns.   → the updates."""
    config = actor_critic.Config(total_steps=steps, seed=seed, **SETTINGS)
    with actor_critic.train(model, TRAP, config, targets=n_step_returns, loss=loss) as training:
        return list(track(training))


agent = new_agent(seed=1)
history = learn(agent, actor_critic_loss, steps=4_000, seed=1)

# %% [markdown]
# To say where it has ended up we need no episodes. Its policy is a table of ten rows, and everything follows from that: the value of its policy at the start, $J$, and the probability of leaving by the
# far exit.
#
# The second number has a small trick. Take the same ten cells, let only the far exit pay, exactly 1, and do not discount: what such a world pays on average *is* the probability of getting there.

# %%
only_far_pays = envs.trap(small=0.0, large=1.0)


def table(model):
    """The logits of every state.   → (S, A)"""
    with torch.no_grad():
        return model.logits(torch.arange(world.num_states))


def probability_of_far_exit(model):
    return exact.objective(only_far_pays, table(model), gamma=1.0).item()


def value_of_policy(model):
    return exact.objective(world, table(model), GAMMA).item()


print(f"probability of the far exit   {probability_of_far_exit(agent):.6f}")
print(f"value of its policy           {value_of_policy(agent):.3f}     best: {V_best[START]:.3f}")

# %% [markdown]
# From here on a run is called **stuck** if that probability is below one half. In this section it hardly matters where the line is drawn, since nearly every run ends far from it. Where it matters, the text says so.

# %%
assert probability_of_far_exit(agent) < 0.5
assert value_of_policy(agent) < 0.35

plots.policy_bars(
    table(agent).softmax(dim=-1),
    ["left", "right"],
    terminal={0: "pays 0.3", 9: "pays 1"},
    start=START,
    title="The agent at the start has decided: left, to the near exit",
)
plt.show()

# %% [markdown]
# Bad luck with the seed? Twenty seeds take minutes, so they were run once and recorded:

# %% tags=["hide-input"]
trap = records.load("trap_entropy")
print(trap)
print(trap.settings(world=TRAP, model=agent, targets=n_step_returns, **SETTINGS))
final = trap.select(steps=8_000)
without = final.select(entropy_weight=0.0).column("p_far")

plots.strip(
    {"no bonus": without},
    below=0.5,
    title="Without a bonus most seeds stay in the trap",
    x_label="probability of leaving by the far exit, after 8000 steps",
)
plt.show()
assert (without < 0.5).mean() >= 0.6
assert ((without < 0.01) | (without > 0.99)).all()

# %% [markdown]
# Most are stuck for good, some have escaped, and nobody is in between. Whether a run escapes is luck: did it happen to reach the far exit a few times before it had made up its mind? After 400 of the 8000 steps
# that was settled. To do what does not look best now, in order to learn whether it is, is called [**exploration**](../docs/glossary.md#exploration). This agent has stopped exploring.

# %% tags=["hide-input"]
early = trap.select(entropy_weight=0.0, steps=400).column("p_right") < 0.5
late = without < 0.5
print(f"start goes left after 400 steps: {early.sum()} of 20")
print(
    f"stuck after 8000 steps:          {late.sum()} of 20, of which the same {(early & late).sum()}"
)
assert late.sum() == 14
assert (early == late).mean() >= 0.9

# %% [markdown]
# ## Why it does not get out
#
# Let $\pi_R$ be the probability of going right in the start cell. Take an agent that tosses a coin in all other cells, and ask for the exact gradient of $J$ with respect to the start's logit for *right*. Chapter 00's
# `exact.policy_gradient` knows it.

# %% tags=["nbval-check-output"]
print("π_R      dJ/dlogit")
slopes = []
for p in 0.5, 0.1, 0.01, 0.001:
    logits = torch.zeros(world.num_states, 2)
    logits[START] = torch.tensor([1 - p, p]).log()
    slopes.append(exact.policy_gradient(world, logits, GAMMA)[START, RIGHT].item())
    print(f"{p:<6} {slopes[-1]:+.6f}")
assert all(slope < 0 for slope in slopes)
assert abs(slopes[-1]) < abs(slopes[0]) / 100

# %% [markdown]
# Two things are wrong at once.
#
# - The **sign**: the gradient says *left*. As long as the agent wanders in the other cells, that is correct. To learn to walk there, it would have to be there.
# - The **size**: the gradient fades with $\pi_R$. With two actions a gradient of the softmax always carries a factor $\pi_R (1 - \pi_R)$, for what is never done is never learned from. The more certain an agent is, the less it can
#   still change its mind.
#
# So a decision makes itself permanent. A remedy has to do two things: push against certainty itself, and keep pushing where the reward's gradient has faded. We need a number for how undecided a policy
# is.

# %% [markdown]
# ## Entropy: how undecided a policy is
#
# Three policies, and a number that says how undecided each is:

# %% tags=["hide-input"]
diagrams.undecided()

# %% [markdown]
# The [**entropy**](../docs/glossary.md#entropy) of a policy in one state is
#
# $$H(\pi) = -\sum_a \pi(a)\, \log \pi(a).$$
#
# $-\log \pi(a)$ is how surprising action $a$ is: 0 if it was certain, large if it was rare. Entropy is the mean surprise. With the natural logarithm its unit is the **nat**. A certain policy has 0 nats; a uniform
# one over $k$ actions has $\log k$, the most there is: 0.693 for two actions.
#
# What will push is its gradient with respect to the logits $z$ of the softmax. A logit moves all probabilities, $\partial \pi(b) / \partial z_a = \pi(b)\,([a = b] - \pi(a))$, where the bracket is 1 if what it says
# is true, and 0 if not. Hence
#
# $$\frac{\partial H}{\partial z_a} = -\sum_b \frac{\partial \pi(b)}{\partial z_a}\,\bigl(\log \pi(b) + 1\bigr) = -\pi(a)\,\bigl(\log \pi(a) + H\bigr).$$
#
# An action that is more surprising than the mean, $-\log \pi(a) > H$, is pushed up. One that is less surprising is pushed down. At the uniform policy nothing is pushed.
#
# *On paper:* $\pi = (0.9, 0.1)$. Then $H = 0.9 \cdot 0.10536 + 0.1 \cdot 2.30259 = 0.32508$. The gradient's first entry is $-0.9 \cdot (-0.10536 + 0.32508) = -0.19775$, and the second is $+0.19775$, since
# the two add up to 0.
#
# ### Exercise 3.1  Entropy
#
# Write it, for logits with any number of dimensions in front; the actions are the last dimension. Detach nothing: the gradient has to flow through every part. And it has to work for an agent that is certain. With logits of $(200, 0)$ the
# second probability is 0 in floating point, $\log 0$ is minus infinity, and 0 times that is NaN. Entropy and gradient are to be exactly 0 there. Do not add a small number inside the logarithm: it makes the entropy of every other policy a little wrong.


# %% tags=["nbval-check-output"]
@exercise("3.1")
def entropy(logits: Tensor) -> Tensor:
    """H(π) = −Σ_a π(a) log π(a), in nats.   (*B, A) → (*B)."""
    ### BEGIN SOLUTION
    log_pi = logits.log_softmax(dim=-1)
    return -(log_pi.exp() * log_pi).sum(dim=-1)
    ### END SOLUTION


# %% [markdown]
# The numbers from above, and what happens to somebody who writes $\log(\text{softmax})$ instead. (Public A3C programs did: once the policy was certain, the loss was NaN.)

# %% tags=["nbval-check-output"]
logits = torch.tensor([0.9, 0.1]).log().requires_grad_()
H = entropy(logits)
(gradient,) = torch.autograd.grad(H, logits)
print("H", round(H.item(), 5), "  gradient", [round(g, 5) for g in gradient.tolist()])
assert abs(H.item() - 0.32508) < 1e-5
assert abs(gradient[1].item() - 0.19775) < 1e-5

certain = torch.tensor([200.0, 0.0])
pi = certain.softmax(dim=-1)  # below: abs, for a computed 0 may be −0
print(f"certain: {abs(entropy(certain)):.1f}   with log(softmax): {-(pi * pi.log()).sum():.1f}")
assert entropy(certain) == 0

# %% [markdown]
# And for all policies over two actions, from certainly left to certainly right:

# %% tags=["hide-input"]
p_right = torch.linspace(0.001, 0.999, 500)
logits = torch.stack([1 - p_right, p_right], dim=-1).log().requires_grad_()
H = entropy(logits)
push = torch.autograd.grad(H.sum(), logits)[0][:, RIGHT]

left, right = plots.axes(9, 2.8, columns=2)
left.plot(p_right, H.detach(), color=plots.BLUE)
left.set(xlabel="π(right)", ylabel="H in nats", title="Most at one half, none when certain")
right.plot(p_right, push, color=plots.RED)
right.axhline(0, color=plots.GREY, linewidth=1)
right.set(
    xlabel="π(right)", ylabel="dH / dlogit of right", title="Its gradient pushes to the middle"
)
plt.show()
assert H.max() < math.log(2) + 1e-6
assert (push[p_right < 0.49] > 0).all()
assert (push[p_right > 0.51] < 0).all()

# %% [markdown]
# At the edges this push fades too. But it fades more slowly than the push of the rewards. Near $\pi_R = 0$ that one is proportional to $\pi_R$, and this one to $\pi_R \log(1/\pi_R)$. Their ratio grows without limit as $\pi_R \to 0$: sooner
# or later the entropy wins, and the policy stops *before* it is certain. Where?

# %% [markdown]
# ## The bonus, and what it is worth
#
# Pay the agent for being undecided: in every state that it comes through, $\beta$ for each nat. This pay is the [**entropy bonus**](../docs/glossary.md#entropy-bonus). The paper's $\beta$ is our `entropy_weight`. Since a nat is weighed against reward, $\beta$ has a unit: reward per nat. The bonus
# is a part of the loss. It is no reward: the returns do not contain it, and the critic learns nothing of it.
#
# Which policy is best for an agent that is paid like this? Look at one state with known action values $Q(a)$. The policy that makes
#
# $$\sum_a \pi(a)\, Q(a) + \beta H(\pi)$$
#
# as large as possible is the softmax of $Q / \beta$:
#
# $$\pi(a) = \frac{e^{Q(a)/\beta}}{\sum_b e^{Q(b)/\beta}}.$$
#
# (Set the derivative to zero: $Q(a) - \beta \log \pi(a)$ must be the same for all actions.) So $\beta$ is a temperature. Only the *gap* between two values counts, measured in $\beta$: a gap of 5 β, and the better action is
# taken in 99 of 100 cases; a gap of 1 β, and it is 73; a gap far below β, and it is a coin.
#
# Let us test it. Three agents climb that sum with your entropy. The two values are those of the coin at the start of the trap, where right is worse by 0.07.

# %%
Q = Q_coin.float()
for beta in 0.02, 0.07, 0.5:
    logits = torch.zeros(2, requires_grad=True)
    climb = torch.optim.Adam([logits], lr=0.05, maximize=True)
    for _ in range(600):
        climb.zero_grad()
        (logits.softmax(dim=-1) @ Q + beta * entropy(logits)).backward()
        climb.step()
    found, formula = logits.softmax(dim=-1)[RIGHT].item(), (Q / beta).softmax(dim=-1)[RIGHT].item()
    print(f"β = {beta:<4}   π(right): found {found:.4f}, softmax(Q/β) {formula:.4f}")
    assert abs(found - formula) < 0.002

# %% [markdown]
# This is one state with fixed values. In the trap there are eight cells to decide in, and the values change with the policy. The formula still holds in each of them: the returns do not contain the bonus, so what stands for $Q$ in the policy's gradient is the policy's own $Q^\pi$, and where the two pushes balance, $\pi(\cdot \mid s) = \mathrm{softmax}(Q^\pi(s, \cdot) / \beta)$.
#
# ### How an agent gets out, in two pictures
#
# *First picture:* what is the gap in the start cell, $Q(\text{right}) - Q(\text{left})$? That depends on how well the agent walks in the *other* cells. *Second picture:* what does a gap do to the policy of the start cell, with each β?

# %% tags=["hide-input"]
skills = torch.linspace(0.5, 1, 51)
gap_by_skill = []
for skill in skills:
    policy = torch.stack([1 - skill, skill]).repeat(world.num_states, 1)
    policy[START] = 0.5
    Q = exact.action_values(world, exact.state_values(world, policy, GAMMA), GAMMA)[START]
    gap_by_skill.append((Q[RIGHT] - Q[LEFT]).item())
before, after = gap_by_skill[0], gap_by_skill[-1]

by_skill, by_gap = plots.axes(10, 3.2, columns=2)
by_skill.axhline(0, color=plots.GREY, linewidth=1)
by_skill.plot(skills, gap_by_skill, color=plots.BLACK)
by_skill.plot([0.5, 1], [before, after], "o", color=plots.BLACK)
by_skill.text(0.53, before - 0.01, f"a coin: {before:+.2f}", va="top")
by_skill.text(0.97, after, f"straight: {after:+.2f}", ha="right", va="center")
by_skill.set(xlabel="π(right) in the other cells", ylabel="gap in the start cell", ylim=(-0.2, 0.5))
by_skill.set_title("1. Whoever walks better gains more on the right")

gaps = torch.linspace(-0.2, 0.5, 200)
curves = (
    (0.02, "--", plots.BLUE, (-0.13, 0.85)),
    (0.07, "-", plots.BLACK, (0.11, 0.7)),
    (0.5, ":", plots.RED, (0.3, 0.54)),
)
for weight, form, colour, place in curves:
    by_gap.plot(gaps, torch.sigmoid(gaps / weight), form, color=colour)
    by_gap.text(*place, f"β = {weight:g}", color=colour, va="center")
ends = torch.tensor([before, after])
by_gap.plot(ends, torch.sigmoid(ends / 0.07), "o", color=plots.BLACK)
by_gap.set(xlabel="gap in the start cell", ylabel="π(right) in the start cell", ylim=(0, 1.05))
by_gap.set_title("2. β says what a gap does to the policy")
plt.show()
assert -0.08 < before < -0.06
assert 0.38 < after < 0.42
assert abs(1 / (1 + math.exp(-before / 0.07)) - 0.27) < 0.03
assert 1 / (1 + math.exp(-before / 0.02)) < 0.05
assert 1 / (1 + math.exp(-after / 0.07)) > 0.99

# %% [markdown]
# Follow the two dots, which are for $\beta = 0.07$.
#
# 1. *At first* the agent is a coin, and right is worse by 0.07, one β. So it goes right in about every fourth episode, however long it trains.
# 2. In those episodes it is in the other cells. It learns to walk there: it moves to the right in the first picture.
# 3. The gap grows, passes 0 and *turns*. For an agent that walks straight, right is better by 0.4, almost six β. In the second picture that is the dot at the top: it goes right nearly always.
#
# With $\beta = 0.02$ the first step fails nearly always: the agent goes right in three of a hundred episodes. With $\beta = 0.5$ the last step fails: no gap in this world means much.
#
# **Write down a guess** before you go on: with which of the three will all of 20 seeds come out of the trap?
#
# ### Exercise 3.2  The loss
#
# A loss is made small; the entropy is to be large. So it is subtracted:
#
# $$\text{loss} = \underbrace{-\,\mathrm{mean}\,\log \pi(a_t \mid o_t)\, A_t}_{\text{policy}} \;+\; w\, \underbrace{\mathrm{mean}\,(R_t - V(o_t))^2}_{\text{value}} \;-\; \beta\, \underbrace{\mathrm{mean}\, H(\pi(\cdot \mid o_t))}_{\text{entropy}}$$
#
# All three are means over the rollout's $T \cdot N$ steps. (The paper adds up. If one part is added up and another averaged, β means something else for each length of the rollout, and is of no use in another program.)
#
# You have the first two: `actor_critic_loss(logits, values, actions, returns, value_weight)` from chapter 01 returns a `Loss` with the fields `total`, `policy`, `value` and `entropy`. `total` is what is
# differentiated. The others are for looking at: they are what stands over the braces, without the weights. A `Loss` cannot be changed, but `loss._replace(total=…, entropy=…)` gives a new one.
#
# Use your own `entropy`, and give its result another name: Python reads `entropy = entropy(logits)` as a local variable that has no value yet.
#
# *On paper:* one step, $\pi = (0.9, 0.1)$, $a = 1$, $R = 3$, $V = 2$, $w = \beta = 0.5$. Then $A = 1$, and the loss is $2.30259 + 0.5 \cdot 1 - 0.5 \cdot 0.32508 = 2.64005$.


# %% tags=["nbval-check-output"]
@exercise("3.2")
def a2c_loss(
    logits: Tensor,
    values: Tensor,
    actions: Tensor,
    returns: Tensor,
    value_weight: float = 0.5,
    entropy_weight: float = 0.01,
) -> Loss:
    """−mean log π(a | o) A + value_weight · mean (R − V)² − entropy_weight · mean H(π).

    logits (T, N, A); values, actions, returns (T, N).
    """
    ### BEGIN SOLUTION
    loss = actor_critic_loss(logits, values, actions, returns, value_weight)
    bonus = entropy(logits).mean()
    return loss._replace(total=loss.total - entropy_weight * bonus, entropy=bonus)
    ### END SOLUTION


# %% [markdown]
# This is the loss of A3C and of A2C; it will not change any more. A test of the sign that nobody can talk themselves out of: let the advantages be zero, so that only the bonus pushes, and take one step *down* the loss.
# The policy has to become less certain.

# %% tags=["nbval-check-output"]
logits = torch.tensor([[[0.9, 0.1]]]).log().requires_grad_()
one, action = torch.ones(1, 1), torch.ones(1, 1, dtype=torch.long)

loss = a2c_loss(logits, values=one, actions=action, returns=one, entropy_weight=1.0)
(gradient,) = torch.autograd.grad(loss.total, logits)
before, after = loss.entropy, entropy(logits - gradient).mean()
print(f"entropy {before:.3f} → {after:.3f}")
assert after > before + 0.05

# %% [markdown]
# ## The trap again
#
# The same agent as it was at first, the same seed, the same world. What is new is the loss, yours. (And it gets 6000 steps instead of 4000, for an agent with a bonus makes up its mind later.)

# %%
BETA = 0.07

print(f"Training with {whose(a2c_loss)}.")
agent = new_agent(seed=1)
free = learn(agent, partial(a2c_loss, entropy_weight=BETA), steps=6_000, seed=1)

print(f"probability of the far exit   {probability_of_far_exit(agent):.3f}")
print(f"value of its policy           {value_of_policy(agent):.3f}     best: {V_best[START]:.3f}")
assert probability_of_far_exit(agent) > 0.6

# %%
plots.signals(
    {"no bonus": history, "β = 0.07": free},
    names=["episode_return", "entropy"],
    title="One seed with and without a bonus: the undecided one gets out",
)
plt.show()

# %% [markdown]
# And over the 20 seeds, on record:

# %% tags=["hide-input"]
with_bonus = final.select(entropy_weight=BETA).column("p_far")

plots.strip(
    {"no bonus": without, "β = 0.07": with_bonus},
    below=0.5,
    title="With a bonus that fits, no seed stays in the trap",
    x_label="probability of leaving by the far exit, after 8000 steps",
)
plt.show()
assert (without < 0.5).mean() >= 0.6
assert (with_bonus < 0.5).mean() <= 0.1

