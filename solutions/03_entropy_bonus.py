# %% [markdown]
# # 03  The entropy bonus
#
# **You need** chapters 00 to 02: the policy gradient, actor and critic, n-step returns.<br>
# **You will be able to** keep an agent from making up its mind too early, say how much of that is too much, and read from three numbers what is wrong with a run.<br>
# **Time** {time}; the computer works for less than a minute.
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
# That is the trap. For the agent *as it is at the beginning*, left really is the better action.
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

# %% tags=["prediction"]
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

# %% tags=["prediction"]
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
# Bad luck with the seed? Twenty seeds, on record:

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
# - The **sign**: the gradient says *left*. As long as the agent wanders in the other cells, that is correct. To learn to walk there, it would have to be there. (The stuck agent goes left in every cell: its network carries *left* over to the others, which makes the way back longer still.)
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
# $$\frac{\partial H}{\partial z_a} = -\sum_b \frac{\partial \pi(b)}{\partial z_a}\,\bigl(\log \pi(b) + 1\bigr) = -\pi(a)\,\Bigl(\log \pi(a) + 1 - \sum_b \pi(b)\,\bigl(\log \pi(b) + 1\bigr)\Bigr) = -\pi(a)\,\bigl(\log \pi(a) + H\bigr).$$
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
# In the loss, not in the rewards, credit the agent with $\beta$ for each nat of entropy, in every state that it comes through. This is the [**entropy bonus**](../docs/glossary.md#entropy-bonus). The paper's $\beta$ is our `entropy_weight`. Since a nat is weighed against reward, $\beta$ has a unit: reward per nat.
# The returns do not contain the bonus, and the critic learns nothing of it.
#
# Which policy is best for an agent that is paid like this? Look at one state with known action values $Q(a)$. The policy that makes
#
# $$\sum_a \pi(a)\, Q(a) + \beta H(\pi)$$
#
# as large as possible is the softmax of $Q / \beta$:
#
# $$\pi(a) = \frac{e^{Q(a)/\beta}}{\sum_b e^{Q(b)/\beta}}.$$
#
# (Set the derivative to zero, under $\sum_a \pi(a) = 1$: $Q(a) - \beta \log \pi(a)$ must be the same for all actions.) So $\beta$ is a temperature. Only the *gap* between two values counts, measured in $\beta$: a gap of 5 β, and the better action is
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
by_skill.text(0.53, before - 0.01, f"a coin: {before:+.2f}".replace("-", "−"), va="top")
by_skill.text(0.97, after + 0.05, f"straight: {after:+.2f}", ha="right", va="center")
by_skill.set(xlabel="π(right) in the other cells", ylabel="gap in the start cell", ylim=(-0.2, 0.5))
by_skill.set_title("1. The better it walks, the larger the gap")

gaps = torch.linspace(-0.2, 0.5, 200)
curves = (
    (0.02, "--", plots.BLUE, (-0.13, 0.85)),
    (0.07, "-", plots.BLACK, (0.11, 0.7)),
    (0.5, ":", plots.RED, (0.3, 0.54)),
)
for weight, form, colour, place in curves:
    by_gap.plot(gaps, torch.sigmoid(gaps / weight), form, color=colour)
    by_gap.text(*place, f"β = {weight:g}", color=plots.ink(colour), va="center")
ends = torch.tensor([before, after])
by_gap.plot(ends, torch.sigmoid(ends / 0.07), "o", color=plots.BLACK)
by_gap.set(xlabel="gap in the start cell", ylabel="π(right) in the start cell", ylim=(0, 1.05))
by_gap.set_title("2. β says what a gap does")
plt.show()
assert -0.08 < before < -0.06
assert 0.38 < after < 0.42
assert abs(1 / (1 + math.exp(-before / 0.07)) - 0.27) < 0.03
assert 1 / (1 + math.exp(-before / 0.02)) < 0.05
assert 1 / (1 + math.exp(-after / 0.07)) > 0.99

# %% [markdown]
# Follow the two dots, which are for $\beta = 0.07$.
#
# 1. *At first* the agent tosses a coin in the other cells. So in the start cell right is worse by 0.07, one β. There its policy comes to rest where right has probability 0.27, and the bonus keeps it there: in about every fourth episode it goes right.
# 2. In those episodes it is in the other cells. It learns to walk there: it moves to the right in the first picture.
# 3. The gap grows, passes 0 and *turns*. For an agent that walks straight, right is better by 0.4, almost six β. In the second picture that is the dot at the top: it goes right nearly always.
#
# With $\beta = 0.02$ the first step rarely leads on: by the formula the start cell's policy goes right in only three of a hundred episodes. With $\beta = 0.5$ the last step fails: no gap in this world means much.
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
# This is the loss of A3C and of A2C; it will not change any more. A test of the sign: let the advantages be zero, so that only the bonus pushes, and take one step *down* the loss.
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

