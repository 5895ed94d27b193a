# %% [markdown]
# # 09  Replay
#
# **You need** chapter 08 for Q-learning and its target network, chapter 06 for A2C, and chapter 05 for the question why successive gradients are alike.<br>
# **You will be able to** measure what A2C gains or loses if it learns from a rollout more than once, and say why; write a replay memory that holds every observation once; write DQN on it, and then Double DQN, the dueling head, priorities with their weights and the tree that draws by them; and say what each of these costs and where it helps.<br>
# **Time** {time}; the computer works for about a minute.
#
# A3C and A2C look at each step once, and throw it away. So does n-step Q as the paper has it. *Is that waste?*

# %%
import difflib
import inspect
import time
from copy import deepcopy

import gymnasium as gym
import matplotlib.pyplot as plt
import numpy as np
import torch
from gymnasium.wrappers import DtypeObservation, FlattenObservation, RescaleObservation
from torch import Tensor, nn

from a3c_lib import (
    ActorCritic,
    Player,
    QNetwork,
    a2c,
    dqn,
    evaluate,
    greedy,
    make_envs,
    n_step_returns,
    sampled,
    seeds,
)
from a3c_lib.actor_critic import lesson_of
from a3c_lib.app import records
from a3c_lib.exercises import exercise, hint, progress, solution, whose
from a3c_lib.exercises.q_learning import epsilon_greedy
from a3c_lib.exercises.replay import Errors, Window, learn_from_drawn_with_a_bug
from a3c_lib.figures import diagrams, plots
from a3c_lib.figures.animation import animate
from a3c_lib.figures.watching import play
from a3c_lib.q_networks import epsilon_greedy_probabilities
from a3c_lib.training import clip_gradients

plt.style.use(plots.STYLE)

# %% [markdown]
# ## Look twice
#
# The world is Catch again, as a row of 50 numbers: a ball falls for nine steps, and the paddle is paid 1 if it catches it, and −1 if not.
#
# The cheapest answer to the question is to use what is there once more. A2C collects a rollout, takes one step along its gradient, and throws it away. Here it takes `looks` steps on each rollout instead of one; the gradient is computed anew for each of them. All else is chapter 06's. Beside the return we measure two things. One is how far each rollout's updates move the policy. It is the mean of a [**KL divergence**](../docs/glossary.md#kl-divergence) over the rollout's observations, in nats:
#
# $$\mathrm{KL}(\pi_{\text{before}} \| \pi_{\text{after}}) = \sum_a \pi_{\text{before}}(a \mid o) \, \big( \log \pi_{\text{before}}(a \mid o) - \log \pi_{\text{after}}(a \mid o) \big).$$
#
# It is 0 if the policy has not changed, and above 0 if it has. (Think of two people who watch the old policy act. One expects the new policy, the other one expects the old. The KL divergence is by how much the first is more surprised, on average.) The other thing is the policy's mean entropy over the last quarter of the rollouts, *entropy late*.
#
# **Predict before you run:** is 2 better than 1? Is 8 better than 2?


# %% tags=["prediction"]
def flat_catch(render_mode: str | None = None) -> gym.Env:
    """Catch as 50 numbers, 0 or 1, for a network without convolutions."""
    env = gym.make("a3c_lib/Catch-v0", render_mode=render_mode)
    env = DtypeObservation(FlattenObservation(env), np.float32)
    return RescaleObservation(env, np.float32(0), np.float32(1))