# %% [markdown]
# ### How it comes about
#
# The course of all 40 runs. Each thin line is a seed, a thick one the median. First the entropy:

# %% tags=["hide-input"]
runs = {"no bonus": trap.select(entropy_weight=0.0), "β = 0.07": trap.select(entropy_weight=BETA)}

ax = plots.learning_curves(
    {name: run.curves("steps", "entropy") for name, run in runs.items()},
    each_seed=True,
    lines={"ln 2": math.log(2)},
    title="Without a bonus the median entropy soon falls to nothing",
    y_label="entropy in nats",
)
ax.set(xlim=(0, 8_000))
plt.show()
medians = [np.median(run.select(steps=1_200).column("entropy")) for run in runs.values()]
assert medians[0] < 0.05
assert medians[1] > 0.3

courses = [runs["β = 0.07"].select(seed=seed).column("entropy") for seed in range(20)]
dived = [course for course in courses if course.min() < 0.05]
ends = [round(float(course[-1]), 2) for course in dived]
print(f"β = 0.07: {len(dived)} seeds dive below 0.05; their entropy at the end: {ends}")
assert 0 < len(dived) < 5
assert min(ends) > 0.15

# %% [markdown]
# With the bonus a few lines dive nearly to 0 as well, and come up again, as in the single run above. A likely reason: an agent that has just found the far exit is paid far more than its critic expects, and for a while that pushes
# harder than the bonus. Then the critic has caught up, a step back turns out to cost little, and the bonus brings the indecision back. The lines without a bonus stay where they are.
#
# And the policy, in the one cell where it matters:

# %% tags=["hide-input"]
ax = plots.learning_curves(
    {name: run.curves("steps", "p_right") for name, run in runs.items()},
    each_seed=True,
    title="Without a bonus one way for ever; with it, all turn right",
    y_label="π(right) in the start cell",
)
ax.set(xlim=(0, 8_000), ylim=(-0.04, 1.04))
plt.show()

with_bonus = runs["β = 0.07"]
stuck = {
    steps: int((with_bonus.select(steps=steps).column("p_far") < 0.5).sum())
    for steps in (400, 800, 2_000, 4_000)
}
print("β = 0.07, stuck of 20 after so many steps:", stuck)
waiting = with_bonus.select(steps=400).column("p_right")
waiting = waiting[waiting < 0.5]
print(f"π(right) of those that lean left after 400: {waiting.min():.2f} to {waiting.max():.2f}")
assert stuck[400] > 10
assert stuck[2_000] > 0 == stuck[4_000]
assert 0.2 < waiting.min() < waiting.max() < 0.5

# %% [markdown]
# Without a bonus the thin lines lie at the edges, six at the top and fourteen at the bottom. Entropy falls to nothing whether the run is stuck or free: low entropy says *that* a policy has decided, not whether it decided well.
#
# With the bonus many runs lean left at first, as they must: left *is* better at that time. While they wait, they keep going right with a probability of 0.24 to 0.46: from about the 0.27 that the formula gave for the coin upwards, as the walking improves. This is step 1 of the two pictures above. One after the other their gap turns, and they go up.

# %% [markdown]
# ## Too little, enough, too much
#
# Was 0.07 a lucky choice? **Write down a guess:** with $\beta = 0.02$ and with $\beta = 0.5$, how many of 20 seeds come out of the trap? Then try the three weights with your own loss, two seeds each, 4000 steps:

# %% tags=["prediction"]
print(f"Training with {whose(a2c_loss)}.")
sweep = {}
for beta in 0.02, 0.07, 0.5:
    for seed in 2, 5:
        model = new_agent(seed)
        learn(model, partial(a2c_loss, entropy_weight=beta), steps=4_000, seed=seed)
        sweep[beta, seed] = probability_of_far_exit(model), value_of_policy(model)

print("β      seed   far exit   J")
for (beta, seed), (p_far, J) in sweep.items():
    print(f"{beta:<6} {seed:4}   {p_far:8.2f}   {J:.2f}")
assert min(sweep[BETA, seed][0] for seed in (2, 5)) > 0.5
assert max(sweep[0.5, seed][1] for seed in (2, 5)) < 0.4

# %% [markdown]
# Was your guess right? Two seeds are few. Here are five weights with 20 seeds each, on record, after 8000 steps. One mark is one seed: the exact value $J$ of its policy.

# %% tags=["hide-input", "prediction"]
weights = final.levels("entropy_weight")
values = {b: final.select(entropy_weight=b).column("J") for b in weights}
plots.strip(
    {f"β = {b:g}": J for b, J in values.items()},
    lines={"coin": V_coin[START].item(), "best": V_best[START].item()},
    x_label="J, exactly",
    title="Too little: luck. Enough: all get out. Too much: a coin",
)
plt.show()

print("β       stuck      far exit       median J   median entropy")
median = {}
for b, J in values.items():
    these = final.select(entropy_weight=b)
    p_far, H = these.column("p_far"), np.median(these.column("entropy"))
    stuck, median[b] = (p_far < 0.5).sum(), np.median(J)
    print(f"{b:<6} {stuck:3} of 20   {p_far.min():.2f} to {p_far.max():.2f}   ", end="")
    print(f"{median[b]:.3f}      {H:.3f}")

assert median[BETA] > 1.5 * max(median[0.0], median[0.5])
assert 0.8 < median[BETA] / V_best[START] < 0.87  # a sixth is lost
assert values[0.5].max() < 0.4
assert H > 0.6  # of the largest weight

lucky, undecided = (final.select(entropy_weight=b).column("p_far") for b in (0.02, 0.2))
assert ((lucky < 0.05) | (lucky > 0.95)).all()
assert 0.25 < undecided.min() < undecided.max() < 0.75

# %% [markdown]
# Over β the values have a hill, and both of its sides are steep.
#
# - **To the left is luck.** With $\beta = 0.02$ half of the seeds walk straight to the far exit and half sit at the near one. Six of those that got out had turned within 400 steps; the other four did so between 1,600 and 7,200. (The median lies between, where no agent is.)
# - **To the right is indecision.** With $\beta = 0.5$ the policy is little more than a coin: its entropy is close to $\ln 2 = 0.693$, its value hardly above the coin's. It has learned what *we* paid it for. Nobody is trapped there.
#   Being stuck means something else here: a wanderer mostly leaves by the exit that is near. With $\beta = 0.2$ all seeds leave by the far exit with a probability from 0.32 to 0.67. That is near the line between stuck and not, and it says little on which side of it a seed ends.
#
# And look closely at the top of the hill. Nobody with $\beta = 0.07$ reaches the best value. They do leave by the far exit, but they dawdle on the way. What would one step back cost somebody who walks straight?

# %%
Q = exact.action_values(world, V_best, GAMMA)
gaps = (Q[:, RIGHT] - Q[:, LEFT])[2:9]
print(f"what a step back costs in cells 2 to 8: {gaps.min():.3f} to {gaps.max():.3f}")
assert 0.065 < gaps.min() < gaps.max() < 0.105

# %% [markdown]
# Not much more than one β, so the bonus buys such a step every now and then. **The bonus changes the question.** The agent no longer looks for the best policy but for the best mixture of reward and indecision.
#
# If only the reward is to count in the end, take the bonus away once it has done its work. Your agent, which is out of the trap, goes on without one:

# %%
print(f"Training with {whose(a2c_loss)}.")
before = value_of_policy(agent)
learn(agent, partial(a2c_loss, entropy_weight=0.0), steps=2_000, seed=2)
print(
    f"value of its policy {before:.3f} → {value_of_policy(agent):.3f}     best: {V_best[START]:.3f}"
)
assert value_of_policy(agent) > 0.95 * V_best[START]

# %% [markdown]
# The paper brings its learning rate down to 0 in the course of training. Nothing keeps you from doing the same with β.

# %% [markdown]
# ## CartPole
#
# Now your loss, the returns of chapter 02, and a world that is not a table: CartPole, where each step pays 1 and 500, the time limit, is the best return there is.
#
# Four CartPoles are played in step, $N = 4$: the losses are means over $T \cdot N$, so nothing in your code notices, and it is quicker. (Chapter 06 makes more of it.) And
# `value_weight` is 0.01: returns here go up to 100, squared errors into the thousands, and the two losses pull at one torso. The weight was found by trying, for n-step returns.