def a2c_looking(looks, seed, config):
    """A2C that learns `looks` times from each rollout.   → the model, mean KL, mean entropy late"""
    model = ActorCritic.for_env(flat_catch(), hidden=(64,), seed=seed)
    player = Player(make_envs(flat_catch, config.num_envs), seeds(seed, 0), model)
    optimizer, moved, entropies = config.make_optimizer(list(model.parameters())), [], []
    for steps in range(0, config.total_steps, config.t_max * config.num_envs):
        played = player.play(sampled(model, player.generator), config.t_max)
        before = log_policy(model, played.rollout.observations)
        for _ in range(looks):
            lesson = lesson_of(model, played, n_step_returns, config.loss, config.gamma, steps)
            gradients, _ = clip_gradients(lesson.gradients, config.max_grad_norm)
            optimizer.step(gradients, config.annealed(steps))
        after = log_policy(model, played.rollout.observations)
        moved.append((before.exp() * (before - after)).sum(dim=-1).mean().item())
        entropies.append(lesson.loss.entropy.item())
    return model, np.mean(moved), np.mean(entropies[-len(entropies) // 4 :])


@torch.no_grad()
def log_policy(model, observations):
    return model(observations)[0].log_softmax(dim=-1)


A2C = a2c.Config(total_steps=12_000, t_max=5, num_envs=8, learning_rate=0.01)
print("looks   KL for each rollout   entropy late   greedy, mean of 200 balls")
reused = {}
for looks in 1, 2, 4, 8:
    model, moved, entropy = a2c_looking(looks, seed=0, config=A2C)
    caught = evaluate(model, flat_catch, 200, seed=1000, actions="greedy", num_envs=50).mean
    reused[looks] = moved, caught
    print(f"{looks:5} {moved:21.3f} {entropy:14.2f} {caught:27.2f}")
assert reused[8][0] > 5 * reused[1][0]

# %% [markdown]
# In this run two looks are better than one, and four are no better than two. With eight the policy is gone: its entropy is 0.02 nats, so it nearly always takes the same action for the same observation, and it misses more than three balls of four. The policy moves by more than the number of looks says: eight looks move it about sixty times as far as one.
#
# That is one seed, and one learning rate. On record are ten seeds, and a smaller rate beside it. In each row below, KL and entropy are medians of the ten seeds, and the ten returns stand behind them.

# %% tags=["hide-input"]
record = records.load("a2c_looks")
print(record)
network = ActorCritic.for_env(flat_catch(), hidden=(64,))
print(record.settings(world=flat_catch, model=network, training=A2C))
print(
    "\n               KL   entropy late   greedy, mean of 200 balls: ten seeds in ascending order"
)
looked = {}
for rate in record.levels("learning_rate"):
    for looks in record.levels("looks"):
        its = record.select(looks=looks, learning_rate=rate)
        looked[rate, looks] = found = np.sort(its.column("evaluated"))
        moved, entropy = (np.median(its.column(name)) for name in ("moved", "entropy"))
        each = " ".join(f"{mean:5.2f}" for mean in found)
        print(
            f"η {rate:<5} {looks} × {moved:6.3f} {entropy:8.2f}   {each}   median {np.median(found):5.2f}"
        )

middle = {key: np.median(found) for key, found in looked.items()}
assert all(middle[0.01, 1] > middle[key] + 0.2 for key in middle if key != (0.01, 1))
assert middle[0.01, 8] < 0
assert (record.select(looks=8, learning_rate=0.01).column("entropy") < 0.03).sum() == 6
assert middle[0.003, 4] > middle[0.003, 1] + 0.5

# %% [markdown]
# Seed 0 has misled us. With $\eta = 0.01$ no number of looks does better than one: the medians fall from 0.58 to 0.34, 0.21 and −0.21. Take a seed with one look and a seed with more, in all 100 pairs, and count a tie as half. One look is ahead of two in 58.5 of 100 pairs, which is as good as no difference. It is ahead of four in 78.5 pairs and of eight in 95. With eight looks six of the ten seeds end with an entropy below 0.03 nats: these policies can hardly change any more.
#
# With the smaller rate more looks do help. The median rises from −0.50 with one look to 0.33 with four, and eight do about as well as four. But one look with the larger rate does as well: it is ahead of four and of eight looks with the smaller rate in 61 and 58 of 100 pairs, which again is as good as no difference. So in this record more looks did for a small rate what a larger rate does with one look, and nothing beyond that. A second look at a rollout is no new data.
#
# ### Why does a second look do harm?
#
# There are three suspects, and in the runs above they come together:
#
# - **Another policy played the rollout.** A2C's gradient is the policy gradient of the policy that *acted*. After the first step the policy is another one. Suppose that an action was paid badly. The first look makes it less likely. The new policy would seldom take it, but in the rollout it stands as often as before. So the second look pushes it down once more, as if it were still taken as often. Methods that need data from the policy that learns are called [on-policy](../docs/glossary.md#on-policy).
# - **It is the same rollout.** Forty steps are few, and their gradient depends much on chance. In a new rollout chance is another. Eight looks follow the same chance eight times.
# - **It is a long way.** Eight steps may lead too far, wherever they lead.
#
# To tell them apart, we change one thing at a time. On record are four changes of A2C with two, four and eight steps for each rollout, ten seeds each, and $\eta = 0.01$:
#
# | | another policy played it | the same rollout | a long way |
# |---|---|---|---|
# | A2C that looks again, as above | yes | yes | yes |
# | *corrected*: in the policy's part of the loss each action counts $\pi(a \mid o) / \pi_{\text{before}}(a \mid o)$ times, so that a seldom action counts less; observations and rewards stay the old policy's | mended in part | yes | yes |
# | *new rollouts, old policy*: each step has a rollout of its own; the policy from before the first of them plays them all | yes | no | as many steps |
# | *new rollouts, newest policy*: the policy that takes the step plays its rollout; this is chapter 06's A2C with more steps of the world | no | no | as many steps |
# | *one long step*: one step on one rollout, with a learning rate 2, 4 or 8 times as large | no | used once | yes |
#
# Call a policy ruined if its median return is below 0, as that of eight looks is. **Predict before you run:** which of the four are ruined with 8?

# %% tags=["hide-input"]
apart = records.load("stale_batches")
print(apart)
print(apart.settings(world=flat_catch, model=network, training=A2C))
changed = {"the same rollout": lambda k: record.select(looks=k, learning_rate=0.01)}
for change in apart.levels("change"):
    changed[change] = lambda k, change=change: apart.select(change=change, times=k)

# %% tags=["prediction"]
print(
    "medians of ten seeds:                KL, all steps         entropy late    greedy, 200 balls"
)
print(
    "steps, or times the rate              2      4      8       2    4    8        2     4     8"
)
ends = {}
for change, of in changed.items():
    row = f"{change:29}"
    for column, digits in ("moved", "7.3f"), ("entropy", "5.2f"), ("evaluated", "6.2f"):
        row += "   " + "".join(f"{np.median(of(k).column(column)):{digits}}" for k in (2, 4, 8))
    ends[change] = np.sort(of(8).column("evaluated"))
    print(row)
print("\ngreedy with 8: ten seeds in ascending order")
for change, found in ends.items():
    print(f"{change:29}" + " ".join(f"{mean:5.2f}" for mean in found))
late = {change: of(8).column("entropy") for change, of in changed.items()}
assert ((late["the same rollout"] < 0.03).sum(), (late["corrected"] < 0.03).sum()) == (6, 0)
assert all((ends[change] == 1).sum() == 9 for change in changed if "new rollouts" in change)
assert np.median(ends["one long step"]) < 0 < np.median(ends["corrected"])

# %% [markdown]
# **The number of steps does no harm.** With new rollouts A2C takes eight steps at the same learning rate, and nine of ten seeds catch every ball. (They have seen eight times as many steps of the world, so they *should* be better than one look. What counts is that none is ruined.)
#
# **An older policy does no harm either, as long as it is near.** New rollouts of the old policy do about as well as those of the newest: the newest is ahead in 46.5, 65 and 50.5 of 100 pairs, with 2, 4 and 8 steps. (Without any difference, one experiment in twenty of this size would be as far from 50 as 76 or 24.)
#
# **Nor does the distance, until it is very long.** One step with 2 or 4 times the rate moves the policy farther than 2 or 4 looks, and is ahead of them in 84 and 77 of 100 pairs. The one with 4 times the rate moves it as far as eight looks do, by 0.115 nats; its median is 0.67, and theirs is −0.21. Only 8 times the rate, which moves it by 0.432 nats, ruins it. (So 0.01 was not the best rate for one look: twice as much is ahead of it in 82 of 100 pairs.)
#
# **What is left is the same rollout, seen again.** The correction mends a part of that. With eight looks the corrected ones are ahead in 85 of 100 pairs, and none of their policies ends with an entropy below 0.03 nats, where six of ten did. (With two and four they are ahead in 72.5 and 65.5, which ten seeds cannot tell from no difference.) But corrected looks move the policy as far, and they fall, too: their medians are 0.67, 0.36 and 0.15. Why the old policy does harm only together with the same rollout was not measured.
#
# Later methods make a few more looks possible. They weigh by this ratio, and hold the policy near to the one that acted; [PPO](../docs/bibliography.md#after-it) is the best known.
#
# A memory holds data of policies that are far away, and these runs say nothing about such data. Chapter 08 has a method that may learn from them. One-step Q-learning asks what an action is worth if one acts as well as one can from then on. Its target does not depend on who took the action, and why. It is [off-policy](../docs/glossary.md#off-policy): it may learn from old steps as well as from new ones.

# %% [markdown]
# ## A memory
#
# So let us keep the latest steps, ten thousand or a million of them, in a [**replay**](../docs/glossary.md#replay) memory. Learning is no longer tied to acting. After every few steps the agent draws a handful of steps from the memory at random, and learns from these.

# %% tags=["hide-input"]
diagrams.replay_memory()

# %% [markdown]
# The memory is a ring. When it is full, the newest step takes the oldest one's place. A step consists of $o$, $a$, $r$, whether the world ended, and the next observation $o'$. But $o'$ of a step is $o$ of the next one, so it need not be written twice: for pictures, that saves half of the memory. The newest step has no next one yet, so what was seen last needs a place of its own. That is why a ring for five steps has six places.
#
# In numbers: one environment, a ring for five steps, and seven steps have been played, 0 to 6. Step $k$ stands in place $k \bmod 6$: step 6 has taken the place of step 0. What was seen after step 6 stands in place $7 \bmod 6 = 1$, where step 1 was. So steps 2 to 6 are there, five of them. If two steps in a row are wanted, they may begin with 2, 3, 4 or 5, but not with 6: no step follows it yet. Place 1 holds what was seen last, but its action, its reward and its end are still those of step 1, which is long gone. A program that reads on past the newest step learns from such leftovers.
#
# ### Exercise 9.1  A replay memory
#
# $N$ environments write side by side. `__init__` is there; write the other three methods.
#
# - `write` takes a rollout of $T$ steps. Write each step's action, reward and end into its place, and what was seen after it, `rollout.seen[t + 1]`, into the next place. (After an end that is the next episode's first observation. What the world showed at its end is not kept: nobody asks for its value, since the world ended. Time limits are left aside; Catch has none.)
# - `beginnings(n_steps)` is the `range` of all steps with which `n_steps` steps in a row can begin. A step's number is counted from 0, from the first step ever written, and is the same for all environments. If no step can be a beginning, the range is empty.
# - `windows(steps, envs, n_steps)` hands out a `Window` for $B$ beginnings. `steps` (B) are their numbers, as in `beginnings`, and `envs` (B) says in which environment each of them is. A `Window` has five parts, in this order: `observations` (B, …), on which the first action was chosen; `actions` (B), the first action; `rewards` and `terminated` (n, B), of all n steps; and `after` (B, …), what was seen after the last of them.
#
# *On paper:* the example above. `beginnings(1)` is `range(2, 7)` and `beginnings(2)` is `range(2, 6)`.


# %% tags=["nbval-check-output"]
@exercise("9.1")
class Memory:
    """The latest `capacity` steps of N environments together; every observation is held once."""

    def __init__(self, capacity: int, observation: Tensor) -> None:
        """`observation` (N, *O) is what the first actions are chosen on."""
        N = len(observation)
        self.rows = capacity // N  # steps of each environment
        self.size = self.rows + 1  # places in the ring: what was seen last needs one, too
        self.added = 0  # steps of each environment so far
        self.seen = observation.new_zeros(self.size, *observation.shape)
        self.actions = torch.zeros(self.size, N, dtype=torch.int64)
        self.rewards = torch.zeros(self.size, N)
        self.terminated = torch.zeros(self.size, N, dtype=torch.bool)
        self.seen[0] = observation

    def write(self, rollout) -> None:
        """Remember the steps of a rollout, which goes on where the last one stopped."""
        ### BEGIN SOLUTION
        for t in range(len(rollout.actions)):
            place = self.added % self.size
            following = (self.added + 1) % self.size
            self.actions[place] = rollout.actions[t]
            self.rewards[place] = rollout.rewards[t]
            self.terminated[place] = rollout.terminated[t]
            self.seen[following] = rollout.seen[t + 1]
            self.added += 1
        ### END SOLUTION

    def beginnings(self, n_steps: int) -> range:
        """The steps, counted from 0, from which on n steps in a row are remembered."""
        ### BEGIN SOLUTION
        oldest = max(0, self.added - self.rows)
        behind = self.added - n_steps + 1
        return range(oldest, max(oldest, behind))
        ### END SOLUTION

    def windows(self, steps: Tensor, envs: Tensor, n_steps: int) -> Window:
        """n steps from each of these on, of these environments.   (B,), (B,) → Window"""
        ### BEGIN SOLUTION
        first = steps % self.size
        places = (steps + torch.arange(n_steps)[:, None]) % self.size
        last = (steps + n_steps) % self.size
        return Window(
            self.seen[first, envs],
            self.actions[first, envs],
            self.rewards[places, envs],
            self.terminated[places, envs],
            self.seen[last, envs],
        )
        ### END SOLUTION


# %% [markdown]
# Eight players act at random on Catch for 200 steps each, and your memory for 800 steps writes it down. Then every window of three steps that it can hand out is compared with what was really played.


# %% tags=["nbval-check-output"]
def new_player(seed: int, num_envs: int = 8) -> Player:
    return Player(make_envs(flat_catch, num_envs), seeds(seed, 0, 0), None)


def at_random(generator, actions=3):
    def policy(observation, state):
        return torch.randint(actions, (len(observation),), generator=generator), state

    return policy


player = new_player(seed=0)
memory = Memory(800, player.position.observation)
lived = player.play(at_random(player.generator), 200).rollout
memory.write(lived)
there = memory.beginnings(3)
steps = torch.arange(there.start, there.stop).repeat_interleave(8)
envs = torch.arange(8).repeat(len(there))
window = memory.windows(steps, envs, 3)
print(f"steps {there.start} to {there.stop - 1} of each can be drawn, {len(steps)} in all")
same = (
    torch.equal(window.observations, lived.seen[steps, envs]),
    torch.equal(window.rewards[2], lived.rewards[steps + 2, envs]),
    torch.equal(window.after, lived.seen[steps + 3, envs]),
)
print("observations, third rewards and what came after are as they were played:", same)
assert all(same)

# %% [markdown]
# The memory holds the latest 100 steps of each environment, 100 to 199. The last two of them have too few steps behind them to begin a window of three. So 98 beginnings are left in each of the eight environments.
#
# How much room does a memory take? Here it is 50 numbers of four bytes for each observation. On Atari this question decides whether replay is possible at all: [DQN](../docs/bibliography.md#before-it) kept a million steps, each with a stack of four pictures of 84 × 84 bytes.

# %% tags=["nbval-check-output"]
picture = 84 * 84
for what, each in {
    "o and o′ for every step, a stack of four pictures each, as float32": 2 * 4 * picture * 4,
    "the same as bytes": 2 * 4 * picture,
    "every stack once": 4 * picture,
    "every picture once": picture,
}.items():
    print(f"{each * 1_000_000 / 1e9:6.1f} GB for a million steps: {what}")

# %% [markdown]
# The first row is 32 times the last, and people whose program did what the first row says have asked in public why their memory overflowed. The package's `ReplayMemory` holds every picture once, and stacks pictures when they are drawn. It also keeps what the world showed at a time limit, which yours leaves out. What does it take in fact? On record is a memory of 100,000 steps, with pictures of 84 × 84, four to a stack. It was filled, and then 2,000 more steps were written over the oldest ones. `computed` is what the memory says of itself, and `grown` is by how much the process grew while it was filled:

# %% tags=["hide-input"]
pictures = records.load("replay_pictures")
print(pictures)
print(pictures.settings())
print("\n               computed    grown   one step written   a batch of 32 drawn")
for kind in pictures.levels("kind"):
    its = pictures.select(kind=kind)
    computed, grown, adding, drawing = (
        its.column(name)[0] for name in ("computed", "grown", "adding", "drawing")
    )
    print(f"{kind:12} {computed:8.0f} MB {grown:5.0f} MB {adding:15.0f} µs {drawing:18.0f} µs")
assert pictures.column("computed").max() < pictures.column("grown").max() < 900

# %% [markdown]
# By its own count such a memory takes 0.71 GB, and the process grew by 0.77 GB at most. (The prioritised memory has a tree besides, see below, which takes 2 MB. It was filled second, in the same process. That the process grew by less than the memory takes is probably because it had room left from the first.) To draw by priority takes about twice as long as to draw at random.

# %% [markdown]
# ## DQN
#
# What is learned from a window? Its first action $a$ has a return that looks $n$ steps ahead:
#
# $$R = r + \gamma r' + \ldots + \gamma^{n-1} r^{(n-1)} + \gamma^n \max_{a'} Q(o^{(n)}, a'; \theta^-),$$
#
# where a reward, and the maximum, counts only if no end has come before it. With $n = 1$ it is chapter 08's one-step target. The loss is the mean of $(R - Q(o, a; \theta))^2$ over the $B$ windows that were drawn. That is [**DQN**](../docs/glossary.md#dqn): Q-learning with replay and a target network.
#
# In numbers: two steps paid 1 and 3, and $\gamma = 0.5$. The target network gives the three actions the values 4, 2 and 2 in what was seen after the two steps, and $Q(o, a; \theta) = 2$. Then $R = 1 + 0.5 \cdot (3 + 0.5 \cdot 4) = 3.5$, and the error is $3.5 - 2 = 1.5$. If the second step is terminal, $R = 1 + 0.5 \cdot 3 = 2.5$. If the first is, $R = 1$: what stands behind it belongs to another episode.
#
# ### Exercise 9.2  DQN's errors
#
# Return $R - Q(o, a)$ for each of the $B$ windows. A gradient flows through $Q(o, a)$ and not through $R$. `model(window.observations)` is (B, A); `target` is the network with $\theta^-$.


# %% tags=["nbval-check-output"]
@exercise("9.2")
def td_errors(model: nn.Module, target: nn.Module, window: Window, gamma: float) -> Tensor:
    """R − Q(o, a), where R looks n steps ahead, and then asks θ⁻ for the largest.   → (B,)"""
    ### BEGIN SOLUTION
    values = model(window.observations).gather(-1, window.actions[:, None]).squeeze(-1)
    with torch.no_grad():
        R = target(window.after).amax(dim=-1)
    for r, ended in zip(window.rewards.flip(0), window.terminated.flip(0), strict=True):
        R = r + gamma * R * ~ended
    return R - values
    ### END SOLUTION


# %% [markdown]
# The whole agent is short now: act for a step in each of the eight environments, ε-greedily; write; draw 32 windows of **five** steps; take one step down the gradient of the mean square. It begins to learn after 500 steps. After every 500 steps it renews $\theta^-$, and ε comes down from 1 to 0.1 over the first 5,000 steps, for all environments alike. (The optimiser is torch's Adam. For small worlds there is a published comparison in its favour, in *Revisiting Rainbow*, which comes up again at the end of this page.)


# %%
class DQN:
    """An agent with a memory. `errors` says what is learned from a window."""

    def __init__(
        self,
        model,
        seed,
        errors,
        n_steps=5,
        capacity=10_000,
        num_envs=8,
        batch_size=32,
        make_env=flat_catch,
    ):
        self.model, self.target = model, deepcopy(model).requires_grad_(False)
        self.player = Player(make_envs(make_env, num_envs), seeds(seed, 0, 0), None)
        self.memory = Memory(capacity, self.player.position.observation)
        self.errors, self.n_steps, self.num_envs, self.batch_size = (
            errors,
            n_steps,
            num_envs,
            batch_size,
        )
        self.dice = torch.Generator().manual_seed(seed)
        self.optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
        self.steps, self.episodes = 0, []

    def act(self, epsilon):
        @torch.no_grad()
        def policy(observation, state):
            return epsilon_greedy(self.model(observation), epsilon, self.player.generator), state

        rollout = self.player.play(policy, 1).rollout
        self.memory.write(rollout)
        self.steps += self.num_envs
        self.episodes += [(self.steps, each.episode_return) for each in rollout.episodes]

    def draw(self, size):
        there = self.memory.beginnings(self.n_steps)
        steps = torch.randint(there.start, there.stop, (size,), generator=self.dice)
        envs = torch.randint(self.num_envs, (size,), generator=self.dice)
        return self.memory.windows(steps, envs, self.n_steps)

    def learn(self):
        loss = (
            self.errors(self.model, self.target, self.draw(self.batch_size), GAMMA).square().mean()
        )
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()

    def train(self, total_steps, first=500, period=500, epsilon_steps=5_000, final=0.1):
        while self.steps < total_steps:
            before = self.steps
            self.act(1 + min(1, before / epsilon_steps) * (final - 1))
            if self.steps >= first:
                self.learn()
            if self.steps // period > before // period:
                self.target.load_state_dict(self.model.state_dict())
        return self


GAMMA, LEARNING_RATE = 0.99, 0.003


def new_network(seed: int) -> QNetwork:
    return QNetwork.for_env(flat_catch(), hidden=(64,), seed=seed)


print(f"Training with {whose(Memory, td_errors)}.")
began = time.perf_counter()
agent = DQN(new_network(seed=0), seed=0, errors=td_errors).train(total_steps=16_000)
seconds = time.perf_counter() - began
caught = evaluate(agent.model, flat_catch, 200, seed=1000, actions="greedy", num_envs=50)
held = sum(each.nbytes for each in vars(agent.memory).values() if isinstance(each, Tensor))
print(f"{agent.steps} steps in {seconds:.0f} s, greedy: {caught}")
print(f"the memory holds {len(agent.memory.beginnings(1)) * 8} steps in {held / 1e6:.1f} MB")
assert caught.mean > 0.5

# %% tags=["hide-input"]
plots.learning_curves(
    {"DQN, five steps": [tuple(np.array(agent.episodes, dtype=float).T)]},
    window=1_000,
    title="On Catch the return of DQN's training episodes, random actions included, rises",
    y_label="episode return\n(1: caught, −1: missed)",
)
plt.show()

# %% [markdown]
# The curve shows episodes during training, in which a share ε of the actions is random. Afterwards the agent acts greedily, and a mean of 1 says that it caught all of the 200 balls. The whole run has 16,000 steps: chapter 08's n-step Q was given 60,000, and the record there 40,000. (The settings differ in more than the memory, and one seed of each is no comparison. A comparison comes further down. And DQN looks at each step four times on average, see *What it cost*.)
#
# The package has all of this as `dqn.train`. A `dqn.Config` says what your class was told:

# %%
CATCH = dqn.Config(
    total_steps=16_000,
    num_envs=8,
    t_max=1,
    n_steps=5,
    capacity=10_000,
    batch_size=32,
    warm_up=500,
    target_period=500,
    epsilon_steps=5_000,
    final_epsilon=0.1,
    learning_rate=LEARNING_RATE,
)
packaged = new_network(seed=0)
with dqn.train(packaged, flat_catch, CATCH) as training:
    updates = list(training)
print(f"{updates[-1].steps} steps and {updates[-1].batches} batches, by the package:", end=" ")
caught_by_it = evaluate(packaged, flat_catch, 200, seed=1000, actions="greedy", num_envs=50)
print(f"greedy: {caught_by_it}")
print(f"its memory takes {training.memory.num_bytes / 1e6:.1f} MB")
assert caught_by_it.mean > 0.5

# %% [markdown]
# Give it one-step targets, a memory of one rollout that is drawn whole, and a $\theta^-$ that is renewed at every update. Then it *is* chapter 08's one-step Q with a single worker; a test checks that. In a terminal the same training is one command (there Catch is a picture, and the network begins with convolutions):
#
# ```sh
# a3c-lib train dqn a3c_lib/Catch-v0 --total-steps 16000 --num-envs 8 --t-max 1 \
#     --n-steps 5 --capacity 10000 --batch-size 32 --warm-up 500 --target-period 500 \
#     --epsilon-steps 5000 --final-epsilon 0.1 --learning-rate 0.003 --gamma 0.99 --no-anneal
# ```

# %% [markdown]
# ## Does a memory make gradients less alike?
#
# There is a second reason for a memory, and the paper knows it well. Successive steps of one agent are alike, and so are successive gradients. Chapter 05 measured that on CartPole, for the critic of an A3C. The cosine of successive gradients was about 0.4 with one worker, and near 0 with four workers in turn. The paper says that its workers take the place of DQN's memory in just this. Do they?
#
# So let us measure the same for the gradients of DQN: the mean cosine of successive gradients on CartPole. As in chapter 05 the weights stand still, and the mean of all gradients is taken away first. The network is not trained, and the actions are random. Each gradient is of five steps. In the first row they are five successive steps of one environment. In the second, four environments take turns. In the third, the five are drawn from the memory.
#
# **Predict before you run:** is the cosine with the memory as near to 0 as that with four environments in turn, or nearer, or less near?


# %% tags=["prediction"]
def similarity(gradients, distance=1):
    """The mean cosine of gradients that are `distance` updates apart, their mean taken away."""
    centred = gradients - gradients.mean(dim=0)
    return torch.cosine_similarity(centred[:-distance], centred[distance:]).mean().item()


poles = Player(make_envs("CartPole-v1", 4), seeds(0, 0), None)
walked = Memory(8_000, poles.position.observation)
walked.write(poles.play(at_random(poles.generator, actions=2), 2_000).rollout)
pole_network = QNetwork.for_env(gym.make("CartPole-v1"), seed=0)


def gradient(steps, envs):
    window = walked.windows(steps, envs, 1)
    loss = td_errors(pole_network, pole_network, window, 0.99).square().mean()
    parts = torch.autograd.grad(loss, list(pole_network.parameters()))
    return torch.cat([part.flatten() for part in parts])


dice = torch.Generator().manual_seed(0)
orders = {
    "one environment": lambda k: (torch.arange(5 * k, 5 * k + 5), torch.zeros(5, dtype=int)),
    "four in turn": lambda k: (torch.arange(5 * k, 5 * k + 5), torch.full((5,), k % 4)),
    "from the memory": lambda k: (
        torch.randint(2_000, (5,), generator=dice),
        torch.randint(4, (5,), generator=dice),
    ),
}
cosines = {}
for name, order in orders.items():
    cosines[name] = similarity(torch.stack([gradient(*order(k)) for k in range(400)]))
    print(f"{name:15} cosine of successive gradients {cosines[name]:+.2f}")
assert cosines["one environment"] > 0.15 > abs(cosines["from the memory"])

# %% [markdown]
# Both are near 0, and no difference between the two is to be seen. Only with one environment are successive gradients alike: five successive steps often belong to one fall of one pole, and so do the next five. So environments in turn do as well as a memory here, with one untrained network on one world. But a memory can do something that workers cannot: it lets the agent look at a step again.

# %% [markdown]
# ## How much too large?
#
# Chapter 08 said that a maximum of estimates is too large, and showed it on a world of two states. Does it happen to the agent above? That can be measured. Its $\max_a Q(o, a)$ is what it expects of a state. What it really gets from there, with greedy actions, is the discounted return to the end of the episode. Both have to look equally far: an episode of Catch is nine steps, and no time limit cuts it, so the return can be seen to its end. The difference of the two means is the overestimation.
#
# ### Exercise 9.3  Double
#
# [**Double DQN**](../docs/glossary.md#double-dqn) mends it with what is there already: two networks. $\theta$ says which action is best in what comes after the window, and $\theta^-$ says what that action is worth. Where the two err independently, an action that one of them overestimates is not overestimated by the other one. All else is as in exercise 9.2.
#
# *On paper:* after the window, θ says 1, 3 and 3.5 of the three actions, and θ⁻ says 4, 2 and 2. DQN takes 4. Double DQN takes action 2, which θ likes best, and its value by θ⁻, 2.


# %% tags=["nbval-check-output"]
@exercise("9.3")
def double_errors(model: nn.Module, target: nn.Module, window: Window, gamma: float) -> Tensor:
    """R − Q(o, a), where θ chooses the last action, and θ⁻ says what it is worth.   → (B,)"""
    ### BEGIN SOLUTION
    values = model(window.observations).gather(-1, window.actions[:, None]).squeeze(-1)
    with torch.no_grad():
        best = model(window.after).argmax(dim=-1, keepdim=True)
        R = target(window.after).gather(-1, best).squeeze(-1)
    for r, ended in zip(window.rewards.flip(0), window.terminated.flip(0), strict=True):
        R = r + gamma * R * ~ended
    return R - values
    ### END SOLUTION


# %% [markdown]
# Compare the two functions line by line. What the paper on Double DQN changes is three lines; − was there before, and + is new:


# %%
def body(function):
    """Its lines, but for its name and its docstring."""
    lines = inspect.getsource(function).splitlines()
    skipped = "#", "@", "def ", '"""'
    return [line.strip() for line in lines if not line.strip().startswith(skipped)]


for line in difflib.unified_diff(body(td_errors), body(double_errors), n=0, lineterm=""):
    if not line.startswith(("---", "+++", "@@")):
        print(line)

# %% [markdown]
# Does it help here? The noisier the estimates are, the more their maximum is too large, and rewards with noise make estimates noisy. So let us have a Catch whose every step pays a random number on top, with mean 0 and standard deviation 0.5; on average it pays what Catch does. DQN and Double DQN learn there by one-step targets, for 6,000 steps, with three seeds each. The cell begins with the agent from above, on Catch without noise. **Predict before you run:** whose values are nearer to what is really paid?


# %% tags=["prediction"]
class Noisy(gym.RewardWrapper):
    """Every reward has a random number added to it, with mean 0."""

    def reward(self, reward):
        return float(reward) + 0.5 * self.np_random.standard_normal()


def noisy_catch(render_mode: str | None = None) -> gym.Env:
    return Noisy(flat_catch(render_mode))


def gap(model, episodes=20):
    """Means of max Q(o, a) of what is seen, and of what is then really paid, discounted, by greedy
    actions on Catch without the noise."""
    player = new_player(seed=99)
    rollout = player.play(greedy(model), 9 * episodes).rollout  # every episode has nine steps
    assert rollout.terminated[-1].all()
    zeros, no = torch.zeros_like(rollout.rewards), torch.zeros_like(rollout.terminated)
    paid = n_step_returns(rollout.rewards, zeros, rollout.terminated, no, GAMMA)
    with torch.no_grad():
        said = model(rollout.observations).amax(dim=-1)
    return said.mean().item(), paid.mean().item()


said, paid = gap(agent.model)
print(f"the agent above, on Catch: max Q {said:.2f}, really paid {paid:.2f}")
print(f"Training with {whose(Memory, td_errors, double_errors)}.")
print("on noisy Catch       max Q   really paid   too large by")
gaps = {"DQN": [], "Double": []}
for seed in range(3):
    for (name, its), errors in zip(gaps.items(), (td_errors, double_errors), strict=True):
        learner = DQN(new_network(seed), seed, errors, n_steps=1, make_env=noisy_catch)
        said, paid = gap(learner.train(total_steps=6_000).model)
        its.append(said - paid)
        print(f"seed {seed}   {name:7} {said:8.2f} {paid:13.2f} {said - paid:14.2f}")
for name, its in gaps.items():
    print(f"mean     {name:7} {np.mean(its):37.2f}")

# %% [markdown]
# On noisy Catch Double's values, in the column max Q, are lower than DQN's with each of the three seeds. That is what one would expect. Whether they are *nearer to the truth* is less clear. DQN's are too large with all three seeds, by 0.62 on average in our run. Double's are too large with two seeds and too small with one, by 0.25 on average. But seed by seed Double is nearer with only one of the three, and its mean is small because one of its three numbers is negative. What is really paid differs more from run to run than the values do. So three seeds prove nothing here. And neither of the two plays well after 6,000 steps.
#
# And the first line? There the values are *lower* than what is really paid. One cause is known from chapter 08: the agent above looks five steps ahead, its memory has many random actions in it, and so its returns are too low. Double does nothing about that. Whether the values are too low for another reason as well, such as too short a training, is not measured here. The agent catches every ball all the same: values may be wrong by as much as you like, as long as the best action has the largest one. (So if Double brings nothing in a program of yours, the program may still be right.)

# %% [markdown]
# ## Values and advantages apart
#
# In many states it matters little what is done: the ball is far up, and any action will do. What matters there is how good the state is, and that could be learned from every action at once. The [**dueling network**](../docs/glossary.md#dueling-network) has two heads, one for the value of the state, $V(o)$, and one for how much better or worse each action is, its advantage $A(o, a)$. The network adds the two up.
#
# But then the two are not determined. Add 1 to V and take 1 from every advantage: Q is the same. So the mean of the advantages is taken away:
#
# $$Q(o, a) = V(o) + A(o, a) - \operatorname{mean}_{a'} A(o, a').$$
#
# (So $V(o)$ is here the mean of the values of all actions. That is in general neither $V^\pi$ nor $V^*$.)
#
# ### Exercise 9.4  The dueling head
#
# `value` is (…, 1) and `advantages` is (…, A), with as many numbers in its last axis as there are actions. The axes before the last are the same. Return $Q$, (…, A).
#
# *On paper:* V = 5, and the head says 1, 3 and −1. Their mean is 1, so Q is 5, 7 and 3.


# %% tags=["nbval-check-output"]
@exercise("9.4")
def dueling(value: Tensor, advantages: Tensor) -> Tensor:
    """Q(o, a) = V(o) + A(o, a) − mean over the actions of A(o, ·).   (*B, 1), (*B, A) → (*B, A)"""
    ### BEGIN SOLUTION
    return value + advantages - advantages.mean(dim=-1, keepdim=True)
    ### END SOLUTION


# %% [markdown]
# The mean is over the actions of one observation. Public programs have got it wrong just here: they take the mean over the batch, or over everything. Such a program runs without an error. But what its network says of a state depends on what else is in the batch. So ask a network about one state alone, and about the same state among others:


# %% tags=["nbval-check-output"]
class DuelingNetwork(nn.Module):
    """One torso, two heads, for the 50 numbers of Catch."""

    def __init__(self, seed: int, head=dueling) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.torso = nn.Sequential(nn.Linear(50, 64), nn.Tanh())
            self.value, self.advantages = nn.Linear(64, 1), nn.Linear(64, 3)
        self.head = head

    def forward(self, observations):
        features = self.torso(observations)
        return self.head(self.value(features), self.advantages(features))

    def logits(self, observations):
        """Of an ε-greedy policy, for whatever plays one."""
        return epsilon_greedy_probabilities(self(observations), 0.05).log()


def over_the_batch(value, advantages):
    return value + advantages - advantages.mean(dim=0, keepdim=True)


crowd = lived.seen[:, 0]
for name, head in {"yours": dueling, "with the mean over the batch": over_the_batch}.items():
    network = DuelingNetwork(seed=0, head=head)
    with torch.no_grad():
        same = torch.allclose(network(crowd)[:1], network(crowd[:1]), atol=1e-5)
    print(f"{name}: the state alone has the values that it has among others: {same}")
    assert same == (head is dueling)

# %% [markdown]
# ## What surprises is drawn more often
#
# Many steps of a memory may have nothing to teach any more: their error is near 0 already. [**Prioritised replay**](../docs/glossary.md#prioritised-replay) draws a step the more often, the larger its error was when it was last looked at. Let $\delta_i$ be that error of step $i$, the $R - Q(o, a)$ of exercise 9.2. Step $i$ is drawn with probability
#
# $$P(i) = \frac{p_i^\omega}{\sum_k p_k^\omega}, \qquad p_i = |\delta_i| + \text{least}.$$
#
# $p_i$ is the step's *priority*. ω, `priority_exponent`, says how much the priority counts: with 0 every step is as likely as every other. *Least* is `least_priority`, a small number above 0; with it even a step whose error is 0 is drawn now and then. (The paper on it has α for ω, and β for the κ that comes below. Both letters are taken in this book.)
#
# Then the mean over what is drawn is no longer the mean over the memory. A step that is drawn twice as often as the others counts twice. If that is not wanted, its loss gets half the weight: $w_i = (M P(i))^{-\kappa}$, with $M$ steps in the memory. With κ = 1, `importance_exponent`, the weights make up for it wholly, and with κ = 0 not at all. This is [**importance sampling**](../docs/glossary.md#importance-sampling). Finally the weights are divided by the largest weight of all steps in the memory, drawn or not. So no weight is above 1, and weights only ever make an update shorter.
#
# In numbers: three errors, 3, −1 and 0; ω = 1 and least = 1. The priorities are 4, 2 and 1, so $P$ is 4/7, 2/7 and 1/7. The first and the third are drawn; κ = 1. Their weights are $(3 \cdot 4/7)^{-1} = 7/12$ and $(3 \cdot 1/7)^{-1} = 7/3$. The least likely step has the largest weight of all, and here that is the third. Divided by 7/3, the two weights are 1/4 and 1. (You see that $M$ cancels out: what is left is $(\min_k P(k) / P(i))^\kappa$.)
#
# ### Exercise 9.5  Priorities and weights
#
# `deltas` (M) are the errors of all steps, `drawn` (B) the numbers of those drawn, counted from 0. Return $P$ of all steps (M), and the weights of the drawn ones (B), divided by the largest of all.


# %% tags=["nbval-check-output"]
@exercise("9.5")
def priorities_and_weights(
    deltas: Tensor,
    drawn: Tensor,
    priority_exponent: float,
    importance_exponent: float,
    least_priority: float,
) -> tuple[Tensor, Tensor]:
    """P of all steps, and the weights of those drawn.   (M,), (B,) → (M,), (B,)"""
    ### BEGIN SOLUTION
    powers = (deltas.abs() + least_priority) ** priority_exponent
    P = powers / powers.sum()
    return P, (P.min() / P[drawn]) ** importance_exponent
    ### END SOLUTION


# %% [markdown]
# The three errors again, with different ω, and κ = 1. The probability of a step, times its weight, is then the same for all three:

# %% tags=["nbval-check-output"]
for omega in 0.0, 0.5, 1.0:
    errors = torch.tensor([3.0, -1.0, 0.0])
    P, weights = priorities_and_weights(errors, torch.arange(3), omega, 1.0, 1.0)
    each = ",  ".join(f"{p:.2f} · {w:.2f}" for p, w in zip(P, weights, strict=True))
    print(f"ω = {omega}: P · weight of each step: {each}")
    assert torch.allclose(P * weights, P.min())

# %% [markdown]
# ### Exercise 9.6  The sum tree
#
# How does one draw by priority from a million steps? Lay the priorities side by side, as pieces of a line; throw a dart on the line; see whose piece it has hit. To add up the pieces from the left until the dart is reached may take a million additions for every draw. A [**sum tree**](../docs/glossary.md#sum-tree) needs twenty comparisons: the priorities are the leaves, and each node above is the sum of the two below it, so that the root is the total. (What lies in the tree is $p_i^\omega$, with the exponent in it already. From here on that is what we call a priority.)
#
# In numbers: priorities 3, 1, 0 and 4. Above them stand 4 and 4, and above these 8. Where is 3.5? The left half holds 4, which is more: go left. There the left leaf holds 3, which is not more: go right, with $3.5 - 3 = 0.5$ left over. That is leaf 1. Where is 4? The left half holds 4, which is not more: go right, with 0 left over. There leaf 2 holds 0, and 0 is not more than 0: leaf 3. A leaf of priority 0 is never found.
#
# Node 1 is the root, nodes $2k$ and $2k + 1$ are below node $k$, and leaf $i$ is node `capacity + i`. `capacity` is a power of two, and `self.levels` is how many levels of nodes lie below the root. `self.sums[k]` is what node $k$ holds. Write both methods: `set` gives a leaf a new priority, and `find` returns the number of the leaf that a dart at `mass` has hit, from 0 up to and without the total.


# %% tags=["nbval-check-output"]
@exercise("9.6")
class SumTree:
    """Priorities as the leaves of a tree, in which each node is the sum of the two below it."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.levels = capacity.bit_length() - 1  # below the root
        self.sums = [0.0] * (2 * capacity)

    def set(self, leaf: int, priority: float) -> None:
        """Give a leaf another priority, and all nodes above it their new sums."""
        ### BEGIN SOLUTION
        node = self.capacity + leaf
        self.sums[node] = priority
        for _ in range(self.levels):
            node = node // 2
            self.sums[node] = self.sums[2 * node] + self.sums[2 * node + 1]
        ### END SOLUTION

    def find(self, mass: float) -> int:
        """The leaf in whose part of [0, total) `mass` lies, the leaves side by side in order."""
        ### BEGIN SOLUTION
        node = 1
        for _ in range(self.levels):
            node = 2 * node
            if mass >= self.sums[node]:
                mass = mass - self.sums[node]
                node = node + 1
        return node - self.capacity
        ### END SOLUTION


# %% [markdown]
# What a tree must do can be said without a tree: the cumulative sums of the priorities say where each piece ends. So it can be tested on a thousand random trees. Such a test is worth having. One well-known public program had a default capacity that was no power of two, which [mixed up its indices](../docs/bibliography.md#programs-and-threads), and no error was reported.

# %% tags=["nbval-check-output"]
dice = np.random.default_rng(0)
wrong = 0
for _ in range(1_000):
    priorities = dice.integers(0, 4, size=8) / 4  # quarters add up exactly; a part of them is 0
    if priorities.sum() == 0:
        continue
    tree = SumTree(8)
    for leaf in dice.permutation(8):
        tree.set(int(leaf), float(priorities[leaf]))
    for mass in np.arange(0, priorities.sum(), 0.25):
        wrong += tree.find(mass) != np.searchsorted(priorities.cumsum(), mass, side="right")
print("wrong leaves:", wrong)
assert wrong == 0

# %% [markdown]
# Now a world in which priorities are known to help, the *blind cliff walk* of [their paper](../docs/bibliography.md#beside-it): a corridor of $L$ cells; in each of them one action goes on, and the other one ends the episode and pays nothing. Whoever goes on in all of them is paid 1 in the last one. Somebody tries all $2^L$ sequences of $L$ actions, each once, and stops each where the episode ends. These $2^{L+1} - 2$ steps are in the memory, and all but one of them are paid nothing. A table Q learns from them one by one, by one-step targets with γ = 0.9. With priorities, ω is 1 and no weights are used. How many looks does it take until the value of going on is right to within 0.1 in the first cell?


# %%
def blind_walk(L):
    """All steps of the corridor: (state, action, reward, s′, ended), each as often as it occurs."""
    steps = []
    for s in range(L):
        times = 2 ** (L - 1 - s)
        steps += [(s, 1, float(s == L - 1), s + 1, s == L - 1)] * times  # goes on
        steps += [(s, 0, 0.0, s + 1, True)] * times  # falls
    return steps


def looks_needed(L, priority_exponent, seed, gamma=0.9, rate=0.25, most=40_000):
    steps, dice = blind_walk(L), np.random.default_rng(seed)
    order = dice.permutation(len(steps))
    steps = [steps[k] for k in order]
    Q = 0.01 * dice.standard_normal((L + 1, 2))
    tree = SumTree(2 ** int(np.ceil(np.log2(len(steps)))))
    for leaf in range(len(steps)):
        tree.set(leaf, 1.0)  # what is new has the largest priority
    for look in range(1, most + 1):
        k = min(tree.find(dice.uniform(0, tree.sums[1])), len(steps) - 1)
        s, a, r, after, ended = steps[k]
        delta = r + (0.0 if ended else gamma * Q[after].max()) - Q[s, a]
        Q[s, a] += rate * delta
        if priority_exponent is not None:
            tree.set(k, (abs(delta) + 0.01) ** priority_exponent)
        if abs(Q[0, 1] - gamma ** (L - 1)) < 0.1:
            return look
    return most


print(f"Drawing with {whose(SumTree)}.")
print("cells   looks, each step as likely   looks, by priority      median of 5 seeds")
walked = {}
for L in 4, 6, 8:
    plain, by_priority = (
        np.median([looks_needed(L, omega, seed) for seed in range(5)]) for omega in (None, 1.0)
    )
    walked[L] = plain, by_priority
    print(f"{L:5} {plain:28.0f} {by_priority:20.0f}")

# %% [markdown]
# By priority it takes about a quarter of the looks, in each of the three corridors. But look at how this world is made: of all steps in the memory (30, 126 and 510 of them) a single one is paid, and at first all others say nothing. Where every step teaches a little, one would expect to win less. And a look by priority costs more: two walks through the tree for each step that is drawn, up and down.

# %% [markdown]
# ## What is written back
#
# ### Exercise 9.7  Bug hunt: what is written back
#
# After each look the new errors of the drawn steps become their priorities. Below is such a function, as more than one public program has it. `errors(drawn)` gives the errors (B), with a gradient. `priorities` (M) have the exponent in them already, $p_i^\omega$, and are changed in place. The loss is returned. It runs, it learns, and it is wrong. **Find the fault and mend it.**


# %% tags=["nbval-check-output"]
@exercise("9.7")
def learn_from_drawn(
    errors: Errors,
    priorities: Tensor,
    drawn: Tensor,
    priority_exponent: float,
    importance_exponent: float,
    least_priority: float,
) -> Tensor:
    """The loss of the drawn steps (B,), and in `priorities` (M,) their new ones.   → ()"""
    weights = (priorities.min() / priorities[drawn]) ** importance_exponent
    deltas = errors(drawn)
    losses = weights * deltas.square()
    priorities[drawn] = (deltas.detach().abs() + least_priority) ** priority_exponent
    return losses.mean()


# %% [markdown]
# (What follows gives the answer away.) The weights belong to the loss: they make up for how often a step is drawn. They have no business in the priorities, which say how surprising a step is. What does the fault do? Take a memory of two steps, whose errors stay at 4 and 1 for ever, with ω = κ = 1 and a least priority of 0. The first step should be drawn four times as often as the second, so its share should be 0.8:


# %%
print(f"With {whose(learn_from_drawn)}.")
both, fixed = torch.tensor([0, 1]), torch.tensor([4.0, 1.0])
for name, its in {"as given": learn_from_drawn_with_a_bug, "mended": learn_from_drawn}.items():
    priorities, shares = torch.ones(2), []
    for _ in range(200):
        its(lambda steps: fixed[steps], priorities, both, 1.0, 1.0, 0.0)  # ω, κ, least
        shares.append((priorities[0] / priorities.sum()).item())
    print(f"{name:8} the first step's share at the end: {np.mean(shares[-100:]):.2f}")
    assert (np.mean(shares[-100:]) > 0.78) == (name == "mended")

# %% [markdown]
# With the fault, the more surprising step pushes itself down: it is drawn more often, so its weight is smaller, and so is what is written back. Nothing fails, and nothing is reported. It shows only to somebody who computes by hand how often a step should be drawn.

# %% [markdown]
# ## All together
#
# Here is an agent with everything but priorities: five steps, Double, and the dueling network. The DQN above, which has five steps as well, caught all of 200 balls. **Predict before you run:** does this one, too?

# %% tags=["prediction"]
print(f"Training with {whose(Memory, double_errors, dueling)}.")
everything = DQN(DuelingNetwork(seed=0), seed=0, errors=double_errors).train(total_steps=16_000)
caught_by_all = evaluate(
    everything.model, flat_catch, 200, seed=1000, actions="greedy", num_envs=50
)
print(f"DQN, greedy:                  {caught}")
print(f"with Double and two heads:    {caught_by_all}")
assert caught_by_all.mean > 0.5

# %% [markdown]
# Both catch every ball of 200, so after 16,000 steps one seed of each shows no difference. A difference has to be looked for on the way there, and over many seeds.
#
# ## Steps, and seconds
#
# So here is the answer to the question with which this page began. On record are five methods:
#
# - **A2C**, **A3C** and **n-step Q** learn from rollouts of five steps, with RMSProp. A3C and n-step Q have four workers in turn.
# - **DQN** has **one-step** targets here. (From here on, *DQN* or *plain DQN* means this one; the figures call it *DQN, one step*. The agent that you trained above had five steps.)
# - **DQN with everything** has five steps, Double, the dueling network, and priorities, with ω = 0.6 and a κ that comes up from 0.4 to 1. Both DQNs learn with Adam, from 32 windows after each step of the eight environments.
#
# Each method has 20,000 steps of Catch, ten seeds, and two learning rates: 0.01 and 0.03 with RMSProp, 0.001 and 0.003 with Adam. No other rate was tried for this record. (The other settings are those of chapter 06, of chapter 08 and of this page. Some ten runs were tried to find those of this page.) After every 1,000 steps greedy actions play 50 balls. Only five different balls fall in Catch, so it is seen at once whether an agent catches all of them. We count the steps, and the seconds of one core, until it does so for the first time; the seconds of the 50 balls do not count.
#
# In the table, *at last* is how many of the ten seeds ever catch all balls, and *in the end* is how many do so after the last step. Then come the medians of the ten seeds; there is a dash if half of the seeds or more never get there. *Looks at a step* is how often each step is learned from on average, and *steps kept* is how many steps are kept to learn from. The two figures show each method with its better rate. (Dotted: the run is over, and its last value is drawn on.)
#
# **Predict before you run:** who needs the fewest steps? Who needs the fewest seconds?


# %% tags=["hide-input"]
def until_reached(its, column, enough=0.9):
    """What `column` says when greedy actions first reach `enough`, for each seed; ∞: never. Above
    0.9 every ball is caught."""
    found = []
    for seed in its.levels("seed"):
        of_seed = its.select(seed=seed)
        there = of_seed.column(column)[of_seed.column("greedy") >= enough]
        found.append(there[0] if len(there) else np.inf)
    return np.sort(found)


def told(its, enough=0.9):
    """Of a method's ten seeds: how many reach enough, at last and at the end, and at what price."""
    steps, seconds = (until_reached(its, name, enough) for name in ("steps", "seconds"))
    last = its.select(steps=its.levels("steps")[-1])
    at_last, at_the_end = np.isfinite(steps).sum(), (last.column("greedy") >= enough).sum()
    each = last.column("seconds") / last.column("steps")
    medians = f"{np.median(steps):9,.0f} {np.median(seconds):8.1f}".replace("inf", "  –")
    return f"{at_last:5} {at_the_end:7} {medians} {np.median(each) * 1e6:9.0f}"


record = records.load("replay_catch")
print(record)
print(record.settings(world=flat_catch, model=new_network(seed=0), training=CATCH))

# %% tags=["prediction"]
print(
    "all balls caught by:            seeds,   in the    median    median    µs for   looks at    steps"
)
print(
    "                              at last       end     steps   seconds    a step   a step      kept"
)
took = {}
for method in record.levels("method"):
    for rate in record.select(method=method).levels("learning_rate"):
        its = record.select(method=method, learning_rate=rate)
        took[method, rate] = until_reached(its, "steps")
        looks, kept = (its.column(name)[0] for name in ("looks", "kept"))
        print(f"{method:20} η {rate:<5} {told(its)} {looks:8g} {kept:9,}")

# %% tags=["hide-input", "prediction"]
BEST = {
    method: min(
        record.select(method=method).levels("learning_rate"),
        key=lambda rate, its=method: (np.isinf(took[its, rate]).sum(), np.median(took[its, rate])),
    )
    for method in record.levels("method")
}
for column, x_label, title in (
    (
        "steps",
        "environment steps",
        "On Catch, by steps, DQN with everything (five steps, Double, dueling, priorities) leads "
        "and one-step DQN lags",
    ),
    (
        "seconds",
        "seconds of computing on one core (dotted: the run is over)",
        "On Catch, by seconds of computing, A2C leads",
    ),
):
    plots.learning_curves(
        {
            "DQN, one step" if method == "DQN" else method: record.select(
                method=method, learning_rate=rate
            ).curves(column, "greedy")
            for method, rate in BEST.items()
        },
        title=title,
        x_label=x_label,
        y_label="mean return of 50 balls,\ngreedy actions",
    )
    plt.show()
catches = {key: np.isfinite(steps).sum() for key, steps in took.items()}
assert catches["DQN with everything", 0.001] == 10 > catches["A2C", 0.01] == 7
assert max(catches["DQN", rate] for rate in (0.001, 0.003)) == 1
assert np.median(took["DQN with everything", 0.001]) < np.median(took["A2C", 0.01])
best = record.select(method="A2C", learning_rate=0.01)
seconds_of_a2c = until_reached(best, "seconds")
replayed = record.select(method="DQN with everything", learning_rate=0.001)
assert until_reached(replayed, "seconds").min() > seconds_of_a2c[np.isfinite(seconds_of_a2c)].max()

# %% [markdown]
# **By steps**, DQN with everything is ahead. With the smaller rate it catches all balls with each of the ten seeds, after 6,000 to 13,000 steps, and still does at the end. A2C, with its better rate, gets there with seven seeds of ten, after 7,000 to 16,000 steps. Take one seed of each: in 75 of 100 such pairs DQN with everything is there first (a tie counts as half). Ten seeds against ten would lie as far apart as that in about one of seventeen experiments if there were no difference. So the lead is likely real, and it is not large. It may be smaller still: only two rates were tried here, and further up A2C did better with a third, 0.02. (With the larger rate DQN with everything has an even lower median, 8,500 steps. But one of its seeds never catches all balls, and two that did miss one again in the end.)
#
# **By seconds**, A2C is ahead, and here nothing overlaps. The seven seeds that get there took 0.7 to 1.7 seconds; the ten of DQN with everything took 2.8 to 7.7. (The other three seeds of A2C do not get there in their 20,000 steps, and these last about two seconds.) A step of A2C costs about 106 µs, and one of DQN with everything more than five times as much. (Other programs ran on the machine meanwhile: over the ten seeds it was 92 to 128 µs, and 515 to 628.) DQN with everything looks at each step four times, with two networks, and it has a memory and a tree to keep. Catch itself needs little time for a step. Where a step of the world is dear, a robot's or a slow simulator's, the same table speaks for replay.
#
# **And replay alone?** Plain DQN looks at each step four times as well, and is far *behind* A2C. It catches all balls with one seed of ten, and not for long. So it is not enough to keep the steps and to look at them more often. The next section asks which of the other parts makes the difference. A3C and n-step Q, which look at each step once, lie in between. (Each of their four workers learns with parameters that the others have changed meanwhile. In processes of their own, workers would compute on several cores at once; chapter 06 compares that with A2C.)
#
# So is it waste to look once? By steps it is, a little, if everything else is done right. By seconds it is not, in a world as cheap as this one. Each sentence is about 20,000 steps of one small world, and about two learning rates of each method.
#
# ## What each part brings here
#
# Here plain DQN gets one part at a time, with the smaller rate. The rows *none* and *all* are DQN and DQN with everything from the record above. *On the way* is the mean of all twenty evaluations of a seed, early and late ones, which tells more than the end alone. The last column compares this mean of each seed with that of each seed of plain DQN, in 100 pairs: 50 of 100 is no difference, and 100 is ahead in every pair.
#
# **Predict before you run:** which of the parts brings the most, alone? Does any of them bring nothing?

# %% tags=["hide-input"]
family = records.load("replay_family")
print(family)
print(family.settings(world=flat_catch, model=new_network(seed=0), training=CATCH))
(rate,) = family.levels("learning_rate")
parts = {"none: DQN": record.select(method="DQN", learning_rate=rate)}
parts |= {part: family.select(part=part) for part in family.levels("part")}
parts["all"] = record.select(method="DQN with everything", learning_rate=rate)

# %% tags=["prediction"]
print("all balls caught by:  seeds,  in the    median   median    µs for    median   ahead of DQN")
print("                     at last     end     steps  seconds    a step   on the way   in pairs")
ahead, means = {}, {}
for part, its in parts.items():
    means[part] = np.array([its.select(seed=k).column("greedy").mean() for k in its.levels("seed")])
    plain = means["none: DQN"][:, None]
    ahead[part] = (means[part] > plain).sum() + (means[part] == plain).sum() / 2
    way = np.median(means[part])
    print(f"{part:17} {told(its)} {way:9.2f} {ahead[part]:11g} of 100")
assert ahead["five steps"] == ahead["all"] == 100
assert all(25 < ahead[part] < 60 for part in ("Double", "dueling", "prioritised"))

# %% [markdown]
# Five steps are nearly all of it. DQN with this part alone catches every ball with nine seeds of ten, at a median of 11,000 steps, and each of its seeds is ahead of each of plain DQN's. (That fits the agent that you trained above, whose targets had five steps.) Double, the dueling network and priorities bring nothing that ten seeds can show here, each alone: they are ahead in 38, 39 and 48 of 100 pairs, which is as good as no difference. That does not say that they are worth nothing elsewhere, or beside five steps. With all parts the tenth seed gets there, too, and all ten still catch every ball in the end. Whether the other three parts did that, this record cannot say. It does say that each part has a price, whether it helps or not: 10 to 60 percent more computing for each step.
#
# ## CartPole
#
# Catch has five balls. What does DQN do on the world of the first chapters, CartPole-v1? DQN trains for 100,000 steps and then plays 100 episodes with greedy actions. If they last 475 steps or more on average, the world counts as solved; 500 is the most there is. On record are 20 seeds with targets of five steps, and 20 with targets of one step, all else the same; and both once more with Double. Every 32 steps, four in each of eight environments, DQN learns from one batch of 128 windows, so each step is looked at four times on average. The learning rate comes down to 0 at the end.
#
# The settings come from a search with other seeds: 27 settings, four seeds each. They differed in the steps of a target (one, three or five), the learning rate, γ, how often $\theta^-$ is renewed, and in whether a gradient was taken for 8, 16 or 32 steps. None of them had Double, and these settings were the best for *five* steps. (The search is not on record.)
#
# **Predict before you run:** with how many of the 20 seeds does each of the four solve it?

# %% tags=["hide-input"]
cartpole = records.load("dqn_cartpole")
print(cartpole)
print(cartpole.settings(model=pole_network, training=CATCH))

# %% tags=["prediction"]
print("mean of 100 greedy episodes at the end of 100,000 steps: 20 seeds in ascending order")
kinds, solved = {}, {}
for double in cartpole.levels("double"):
    for n_steps in cartpole.levels("n_steps"):
        its = cartpole.select(n_steps=n_steps, double=double)
        name = {5: "five steps", 1: "one step"}[n_steps] + ", Double" * (double == "True")
        at_the_end = its.select(steps=100_000)
        lasted = np.sort(at_the_end.column("greedy"))
        kinds[name], solved[name] = its, (lasted >= 475).sum()
        ever = sum(its.select(seed=k).column("greedy").max() >= 475 for k in its.levels("seed"))
        print(f"{name}: " + " ".join(f"{mean:.0f}" for mean in lasted))
        print(
            f"    median {np.median(lasted):.0f}; 475 or more with {solved[name]} seeds at the end, "
            f"with {ever} at some time; {at_the_end.column('batches')[0]:,} gradients in "
            f"{np.median(at_the_end.column('seconds')):.0f} s (median)"
        )

# %% tags=["hide-input", "prediction"]
plots.learning_curves(
    {name: its.curves("steps", "greedy") for name, its in kinds.items()},
    lines={"solved: 475": 475},
    title=f"With targets of five steps DQN solves CartPole-v1 with {solved['five steps']} of 20 seeds, "
    f"with one step with {solved['one step']}, with Double or without",
    y_label="mean return, greedy actions\n(20 episodes; 100 at the end)",
)
plt.show()
assert list(solved.values()) == [20, 8, 20, 8]

# %% [markdown]
# With five steps each of the 20 seeds solves it, and none ends below 491. With one step 8 of 20 do; the median is 244. Five more were at 475 or above at one of the ten evaluations, and lost it again. All take 3,094 gradients. Without Double that is 12 seconds of computing on one core with five steps, and 11 with one (medians; other programs ran meanwhile, and the record's minutes are by the clock). A gradient for every two steps, say, would be 16 times as many.
#
# **Double brings nothing that 20 seeds could show.** With five steps all 20 seeds solve it with Double, too, and there was nothing left to improve. With one step there was, and again 8 of 20 seeds solve it, with a median of 292. Take a seed with Double and one without, both with one step: the one with Double is ahead in 52 percent of the 400 pairs (a tie counts as half), which is as good as no difference. Again five more were at 475 or above on the way. What it costs cannot be read off this record: the runs with Double took 15 seconds, but they were made later, and the machine had more to do.
#
# So it is the five steps again. Is one step not enough, then? This record does not say that, since its settings were chosen for five steps. In the search, which is not on record, 14 settings had one step, among them smaller learning rates and up to four times as many gradients; none of these solved it with more than two seeds of four. With still more gradients it may be otherwise, and the seconds grow with them. Why five steps help so much is not measured here either. One likely reason: each time $\theta^-$ is renewed, the news of a fall travels back by as many steps as a target has.
#
# In a terminal these settings are the command's defaults:
#
# ```sh
# a3c-lib train dqn CartPole-v1
# ```
#
# ## The five methods on CartPole and on pictures
#
# *Steps, and seconds* compared five methods in one small world. Here they are in two more, with ten seeds and two learning rates each. One world is CartPole-v1, for 100,000 steps. A method has got there when 20 episodes of greedy actions last 475 steps on average; these are played after every 5,000 steps. The other is Catch as a *picture* of 10 × 5, which a network with two convolutions sees, for 30,000 steps. There a method must catch all of 50 balls again; they are played after every 1,000 steps.
#
# The methods were not tuned alike on CartPole. Both DQNs have the settings that the search above found for five steps, and their rate comes down to 0. A2C, A3C and n-step Q learn with RMSProp, from rollouts of 16 steps; A2C and A3C have chapter 05's value weight of 0.05. For these three only learning rates were tried. On Catch's pictures all five learn with Adam, since with RMSProp A2C and A3C had learned nothing from them, at rates of 0.001 to 0.03. All else is there as it was on the row of 50 numbers, but for the network. In both worlds the rates were chosen by a few runs of each method, with other seeds.
#
# **Predict before you run:** on which of the two worlds does DQN with everything save the larger share of A2C's steps? Does plain DQN save any? And where is A2C ahead by seconds?

# %% tags=["hide-input"]
elsewhere = records.load("replay_worlds")
print(elsewhere)
print(elsewhere.settings(training=CATCH))

# %% tags=["prediction"]
ENOUGH = {"CartPole": 475, "Catch, pictures": 0.9}  # above 0.9 all balls are caught
better = {}  # of each method in each world: its runs with the better learning rate
for world, enough in ENOUGH.items():
    print(f"{world:27} seeds,   in the    median    median    µs for   looks at    steps")
    print(f"{'':29}at last       end     steps   seconds    a step   a step      kept")
    of_world = elsewhere.select(world=world)
    for method in of_world.levels("method"):
        rates = {}
        for rate in of_world.select(method=method).levels("learning_rate"):
            its = of_world.select(method=method, learning_rate=rate)
            looks, kept = (its.column(name)[0] for name in ("looks", "kept"))
            print(f"{method:20} η {rate:<5} {told(its, enough)} {looks:8g} {kept:9,}")
            steps = until_reached(its, "steps", enough)
            rates[np.isinf(steps).sum(), np.median(steps)] = its  # the fewest that never get there
        better[world, method] = rates[min(rates)]
    print()


# %% tags=["prediction"]
def ahead_by(column, first, second, world):
    """In how many of 100 pairs, a seed of each method, `first` reaches enough before `second`."""
    ones, others = (
        until_reached(better[world, name], column, ENOUGH[world]) for name in (first, second)
    )
    return (ones[:, None] < others).sum() + (ones[:, None] == others).sum() / 2


for world in ENOUGH:
    for method in ("DQN", "DQN with everything"):
        by_steps, by_seconds = (
            ahead_by(name, method, "A2C", world) for name in ("steps", "seconds")
        )
        print(f"{world:16} {method:19} is there before A2C in", end=" ")
        print(f"{by_steps:4g} of 100 pairs by steps, {by_seconds:3g} by seconds")

# %% tags=["hide-input", "prediction"]
for world in ENOUGH:
    plots.learning_curves(
        {
            "DQN, one step" if method == "DQN" else method: its.curves("steps", "greedy")
            for (of, method), its in better.items()
            if of == world
        },
        lines={"475": 475} if world == "CartPole" else {},
        title={
            "CartPole": "On CartPole DQN with everything has the lowest median; ten seeds show no lead over A2C",
            "Catch, pictures": "From pictures both DQNs need far fewer steps",
        }[world],
        y_label="mean return, greedy actions",
    )
    plt.show()
assert ahead_by("steps", "DQN", "A2C", "Catch, pictures") == 100
assert ahead_by("steps", "DQN with everything", "A2C", "Catch, pictures") == 100
assert ahead_by("seconds", "DQN", "A2C", "CartPole") == 0
assert 60 < ahead_by("steps", "DQN with everything", "A2C", "CartPole") < 80
assert all(
    40 < ahead_by("seconds", "A2C", method, "Catch, pictures") < 70
    for method in ("DQN", "DQN with everything")
)

# %% [markdown]
# (The figures show how good the median seed is after so many steps. The table counts the first time that a seed is good enough, even if it is worse a little later. So its medians are lower.)
#
# **On CartPole** three methods get there with all ten seeds: A2C, A3C, and DQN with everything. DQN with everything has the lowest median of steps, 25,000 against A2C's 35,000, and is there first in 69 of 100 pairs. But ten seeds against ten would lie as far apart as that in about one of seven experiments if there were no difference, so ten seeds do not show that it is ahead. By seconds it is behind A2C, with 4.7 against 1.8, and there first in 5 of 100 pairs. Plain DQN is behind A2C by both: it gets there first in 10.5 of 100 pairs by steps (a tie counts as half), and in none by seconds. (Plain DQN's runs with the larger rate are the first ten of the 20 one-step runs of the last section, played again. Here 20 episodes decide at the end, and there 100 do, so a seed near 475 may count here and not there, or the other way round.)
#
# **From pictures** it is another matter. At either rate, each of the ten runs of each DQN has all balls after 2,000 to 8,000 steps. A2C needs 10,000 to 20,000 with its better rate. (The table has only the medians.) Each run of each DQN is there before each of A2C, in all 100 pairs. This holds for plain DQN as well. On the row of 50 numbers one of its ten seeds got there; from pictures of the same world all ten do. By seconds the lead is used up: the DQNs need a third and a quarter of the steps, and a step costs 3.9 and 5.4 times as much. They are first in 44 and 39 of 100 pairs, which is as good as no difference. A3C and n-step Q have higher medians than A2C, in steps and in seconds.
#
# A larger or a smaller rate might still do better. On CartPole all five did better with the larger of their two, and from pictures the DQNs and n-step Q did, and A2C and A3C with the smaller one. (Not on record: on CartPole A2C, A3C and n-step Q were tried with 0.03 as well, with one seed each, and were worse with it.)
#
# So how much replay saves depends on the world. The median of DQN with everything is four fifths of A2C's steps on the row of numbers, seven tenths on CartPole, where it may be chance, and a quarter from pictures. A2C's own median is 13,000 on the row of numbers and from pictures. (A2C has another optimiser there, and gets there with ten seeds where it did with seven. So this is no comparison of networks alone.) It is DQN with everything that needs fewer steps from pictures: 3,000, where it needed 10,500 on the row. Between the two, its network differs, its better rate, and the length of the run, over which κ rises. Why a network with convolutions gains so much more from replay was not measured. By seconds A2C is ahead in two of these worlds, and level in the third.
#
# ## Pong
#
# Does replay save steps from Atari's pixels, too? Chapter 07 has A2C and A3C in Pong on record, three runs each. Here is DQN on the same pictures and with chapter 07's network: one run, with one seed. It is plain DQN but for its targets of three steps; the memory holds 100,000 steps. Eight environments play. After every four steps of each environment, DQN learns from four batches of 64 windows, so each step is looked at eight times on average. The score is the mean of the latest 100 training games. ε comes down from 1 to 0.02 in the first 100,000 steps, so two actions of a hundred are random after that.
#
# More differs than the method. Two things favour A2C and A3C by minutes: they have two cores, where DQN has one, and their networks look at each picture once and with 8 bits of precision (chapter 07). DQN cannot look once, since its weights have changed between playing a step and learning from it. Two things may favour A2C and A3C by steps as well: their settings come from searches, and their first weights are orthogonal. DQN's settings are the first ones that were tried. (Not on record: a run with another seed had begun to score after 130,000 steps. It was only to see that, and was stopped there.) The number of environments, the steps of a target, the decay of the learning rate and the processors differ, too.
#
# **Predict before you run:** what share of the steps of A2C's quickest run does DQN need to reach 18 points? And what share of its minutes?

# %% tags=["hide-input"]
games = {
    "A2C": records.load("games/pong"),
    "A3C": records.load("games/pong_a3c"),
    "DQN": records.load("games/pong_dqn"),
}
for name, its in games.items():
    print(f"{name}. {its}")
    print(f"{its.settings()}\n")

# %% tags=["prediction"]
print("18 points:          steps  minutes   games    at the end:   steps   minutes   score")
eighteen, ends = {}, []
for name, its in games.items():
    for seed in its.levels("seed"):
        run = its.select(seed=seed)
        there = run.select(steps=run.column("steps")[run.column("score") >= 18][0])
        first, last = there.rows[0], run.rows[-1]
        eighteen.setdefault(name, []).append((first["steps"], first["minutes"]))
        ends.append(last["score"])
        print(
            f"{name}, seed {seed}    {first['steps']:10,} {first['minutes']:8.1f} {first['games']:7} "
            f"{last['steps']:19,} {last['minutes']:9.1f} {last['score']:7.1f}"
        )

# %% tags=["hide-input", "prediction"]
panels = plots.axes(10, 3.6, columns=2)
for ax, (column, unit, title) in zip(
    panels,
    (
        ("steps", 1e6, "By steps DQN is ahead"),
        ("minutes", 1, "By the clock A2C and A3C are ahead"),
    ),
    strict=True,
):
    plots.learning_curves(
        {
            name: [(x / unit, score) for x, score in its.curves(column, "score")]
            for name, its in games.items()
        },
        lines={"18": 18},
        title=title,
        x_label="million steps" if column == "steps" else "minutes",
        y_label="score, latest 100 games",
        ax=ax,
    )
plt.show()
((dqn_steps, dqn_minutes),) = eighteen["DQN"]
others = eighteen["A2C"] + eighteen["A3C"]
assert 0.5 < dqn_steps / min(steps for steps, _ in others) < 0.6
assert dqn_minutes > 1.5 * max(minutes for _, minutes in others)
assert 18 < ends[-1] < sorted(ends[:-1])[1]  # of DQN, and of all others but one

# %% [markdown]
# (A curve ends where the shortest run does. So the 18 points of A2C's seed 0, after 21.0 minutes, are not drawn by minutes.)
#
# **By steps**, DQN is ahead. It needs 460,000 steps and 232 games to 18 points. A2C needs 860,000 to 2,000,000, and A3C 1,300,000 to 1,500,000. So DQN needs little more than half of the steps of the quickest of the six runs. (The score is a mean over the latest hundred games, some 200,000 steps. So it lags behind the agent, and by about as much for all three.) One run of DQN does not say how large the lead is on average. Nor is it replay's alone, since the targets differ, too.
#
# After that DQN hardly rises. It ends at 18.5 points, after 700,000 steps. Five of the other six runs end at 19.2 to 20.4, after two million. The random actions may cost DQN something; that was not measured.
#
# **By the clock**, DQN is last. It needs 36 minutes, where A2C needs 7.6 to 21.0 and A3C 9.3 to 11.4. They have two cores. In minutes of one core DQN is behind all three runs of A3C and two of A2C's, and A2C's slowest took 42. A step of DQN costs 4.7 ms of one core, and a step of A2C takes 0.5 to 0.6 ms on two cores, so 1.1 to 1.3 ms of one: about a quarter of DQN's. The record of shares, further down, says that with eight environments, as here, and eight looks learning is nine tenths of DQN's computing. (Other programs ran on the other core while DQN learned.)
#
# ## A film

# %%
animate(
    play(greedy(everything.model), flat_catch, seed=1, max_steps=36, episodes=4),
    fps=6,
    alt="Four balls fall, one after another, and the paddle that the agent with replay trained "
    "moves to catch them.",
)

# %% [markdown]
# ## What it cost
#
# - **Memory.** A2C keeps a rollout, 40 steps on Catch. The DQN on Catch keeps 10,000, some 2 MB; on Atari it keeps a million, 7 GB of pictures at best.
# - **Computing for each step.** A2C takes one gradient of 40 steps for 40 steps played: each step is looked at once. The DQN on Catch takes a gradient of 32 windows for 8 steps played: each step is looked at four times on average, and each window asks the target network, too. In the record a step of plain DQN took three times as long as one of A2C, and one of DQN with everything more than five times.
# - **Off-policy only.** A target that is made from old steps must not depend on who took them. One-step targets do not. Targets of $n$ steps do: the rewards before the maximum are those of an older and more random policy, so the return is too low, as in chapter 08. In practice $n = 3$ is used all the same, and here five steps helped most.
# - **Old steps are stale in another way**: a memory shows where the agent was, not where it is.

# %% [markdown]
# **Could a second core help?** The agent acts and learns in turn. One process could act and fill the memory while another one learns from it. The two need at least as long as the longer part takes, and they need time to tell each other of steps and weights, too. *Playing* and *adding* to the memory would be the one process's part, *learning* the other's. On record is how long each takes for a step of the world, in microseconds of computing on one core: on CartPole as above, and on Pong from pixels with the paper's network. *As in 2015* is DQN's proportion, a batch of 32 for every four steps of one environment. *With eight* is the same proportion with eight environments, whose actions are chosen together. *Fewer looks* is a batch of 128 for every 32 steps and targets of five steps, as on CartPole: each step is looked at four times, where it is eight times with the other two. The last column says how many times as fast two processes could be at best: all of the computing, divided by the longer part.

# %% tags=["hide-input"]
shares = records.load("dqn_shares")
print(shares)
print(shares.settings(training=CATCH))
print("\n                    µs for a step, median of five:")
print("                     playing   adding   learning   learning's share   at best")
bounds = {}
for run in shares.levels("run"):
    its = shares.select(run=run)
    playing, adding, learning = (its.column(name) for name in ("playing", "adding", "learning"))
    acting = playing + adding
    share = np.median(learning / (acting + learning))
    bounds[run] = np.median((acting + learning) / np.maximum(acting, learning))
    parts_of_it = "".join(f"{np.median(part):9.0f}" for part in (playing, adding, learning))
    print(f"{run:19} {parts_of_it} {share:18.0%} {bounds[run]:9.2f} ×")
assert all(1.1 < bound < 1.42 for run, bound in bounds.items() if "Pong" in run)
assert 1.7 < bounds["CartPole"] < 1.9

# %% [markdown]
# From pixels learning takes between seven tenths and nine tenths of the computing, so a second process could make DQN at most 1.1 to 1.4 times as fast. On CartPole it could be 1.8 times at best. That would save five of a run's twelve seconds, less what it takes to import PyTorch in the second process and to tell each other, which was not measured. So the package's DQN acts and learns in one process, which is simpler. (A step costs about 0.15 milliseconds on CartPole, and 3 to 7 milliseconds on Pong. Where a graphics processor learns, the shares differ.)

# %% [markdown]
# ## Rainbow, and what the paper says
#
# [Rainbow](../docs/bibliography.md#after-it) (2017) put six improvements of DQN together. You have written four of them:
#
# | part | what it is | here |
# |---|---|---|
# | Double | θ chooses, θ⁻ values | exercise 9.3 |
# | prioritised replay | what surprises is drawn more often | exercises 9.5 and 9.6 |
# | dueling network | V and advantages apart | exercise 9.4 |
# | n-step returns | three rewards before the maximum; Rainbow takes them from A3C | exercise 9.2 |
# | distributional (C51) | a distribution of returns in place of their mean | – |
# | noisy networks | noise in the weights, which is learned, in place of ε | – |
#
# Its authors took each part away in turn. On Atari the score fell most without prioritised replay, and without n-step returns. Does every part help everywhere? No. [*Revisiting Rainbow*](../docs/bibliography.md#after-it) (2020) repeated the study in small worlds. On classic control prioritised replay and n-step returns brought little; the distributional part alone even hurt in two of the worlds, and yet taking it out of the whole hurt most. With ten seeds its authors could not tell some of the differences, and they took a hundred. So no table says that each part helps everywhere. What can be relied on is that the parts can be *combined*.
#
# And the paper of this book? It names three drawbacks of replay that its workers do not have: replay needs memory, it needs more computing for each step, and it needs off-policy methods. But the paper does not argue against replay. Its conclusions say that replay could be added to the asynchronous framework, and could make it use its data much better; they name Double, the dueling network and generalised advantage estimation as further complements.

# %% [markdown]
# ## Where the paper says it
#
# | here | where |
# |---|---|
# | replay and the target network | [DQN](../docs/bibliography.md#before-it), Mnih et al. 2013, and 2015 in *Nature* with the target network |
# | `double_errors` | [van Hasselt, Guez, Silver](../docs/bibliography.md#beside-it) 2015 |
# | `dueling` | [Wang et al.](../docs/bibliography.md#beside-it) 2015, equation 9, with the mean |
# | `priorities_and_weights`, `SumTree` | [Schaul et al.](../docs/bibliography.md#beside-it) 2015: equation 1, section 3.4, appendix B.2.1 |
# | replay and asynchronous workers are complements | [the paper](../docs/bibliography.md#the-paper), section 6 |

# %% [markdown]
# ## What to try next
#
# 1. `DQN(new_network(0), 0, td_errors, n_steps=1)`, trained for as many steps. What do five steps bring?
# 2. `capacity=64`: a memory of eight steps of each environment. Make a guess first.
# 3. Two gradients for each step that is played: call `self.learn()` twice in `train`. Is it better, and what did it cost?
# 4. Give `a2c_looking` a larger learning rate, 0.03, and several seeds. How many looks does the policy bear then?
# 5. Write prioritised replay into `DQN`: a `SumTree` with a leaf for each place of the memory and each environment, your `learn_from_drawn`, and the largest priority for what is new.

# %% [markdown]
# ## Summary
#
# - An **on-policy** method needs data from the policy that learns. After the first step the rollout is another policy's. On Catch A2C gained nothing from more looks that a larger learning rate did not give it, and eight looks with a rate of 0.01 ruined the policy. As many steps on new rollouts did no harm, though a slightly older policy had played them, and one step of two or four times the length did better than two or four looks. To count each action by how likely it is now mends a part.
# - A **replay memory** keeps steps in a ring, every observation once. A window must not reach past the newest step.
# - **DQN** is Q-learning with a memory and a target network. Its batches are drawn by chance, so that successive gradients are not alike; several workers have the same effect without a memory.
# - **Double**: one network chooses and the other values. **Dueling**: the value and the advantages apart, with the mean over the actions taken away. **Priorities**: what surprises is drawn more often and counts less each time, and a sum tree finds it among $M$ steps in $\log_2 M$ comparisons.
# - On Catch DQN with all of them needs fewer steps than A2C and more seconds, and plain DQN is behind A2C in both. Nearly all of the difference between the two DQNs comes from the five steps; Double, the dueling network and priorities bring nothing that ten seeds can show, each alone. What replay is sure to cost is memory, and computing for each step.
# - On CartPole DQN with everything has a lower median of steps than A2C, but ten seeds do not show that it is ahead; by seconds it is behind. Plain DQN is behind in both. From Catch's pictures DQN with everything needs a quarter of A2C's steps, plain DQN a third, and both need about as many seconds as A2C.
# - On CartPole-v1, at settings that were searched for, DQN with targets of five steps reaches 475 or more in 100,000 steps with each of 20 seeds; with one step, all else the same, with 8. With Double it is as many.
# - In Pong from pixels one run of DQN, on one core, has 18 points after little more than half of the steps of the quickest run of A2C, and after nearly five times its minutes.

# %%
progress()

# %% [markdown]
# You have written what the paper's workers were to replace, and you can say what each of the two is good for: a memory where steps are dear, and many workers where they are cheap. So far every agent of this book has pressed one of a few buttons. A motor has no buttons, and wants a real number: that is [chapter 10](10_continuous_control.ipynb).