# %%
CARTPOLE = "CartPole-v1"
config = actor_critic.Config(total_steps=100_000, t_max=16, num_envs=4, learning_rate=5e-3, seed=0)
loss = partial(a2c_loss, value_weight=0.01, entropy_weight=0.01)

print(f"Training with {whose(a2c_loss)}.")
balancer = ActorCritic.for_env(gym.make(CARTPOLE), seed=0)
with actor_critic.train(balancer, CARTPOLE, config, targets=n_step_returns, loss=loss) as training:
    updates = list(track(training))

evaluation = evaluate(balancer, CARTPOLE, episodes=100, seed=1000)
print(f"mean return {evaluation}")
print(f"largest value loss of an update: {max(u.value_loss for u in updates):.0f}")
assert evaluation.mean > 200

# %% [markdown]
# *Sampled actions* means that the agent was evaluated as it plays while it learns, with its coin. Watch it, greedy this time: the likeliest action in every step.

# %%
animate(
    play(greedy(balancer), CARTPOLE, seed=3, max_steps=150),
    fps=25,
    alt="The trained agent moves the cart to and fro and keeps the pole upright for 150 steps.",
)

# %% [markdown]
# Five seeds, on record, each evaluated over 100 episodes at the end: without a bonus, with yours, and with ten times as much.

# %% tags=["hide-input"]
cartpole = records.load("cartpole_entropy")
print(cartpole)
print(
    cartpole.settings(
        world=CARTPOLE, model=balancer, training=config, targets=n_step_returns, loss=loss
    )
)
plots.learning_curves(
    {
        f"β = {b}": cartpole.select(entropy_weight=b).curves("steps", "episode_return")
        for b in cartpole.levels("entropy_weight")
    },
    lines={"most possible": 500},
    title="CartPole is learned; too large a bonus hurts here too",
)
plt.show()

print("        sampled actions              greedy actions")
for b in cartpole.levels("entropy_weight"):
    ends = cartpole.select(entropy_weight=b, steps=100_000)
    columns = [" ".join(f"{x:4.0f}" for x in ends.column(c)) for c in ("sampled", "greedy")]
    print(f"β = {b:<5}{columns[0]}     {columns[1]}")

score = {b: cartpole.select(entropy_weight=b, steps=100_000) for b in (0.01, 0.1)}
assert (score[0.01].column("sampled") >= 450).sum() >= 4
assert score[0.1].column("greedy").max() > 450
assert score[0.1].column("sampled").mean() < score[0.01].column("sampled").mean() - 50

# %% [markdown]
# *Is CartPole learned?* Yes: with β = 0.01 by all five seeds, and without a bonus by four. *Is the bonus the cause?* No. A CartPole has no near exit, and one seed more or less, out of five, is luck.
# The bonus is insurance against traps, and where there is no trap its use cannot be seen. What can be seen is its price, if you buy too much of it: with β = 0.1 no seed comes near 500 while its actions are sampled.
#
# Why is 0.1 too much here, where a pole that falls may cost 100? Because β is compared with the *gap between two actions*, not with returns. While the pole stands well, either action will do, for the next one can make up for it:
# the gap is small. An undecided agent makes such small mistakes all the time, until they add up.
# (Look at the right half of the table. Taken greedily, some of the same policies are perfect: they know which action is better, and the gap is too small for them to keep to it.)
#
# **β is a price in units of your rewards**, for gaps that you do not know beforehand. Multiply all rewards by 10, and β has to follow. In the paper's Atari runs one β served all games. Their rewards were clipped to
# $-1 \dots 1$, according to notes of an author's answers that belong to [muupan/async-rl](../docs/bibliography.md#programs-and-threads). That may be why one β was enough; the paper does not say.

# %% [markdown]
# ## Reading a run
#
# A run goes wrong without an error message. What you have is what it reports. The return says *that* something is wrong, late and not always. Three numbers say *what*. Every `Update`, the trainer's report,
# carries them.
#
# **Entropy**, in nats. It asks: *is the policy deciding?* It starts at $\log k$ for $k$ actions and should come down slowly.
#
# **Gradient norm**: the length of the loss's gradient, all parameters together. It asks: *how hard is the network pushed?* The trainer shortens a gradient that is longer than `max_grad_norm`, 0.5, to that length, so that one odd rollout cannot throw the network far; reported is
# the length before.
#
# **Explained variance** ([EV](../docs/glossary.md#explained-variance)). It asks: *does the critic know anything?* Of all the variation in the returns, how much does the critic foresee?
#
# $$\mathrm{EV} = 1 - \frac{\mathrm{Var}(R - V)}{\mathrm{Var}(R)}$$
#
# 1 is a perfect critic. 0 is what a critic gets that says the same of every state. Negative is worse than that.
#
# Why not simply the critic's loss? It depends on the scale of the rewards, and it falls when the world becomes boring. EV is a share, and it compares the critic with the trivial one.
#
# ### Exercise 3.3  Explained variance
#
# Write it, as a Python `float`. Var is the mean squared distance from the mean, over all $T \cdot N$ numbers (not the mean of squares: look at the last example). If all $R$ are the same, there is nothing to explain: return NaN, on purpose. (Compare them; their computed variance may be $10^{-16}$ instead of 0.)
#
# *On paper:* $R = (1, 2, 3)$, so $\mathrm{Var}(R) = 2/3$. For $V = (2, 2, 2)$ it is 0, for $V = R$ it is 1. For $V = (2, 3, 4)$ it is 1 as well: what is left over, $R - V = -1$, does not vary. EV forgives a
# critic that is too high everywhere.


# %% tags=["nbval-check-output"]
@exercise("3.3")
def explained_variance(returns: Tensor, values: Tensor) -> float:
    """1 − Var(R − V) / Var(R); NaN if R does not vary.   (T, N), (T, N) → one number."""
    ### BEGIN SOLUTION
    if returns.min() == returns.max():
        return math.nan
    left = (returns - values).var(correction=0)
    return 1 - float(left / returns.var(correction=0))
    ### END SOLUTION


# %% [markdown]
# What does the coin's true value function explain of the coin's returns? It is the best critic there can be for that policy, so you might expect 1. **Predict before you run.**

# %% tags=["prediction"]
from a3c_lib import collect, make_envs, sampled, start
from a3c_lib.reinforce import TabularPolicy

worlds = make_envs(TRAP, num_envs=1)
tosses = sampled(TabularPolicy(world.num_states, 2), torch.Generator().manual_seed(0))
rollout, _ = collect(worlds, tosses, start(worlds, seed=0), t_max=5_000)

V = V_coin.float()[rollout.observations]
R = n_step_returns(
    rollout.rewards,
    V_coin.float()[rollout.next_observations],
    rollout.terminated,
    rollout.truncated,
    GAMMA,
)
EV = explained_variance(R, V)
print(f"explained variance of the true V: {EV:.2f}")
assert 0.1 < EV < 0.8

# %% [markdown]
# Far from 1. The rest is the coin's own luck, which nobody can foresee. So an EV far below 1 is no fault as long as the policy is undecided. What you look for is a critic that stays near 0 or below *while returns differ*.
#
# Where they do not, EV says little. A policy that has become certain in a world without dice makes every return foreseeable: EV goes to 1, or to NaN when all returns are the same. That is no praise for the critic. And look at
# the end of your CartPole run:

# %%
late = updates[-300:]
returns = [episode.episode_return for update in late for episode in update.episodes]
print(f"mean return {np.mean(returns):.0f}")
print(f"explained variance {np.median([update.explained_variance for update in late]):.2f}")

# %% [markdown]
# If its poles no longer fall, every return $R_t$ is about 100, and what is left to explain is the critic's own flutter. A bad EV is a question, not a verdict.
#
# ### Four runs
#
# Here are four runs in the trap, all with $\beta = 0.07$. One is healthy; the settings printed are its own. A, B and C differ from it by a fault of one line in the loss, of the kind that raises no error. (Five seeds of each are on record; you see one. Where a line of EV ends, all returns were the same from then on, and EV is NaN.)

# %%
signals = records.load("signals")
print(signals)
healthy_runs = signals.select(run="healthy")
print(healthy_runs.settings(world=TRAP, model=agent, targets=n_step_returns, **SETTINGS))


def updates_of(run, seed):
    """A recorded run, as a trainer would have reported it."""
    return [SimpleNamespace(**row) for row in signals.select(run=run, seed=seed).rows]


panels = plots.signals(
    {run: updates_of(run, seed=2) for run in ("healthy", "A", "B", "C")},
    names=["episode_return", "entropy", "explained_variance", "gradient_norm"],
    lines={"entropy": {"ln 2": math.log(2)}},
    title="One healthy run and three faults: what gives each away?",
)
panels[-1].set(yscale="log", ylim=(1e-4, 10))
plt.show()

# %% [markdown]
# **Before you read on**, write down for A, B and C: which signal is out of order, and which line of the loss would you look at?
#
# The first panel alone does not tell. C's returns look much like the healthy run's. B looks like a run that was unlucky for a while. And with another seed A looks
# *perfect*:

# %%
returns_of_A = [updates_of("A", seed)[-1].episode_return for seed in range(5)]
print("A's last returns, seed by seed:", [round(R, 2) for R in returns_of_A])
assert min(returns_of_A) < 0.4
assert max(returns_of_A) > 0.9

# %% [markdown]
# The same over all five seeds, as medians of the second half of each run:

# %%
print("           entropy   explained variance   gradient norm")
typical = {}
for run in "healthy", "A", "B", "C":
    late = [u for seed in range(5) for u in updates_of(run, seed)[10:]]
    typical[run] = {
        name: np.nanmedian([getattr(u, name) for u in late])
        for name in ("entropy", "explained_variance", "gradient_norm")
    }
    H, EV, norm = typical[run].values()
    print(f"{run:10} {H:7.3f}   {EV:18.2f}   {norm:13.4f}")

healthy, A, B, C = typical.values()
assert A["entropy"] < 0.01 < 0.2 < healthy["entropy"]
assert B["explained_variance"] < 0.25 < 0.4 < healthy["explained_variance"]
assert C["gradient_norm"] > max(8 * healthy["gradient_norm"], 0.5)

# %% [markdown]
# **A: the entropy is gone after 400 steps** (with one other seed after 600), though a bonus of 0.07 is supposed to hold it up. Somebody *added* the bonus to the loss. This agent is paid for making up its mind. (Its EV falls out of the picture and
# becomes NaN; with three of the other four seeds it ends at 1. Its gradient goes to zero. These are consequences: a policy that is certain leaves nothing to explain and nothing to push.)
#
# **B: the explained variance stays low.** The critic foresees hardly anything. (The entropy is low as well. By itself that could be the sign of a run which has found a clear answer.) The critic gets no gradient: the loss was handed `values.detach()`. (In the seed drawn EV still comes to 0.34: the actor's gradient moves the torso that both share, and the values with it.) The actor then works without a baseline worth
# the name, almost as in chapter 00. (In the seed drawn the EV of C ends as low as that of B. Over all five seeds the two differ, as the medians say: 0.40 and 0.13.)
#
# **C: the gradient norm is more than ten times that of the healthy run**, and all else is much as usual. The loss is a sum over the rollout's ten steps instead of a mean. Adam divides by the gradient's size, so the run survives. But
# `max_grad_norm`, 0.5, now cuts most of its gradients; without clipping, plain gradient descent would take steps ten times as long.
#
# Each of the three diagnoses can be proved on one random rollout, without any training. That is the second half of the craft: the signals say where to look, a gradient says whether you were right.

# %%
generator = torch.Generator().manual_seed(0)
logits = torch.randn(10, 1, 2, generator=generator).requires_grad_()
V, R = torch.randn(2, 10, 1, generator=generator)
V.requires_grad_()
actions = torch.randint(2, (10, 1), generator=generator)


def gradient(y, x):
    """dy/dx: 0, and no error, where x has no part in y; the graph is kept for the next one."""
    options = {"retain_graph": True, "materialize_grads": True, "allow_unused": True}
    return torch.autograd.grad(y, x, **options)[0]


# %%
right = a2c_loss(logits, V, actions, R, entropy_weight=BETA)
A = right.total + 2 * BETA * right.entropy  # − β H has become + β H
B = a2c_loss(logits, V.detach(), actions, R, entropy_weight=BETA).total
C = right.total * R.numel()

bonus = gradient(right.total, logits) - gradient(right.policy, logits)
bonus_in_A = gradient(A, logits) - gradient(right.policy, logits)
critic, critic_in_B, critic_in_C = (gradient(loss, V) for loss in (right.total, B, C))
print(f"A: the bonus's gradient is  {(bonus_in_A / bonus).mean():5.2f} times the right one")
print(f"B: the critic's gradient is {(critic_in_B / critic).mean():5.2f} times the right one")
print(f"C: the critic's gradient is {(critic_in_C / critic).mean():5.2f} times the right one")
torch.testing.assert_close(bonus_in_A, -bonus)
torch.testing.assert_close(critic_in_B, 0 * critic)
torch.testing.assert_close(critic_in_C, 10 * critic)

# %% [markdown]
# ### Exercise 3.4  Bug hunt: a weight that does nothing
#
# Run D trains with $\beta = 0.07$, and its entropy falls to nothing. Like A, you think, and look at the sign. The sign is right. So is the number that is reported: it *is* the mean entropy of the policy. Perhaps β is too small?
# You multiply it by ten:

# %% tags=["hide-input"]
ax = plots.learning_curves(
    {
        name: signals.select(run=run).curves("steps", "entropy")
        for name, run in {
            "healthy, β = 0.07": "healthy",
            "D, β = 0.07": "D",
            "D, β = 0.7": "D, weight × 10",
        }.items()
    },
    title="Ten times the weight, and nothing changes",
    y_label="entropy in nats",
)
ax.lines[2].set_linestyle("--")  # it lies on another, which is to be seen too
plt.show()

D, D_times_10 = (signals.select(run=run).column("entropy") for run in ("D", "D, weight × 10"))
print(f"largest difference between the two: {abs(D - D_times_10).max():.0e}")
assert abs(D - D_times_10).max() < 0.01

# %% [markdown]
# Two curves, one on top of the other: the same runs, but for rounding. **A knob that does nothing is not connected.**
#
# Here is D's loss, written out in one function. It raises no error, and each field of the `Loss` that it returns (total, policy, value, entropy) has the right value. **Find the fault and mend it.** (How you could have found it without a single run: on paper the entropy's
# gradient at $\pi = (0.9, 0.1)$ is $(-0.19775, 0.19775)$.)


# %% tags=["nbval-check-output"]
@exercise("3.4")
def full_loss(
    logits: Tensor,
    values: Tensor,
    actions: Tensor,
    returns: Tensor,
    value_weight: float = 0.5,
    entropy_weight: float = 0.01,
) -> Loss:
    """−mean log π(a | o) A + value_weight · mean (R − V)² − entropy_weight · mean H(π), in full."""
    log_pi = logits.log_softmax(dim=-1)
    pi = log_pi.exp()
    taken = log_pi.gather(-1, actions[..., None]).squeeze(-1)
    advantages = (returns - values).detach()

    policy = -(taken * advantages).mean()
    value = (returns.detach() - values).square().mean()
    entropy = -(pi * log_pi).sum(dim=-1).mean()
    return Loss(policy + value_weight * value - entropy_weight * entropy, policy, value, entropy)


# %% [markdown]
# Is the knob connected now? One seed that D left in the trap:

# %%
print(f"Training with {whose(full_loss)}.")
agent = new_agent(seed=2)
mended = learn(agent, partial(full_loss, entropy_weight=BETA), steps=6_000, seed=2)

stuck = updates_of("D", seed=2)[-1]
print(f"D, recorded: entropy {stuck.entropy:.3f}, return {stuck.episode_return:.2f}")
late = [u.entropy for u in mended[-100:]]
print(f"mended:      entropy {np.mean(late):.3f}, far exit {probability_of_far_exit(agent):.3f}")
assert np.mean(late) > 0.1
assert probability_of_far_exit(agent) > 0.5

# %% [markdown]
# (Had D cut $\log \pi$ instead of $\pi$, nothing would be wrong. In $dH = -\sum_a d\pi(a) \log \pi(a) - \sum_a \pi(a)\, d\log \pi(a)$ the second sum is $\sum_a d\pi(a) = 0$, always.
# All of the entropy's gradient flows through the factor $\pi$.)
#
# ### To keep: what the signals say
#
# | signal | healthy | suspicious | false alarm |
# |---|---|---|---|
# | **entropy** | begins near $\log k$ for $k$ actions, comes down while the returns rise | near 0 while returns are low, or within the first updates (A, D). Near $\log k$ for good: the bonus is too large, or nothing is learned | near 0 at the end of a run without a bonus: the free ones have it as well as the stuck ones |
# | **explained variance** | comes up from 0 and stays there while returns differ | near 0 or below *while returns differ* (B) | far below 1 with an undecided policy, even for the true values. Negative or NaN where all returns are the same |
# | **gradient norm** | as in a run of the same kind that learns | ten times as large, or nearly always above `max_grad_norm` (C) | towards 0 where the policy is certain and the critic right. That may be a good end or a trap (A): look at the entropy |
# | **a weight, times ten** | something changes | nothing changes: it is not connected (D) | the weight was 0 |

# %% [markdown]
# ## What it cost
#
# - **A number to choose.** β has to fit the gaps between action values, in the units of your rewards, and you do not know those gaps beforehand. Both sides of the hill were steep.
# - **The best policy.** While β is above zero the agent looks for a mixture. In the trap it gave up about a sixth of the best value, until the bonus was taken away.
# - **Time.** After 400 steps 13 of the 20 seeds with the bonus left mostly by the near exit, and after 2000 four did. The seeds that escaped by luck, without a bonus, had done so after 400.
# - **No guarantee.** Being undecided is a blind search, and a coin needs about $n^2$ steps to wander $n$ cells (in chapter 00 it was 12 steps for 3 cells). What helps at eight cells will hardly help at eighty.
#
# In computing it costs next to nothing: log π is there already.

# %% [markdown]
# ## Where the paper says it
#
# *Asynchronous Methods for Deep Reinforcement Learning*, Mnih et al. 2016 ([bibliography](../docs/bibliography.md#the-paper)).
#
# | here | paper | where, and what differs |
# |---|---|---|
# | $H(\pi)$, `entropy` | $H(\pi(s_t; \theta'))$ | section 4, added to the policy's gradient as $\beta \nabla H$. Algorithm S3, the listing, leaves it out: programs written from the listing alone have no bonus |
# | β, `entropy_weight` | $\beta$ | 0.01 for all Atari games and the car race, 0.0001 for the MuJoCo tasks. The paper does not show runs with other values, nor without |
# | means over $T \cdot N$ | sums over $t_{max}$ | ours do not depend on the rollout's length |
# | `value_weight` | – | the paper has none; its critic's part is $(R - V)^2$ with weight 1 |
# | explained variance | – | not in the paper; OpenAI's A2C program reports it |
#
# The mistakes of this chapter are not invented either. The wrong sign has been published as a bug in a well-known library ([open_spiel, issue 962](https://github.com/google-deepmind/open_spiel/issues/962)), and so has the logarithm of zero ([miyosuda/async_deep_reinforce, issue 1](https://github.com/miyosuda/async_deep_reinforce/issues/1); Kaixhin/Atari, issue 21).

# %% [markdown]
# ## What to try next
#
# Change a line and run the cell. It trains one agent in a few seconds.
#
# 1. Give the near exit 0.1 instead of 0.3. Is the trap still one? Compute the coin's two action values first.
# 2. Multiply both rewards by 10 and leave β as it is; then multiply β too.
# 3. Lower β to 0.02, where half of the seeds got out. Try a few seeds, and look at the entropy of one that did not.
# 4. Look at the whole CartPole run with `plots.signals(updates)`. Where does the explained variance rise, and where does it fall below 0? What do the returns do there?

# %%
small, large, beta, seed = 0.3, 1.0, 0.07, 3

other = partial(gym.make, TRAP, small=small, large=large)
agent = new_agent(seed)
config = actor_critic.Config(
    total_steps=3_000, t_max=10, gamma=GAMMA, learning_rate=0.02, anneal=False, seed=seed
)
loss = partial(a2c_loss, entropy_weight=beta)
with actor_critic.train(agent, other, config, targets=n_step_returns, loss=loss) as training:
    last = list(track(training))[-1]
print(
    f"entropy {last.entropy:.3f}, probability of the far exit {probability_of_far_exit(agent):.3f}"
)

# %% [markdown]
# ## Summary
#
# - An agent that decides early stops seeing what would change its mind: the policy's gradient carries the factor $\pi(a)$. In the trap 14 of 20 seeds got stuck, and it was settled after 400 of 8000 steps.
# - **Entropy** $H = -\sum \pi \log \pi$, in nats, says how undecided a policy is. The **bonus** $\beta H$ is *subtracted* from the loss, as a mean. With β = 0.07 no seed was stuck after 4000 steps, or at the end.
# - β is a temperature: in one state it makes the policy $\mathrm{softmax}(Q/\beta)$. It is a price in units of reward. Too little leaves you in the trap, too much makes a coin of you, and even the right one costs something until
#   you take it away.
# - Read a run by three numbers. **Entropy:** is the policy deciding? **Explained variance:** does the critic know anything? **Gradient norm:** how hard is it pushed? Then prove the suspicion with a gradient.
# - A knob that does nothing is not connected.
#
# [Chapter 04](04_lstm.ipynb) gives the agent a memory, for worlds that do not show all at once. The loss that you wrote here serves there, and in chapters 05 and 06 as well, where many workers learn at the same time.

# %%
progress()
