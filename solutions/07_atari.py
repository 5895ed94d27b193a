# %% [markdown]
# # 07  Atari from pixels
#
# **You need** chapters 00 to 03 and 06, and 05 for the last third. Chapter 04's memory is met again in one figure.<br>
# **You will be able to** tell what one picture does not show, give an agent the latest few, prepare an Atari screen as ale-py does (no dot differs by more than 1 of 255), write the network of the paper, start a training of Pong, and say of a published Atari score what was counted, cut and clipped on the way to it.<br>
# **Time** {time}; the computer works for about a minute and a half.
#
# Up to now somebody told the agent the essentials: the angle of the pole, the number of the cell. A person in front of a game console is told nothing. *Can an agent learn from what is on the screen?*

# %%
import math
import time

import ale_py
import gymnasium as gym
import matplotlib.pyplot as plt
import numpy as np
import torch
from gymnasium.wrappers import FrameStackObservation
from numpy.typing import NDArray
from torch import Tensor, nn

from a3c_lib import (
    ActorCritic,
    a2c,
    a2c_loss,
    actor_critic,
    evaluate,
    make_envs,
    n_step_returns,
    parallel_a2c,
)
from a3c_lib.app import checkpoints, records
from a3c_lib.encoders import orthogonal_init, paper_network, pixel_statistics
from a3c_lib.exercises import exercise, hint, progress, solution, whose
from a3c_lib.figures import diagrams, plots
from a3c_lib.figures.animation import animate
from a3c_lib.figures.progress import track
from a3c_lib.figures.watching import beside, watch
from a3c_lib.one_look import OneLook
from a3c_lib.playing import Played
from a3c_lib.rollout import collect, initial_state, sampled, start
from a3c_lib.worlds.atari import Game, luminance, shrunk
from a3c_lib.worlds.bounce import Bounce

torch.set_num_threads(1)
plt.style.use(plots.STYLE)

# %% [markdown]
# ## What one picture does not show
#
# First a world small enough for paper. `Bounce` is a box of 7 × 7 dots. A ball flies through it, at each step one row up or down and one column to the left or right, and bounces off the walls. The agent points at a column. If the ball is there one step later, that pays 1. An episode has 20 steps, so 20 points are the most.
#
# Pointing changes nothing: the ball flies as it flies, and the picture shows the ball and nothing else. Here are two flights.


# %%
def grey(picture: np.ndarray, enlarged: int = 24) -> np.ndarray:
    """A picture of bytes (H, W) for people: larger, and with three colours that are equal."""
    return np.repeat(picture.repeat(enlarged, axis=0).repeat(enlarged, axis=1)[..., None], 3, -1)


def flight(seed: int, steps: int = 20) -> list[np.ndarray]:
    box = Bounce()
    return [box.reset(seed=seed)[0]] + [box.step(0)[0] for _ in range(steps)]


def column_of(picture: np.ndarray) -> int:
    return int(picture.any(axis=0).argmax())


met = {}
for seed in range(200):
    past, now, later = flight(seed, steps=2)
    other = met.setdefault(now.tobytes(), (past, now, later))
    if column_of(other[2]) != column_of(later):
        break
shown = [*other, past, now, later]
plots.frames(
    [grey(picture) for picture in shown],
    [f"{which}: {when}" for which in ("one", "other") for when in ("before", "now", "next")],
    title="Two flights: the same picture now, another column next",
)
plt.show()
assert np.array_equal(shown[1], shown[4])
assert column_of(shown[2]) != column_of(shown[5])

# %% [markdown]
# The pictures in the middle are the same. Whoever sees only that one cannot know where the ball will be next. Somebody who sees the one before as well knows it.
#
# ### What can be had with one picture
#
# Let us compute it. The column goes there and back: 0, 1, …, 6, 5, …, 1. That is a cycle of 12 phases, all equally likely at every step. A column inside belongs to two of them, one for each direction. A wall's column belongs to one. So of one picture the best guess is right with probability $\frac{1}{2}$ inside and $1$ at a wall:
#
# $$\frac{10}{12} \cdot \frac{1}{2} + \frac{2}{12} \cdot 1 = \frac{7}{12}.$$
#
# With 20 steps that makes $20 \cdot \frac{7}{12} = 11\frac{2}{3}$ points. It is a *bound* for whoever goes by this one picture: no network, no learning rate and no patience gets above it, since nothing that was done leaves a trace in the picture. (Whoever remembers an earlier one may.) With two pictures every step but the first is certain: $19 + \frac{7}{12} = 19\frac{7}{12}$.

# %%
STEPS = 20
box = Bounce()
phases = range(2 * (box.size - 1))
column = {phase: box.size - 1 - abs(phase - (box.size - 1)) for phase in phases}
followers = {}  # column now → columns next, one for each phase
for phase in phases:
    followers.setdefault(column[phase], []).append(column[(phase + 1) % len(phases)])
right = sum(max(map(nexts.count, nexts)) for nexts in followers.values())
ONE_PICTURE = STEPS * right / len(phases)
TWO_PICTURES = STEPS - 1 + right / len(phases)
print(f"at best: {ONE_PICTURE:.2f} points of 20 with one picture, {TWO_PICTURES:.2f} with two")
assert abs(ONE_PICTURE - 35 / 3) < 1e-9

# %% [markdown]
# Now chapter 06's agent, with the [**encoder**](../docs/glossary.md#encoder) for pictures that the package has had since chapter 01: two layers of convolutions, which turn a picture into features, with a [**ReLU**](../docs/glossary.md#relu), $\max(0, x)$, behind each. It sees one picture at a time. (A convolution wants the axes channels, height, width; `FrameStackObservation(…, 1)` puts the picture in a stack of one.)
#
# Since pointing changes nothing, looking ahead is worth nothing: $\gamma = 0$, and each step is a lesson of its own. **Predict before you run:** how many points will it make?

# %% tags=["prediction"]
CONFIG = a2c.Config(
    total_steps=15_000,
    t_max=5,
    num_envs=8,
    gamma=0.0,
    learning_rate=0.003,
    entropy_weight=0.1,
    optimizer="adam",
    seed=0,
)
UNITS = {"hidden": (128,), "activation": nn.ReLU}  # behind the encoder


def one_picture_at_a_time():
    return FrameStackObservation(Bounce(), 1)


short_sighted = ActorCritic.for_env(one_picture_at_a_time(), **UNITS, seed=0)
with a2c.train(short_sighted, one_picture_at_a_time, CONFIG) as training:
    updates = list(track(training))
points = evaluate(short_sighted, one_picture_at_a_time, episodes=200, seed=1000)
print(f"{points}; the bound is {ONE_PICTURE:.2f}")
assert 9 < points.mean < ONE_PICTURE + 1

# %% [markdown]
# It comes close to the bound. More training cannot carry it above: what it needs is not in the picture.

# %% [markdown]
# ## The idea in mathematics
#
# Every chapter but 04 leaned on one assumption: what comes next depends on $o_t$ and $a_t$, and not on how $o_t$ came about. That is the [**Markov property**](../docs/glossary.md#markov-property). Where one observation does not have it, the world is [**partially observable**](../docs/glossary.md#partially-observable). In Bounce a single picture $x_t$ breaks it: inside the box four pictures may come next, up or down and left or right, and $P(x_{t+1} \mid x_t)$ is a quarter for each. $P(x_{t+1} \mid x_{t-1}, x_t)$ is certain. The remedy is to *call* something else the observation: the latest $n$ pictures,
#
# $$o_t = (x_{t-n+1}, \ldots, x_{t-1}, x_t),$$
#
# a **stack**, with the newest picture last. Two pictures give places and velocities. The papers take four; they do not say that four is needed. ("The papers" in this chapter are those of 2013 and 2015 on **DQN**, an agent that learned Atari games from pixels before, and A3C's.) What happened longer ago than $n$ pictures stays unseen, and that is where chapter 04's memory is the other remedy.
#
# Where an episode begins, there is no picture before. The older places of the stack are **black** then. They must *not* hold pictures of the last episode: the ball did not fly from where one game ended to where the next one began.
#
# ### Exercise 7.1  The latest pictures
#
# A new picture comes in. Return the new stack, an array of bytes of its own; leave the old one as it was, since a rollout still holds it.


# %% tags=["nbval-check-output"]
@exercise("7.1")
def pushed(stack: np.ndarray, picture: np.ndarray, begins: bool) -> np.ndarray:
    """The latest n pictures, the newest last: (n, H, W), (H, W) → (n, H, W). Where an episode
    begins, the others are black."""
    ### BEGIN SOLUTION
    older = np.zeros_like(stack[1:]) if begins else stack[1:]
    return np.concatenate([older, picture[None]])
    ### END SOLUTION


# %% [markdown]
# An environment that shows such stacks is a few lines around your function. Gymnasium's own wrapper gives the same, through the ends of three episodes, if it is asked for black pictures (`padding_type="zero"`); by itself it repeats the first picture of the episode.


# %%
class Stacked(gym.Wrapper):
    """Shows the latest n pictures."""

    def __init__(self, env: gym.Env, n: int) -> None:
        super().__init__(env)
        self.stack = np.zeros((n, *env.observation_space.shape), np.uint8)
        self.observation_space = gym.spaces.Box(0, 255, self.stack.shape, np.uint8)

    def reset(self, **options):
        picture, info = self.env.reset(**options)
        self.stack = pushed(self.stack, picture, begins=True)
        return self.stack, info

    def step(self, action):
        picture, *rest = self.env.step(action)
        self.stack = pushed(self.stack, picture, begins=False)
        return self.stack, *rest


ours, theirs = Stacked(Bounce(), 3), FrameStackObservation(Bounce(), 3, padding_type="zero")
for seed in range(3):
    assert np.array_equal(ours.reset(seed=seed)[0], theirs.reset(seed=seed)[0])
    for _ in range(STEPS):
        assert np.array_equal(ours.step(0)[0], theirs.step(0)[0])
print("the same as Gymnasium's, in each of 3 episodes")

# %% [markdown]
# ### Exercise 7.2  Pictures in any batch
#
# A convolution slides small windows of weights, its **filters**, over a picture; what one filter gives at all places is a **channel** of the result. Its input has the axes (batch, channels, height, width), and here the pictures of a stack are the channels.
#
# Our observations come in other batches: $(N, n, H, W)$ when acting, $(T, N, n, H, W)$ when learning, or a single stack $(n, H, W)$ with no batch axis at all. The `layers` you are given know only one: they take (batch, $n$, $H$, $W$), and the last of them flattens, so they return (batch, features). Write the way in and out: the batch's axes become one, the layers do their work, and the axes come back. Bytes 0 … 255 become 0 … 1 on the way, since the layers' weights were drawn for inputs of that size.


# %% tags=["nbval-check-output"]
@exercise("7.2")
def features_of(layers: nn.Module, pictures: Tensor) -> Tensor:
    """What `layers` make of pictures (*B, stack, H, W) of bytes, in any batch axes B.   → (*B,
    features). Bytes 0 … 255 become 0 … 1."""
    ### BEGIN SOLUTION
    *batch, stack, height, width = pictures.shape
    features = layers(pictures.reshape(-1, stack, height, width) / 255)
    return features.reshape(*batch, -1)
    ### END SOLUTION


# %% [markdown]
# An encoder is a module with a `width`, the number of features. This one has the same two layers as before, and looks through your function.


# %%
class Encoder(nn.Module):
    def __init__(self, space: gym.spaces.Box) -> None:
        super().__init__()
        stack, height, width = space.shape
        self.layers = nn.Sequential(
            nn.Conv2d(stack, 16, kernel_size=3, padding=1),
            nn.ReLU(),
            nn.Conv2d(16, 16, kernel_size=3, padding=1),
            nn.ReLU(),
            nn.Flatten(),
        )
        self.width = 16 * height * width

    def forward(self, pictures: Tensor) -> Tensor:
        return features_of(self.layers, pictures)


def two_pictures(render_mode: str | None = None) -> gym.Env:
    return Stacked(Bounce(render_mode=render_mode), 2)


print(f"Training with {whose(pushed, features_of)}.")
agent = ActorCritic.for_env(two_pictures(), **UNITS, make_encoder=Encoder, seed=0)
with a2c.train(agent, two_pictures, CONFIG) as training:
    updates = list(track(training))
points = evaluate(agent, two_pictures, episodes=200, seed=1000)
print(f"{points}; {TWO_PICTURES:.2f} is the most")
assert points.mean > 17

# %% [markdown]
# The same network, the same learning rate, the same number of steps, and one more picture. Here it is at play. The ball is orange. The blue square below the box is the column that was pointed at a step before, and where the ball now is over the square, that step was paid; the reward written below is for the action taken *now*, which the next picture shows. The square is drawn for us, and the agent does not see it. Beside the box stand the value and the probabilities of the columns; the action it takes is red. With $\gamma = 0$ the value is the chance to be paid in this step. Watch the first step: there is only one picture, and the agent is in two minds. (Its value is too high there: only one step in twenty is a first one, so it has learned little from them.)

# %%
watched = watch(agent, two_pictures, seed=3, names=[f"column {c}" for c in range(7)])
film = animate(
    beside(watched),
    fps=3,
    alt="A ball bounces in a box; beside it the agent's value, and the probabilities of its seven "
    "columns, of which one stands out after the first step.",
)
surest = watched.probabilities.max(axis=1)
print(
    f"probability of its favourite column: at first {surest[0]:.2f}, then {surest[1:].mean():.2f}"
)
film
assert surest[0] < 0.9 < surest[1:].mean()

# %% [markdown]
# Ten seeds of each, with the same settings but 20,000 steps, and a third way: one picture, and chapter 04's LSTM behind the encoder. Below the figure stand the mean points of each seed at the end, over 200 episodes, in ascending order.

# %% tags=["hide-input"]
seen = records.load("bounce_pictures")
print(seen)
print(seen.settings(model=agent, training=CONFIG))
SETTINGS = {
    "one picture": {"pictures": 1, "memory": "no"},
    "two pictures": {"pictures": 2, "memory": "no"},
    "one picture, LSTM": {"pictures": 1, "memory": "LSTM"},
}
plots.learning_curves(
    {
        name: seen.select(**setting).curves("steps", "episode_return")
        for name, setting in SETTINGS.items()
    },
    lines={"bound": ONE_PICTURE},
    title="With two pictures every seed passes the bound",
    y_label="points of 20, latest 50 episodes",
)
plt.show()
final = {}
for name, setting in SETTINGS.items():
    final[name] = sorted(
        seen.select(**setting, seed=seed).column("evaluated")[-1] for seed in range(10)
    )
    print(f"{name:18}", "  ".join(f"{mean:.1f}" for mean in final[name]))
assert max(final["one picture"]) < ONE_PICTURE + 0.5
assert min(final["two pictures"]) > 19
assert 4 <= sum(mean > ONE_PICTURE + 1 for mean in final["one picture, LSTM"]) <= 8
assert np.median(final["one picture, LSTM"]) < np.median(final["two pictures"]) - 1

# %% [markdown]
# Each of the ten seeds with one picture ends close to the bound. (A mean of 200 episodes may lie a little above it, by chance.) Each seed with two pictures is near its own bound, 19.58. A memory helps as well: six of ten seeds pass the bound of one picture clearly, and four do not within this budget. A memory has to *learn* to remember what a stack shows from the start.

# %% [markdown]
# ## A console of 1977
#
# Now the real thing. The Atari 2600 draws 60 [**frames**](../docs/glossary.md#frame) a second, 210 × 160 dots in 128 colours. It has 128 bytes of memory, and no picture in it: the program draws each line anew while the beam of the television runs over it. ale-py contains an emulator of that console, and games. Four of them, after some steps with random actions:


# %%
def after_random_steps(name: str, steps: int = 60) -> np.ndarray:
    screens = Game(name).make_screens(1)
    screens.reset(seed=0)
    rng = np.random.default_rng(0)
    for _ in range(steps):
        seen, *_ = screens.step(rng.integers(len(Game(name).actions), size=1))
    return seen[0, 0]


NAMES = "pong", "breakout", "space_invaders", "asteroids"
plots.frames(
    [after_random_steps(name) for name in NAMES],
    NAMES,
    columns=4,
    title="Four games, as the console draws them",
)
plt.show()
for name in NAMES:
    print(f"{name:14} {', '.join(Game(name).actions)}")

# %% [markdown]
# `Game`, of this chapter's module `atari`, is a game and how it is shown to the agent. It stands wherever an environment's id stands. What it does inside, the following sections do by hand, a screen at a time. For that we talk to the console itself. We need three of its methods: `act` presses a button for one frame and returns what that paid, `getScreenRGB` gives the screen, and `getMinimalActionSet` lists the buttons that this game knows.


# %%
def the_console(name: str) -> ale_py.ALEInterface:
    ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)
    console = ale_py.ALEInterface()
    console.setInt("random_seed", 0)
    console.setFloat("repeat_action_probability", 0.0)
    console.loadROM(ale_py.roms.get_rom_path(name))
    return console


console = the_console("asteroids")
for _ in range(101):
    console.act(ale_py.Action.NOOP)
before = console.getScreenRGB()
console.act(ale_py.Action.NOOP)
after = console.getScreenRGB()
plots.frames(
    [before, after, np.maximum(before, after)],
    ["a frame", "the next one", "the brighter of both"],
    title="Asteroids draws rocks and ship in turn",
)
plt.show()

# %% [markdown]
# The console has room for five moving objects in a *line* of the screen: two players, two missiles, a ball. While the beam goes down, a program may use them again further below, which is how Space Invaders fills a screen. But where too many meet in the same lines, as rocks and ship do in Asteroids, the program draws them in turn, some in the even frames and some in the odd ones. On a television that flickers a little. An agent that sees one frame in four would always see the same ones: here rocks without a ship, or a ship without rocks. So the papers take **the brighter of two frames, dot for dot**.
#
# ### Exercise 7.3  One picture of two screens
#
# Colours are dropped, too. How bright a dot is to the eye, its **luminance**, is $0.299\,R + 0.587\,G + 0.114\,B$, rounded to a byte. `luminance` computes it, of a screen (H, W, 3). Does it matter whether one takes the brighter dot first, or luminance? Think of a dot that is red in one frame and green in the next. Here luminance comes first, of each screen, and then the brighter one at each dot. (DQN's paper of 2015 takes the larger value of each colour first, and luminance then. We follow ale-py.)


# %% tags=["nbval-check-output"]
@exercise("7.3")
def one_picture(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """The brighter of two screens at each dot, in grey.   (H, W, 3), (H, W, 3) → (H, W)."""
    ### BEGIN SOLUTION
    return np.maximum(luminance(before), luminance(after))
    ### END SOLUTION


# %% [markdown]
# Then the picture is shrunk to 84 × 84. Each of the new dots is the mean of the area that it covers: $210/84 = 2.5$ rows and $160/84 \approx 1.9$ columns. How much does the last frame alone lack?

# %%
picture = one_picture(before, after)
small = shrunk(picture, 84, 84)
plots.frames(
    [grey(luminance(after), 1), grey(picture, 1), grey(small, 2)],
    ["last frame, grey", "brighter of two", "84 × 84, enlarged"],
    title="Two frames become one small picture",
)
plt.show()
bright = 60
lacking = ((picture > bright) & (luminance(after) <= bright)).sum()
print(f"{lacking} of {(picture > bright).sum()} bright dots are missing in the last frame")
print(f"{before.size:,} bytes have become {small.size:,}")
assert lacking > 0.2 * (picture > bright).sum()
assert small.shape == (84, 84)

# %% [markdown]
# ## Steps and frames
#
# The agent's action is held for four frames: that is one **step**, a fifteenth of a second. The step is paid what its four frames pay together, and its picture is made of the last two of the four.
#
# ### Exercise 7.4  Bug hunt: rocks that flicker
#
# A colleague wrote the holding. It runs, rewards are right, and it is thrifty: screens are copied only where they are needed. But look at the pictures that come of it.

# %%
from a3c_lib.exercises.atari import held_with_a_bug


def a_film_of(hold, name: str, steps: int) -> list[np.ndarray]:
    """The pictures of some steps without action, made of two screens each."""
    console = the_console(name)
    for _ in range(101):
        console.act(ale_py.Action.NOOP)
    pictures = []
    for _ in range(steps):
        _, before, after = hold(console, ale_py.Action.NOOP, 3)
        pictures.append(one_picture(before, after))
    return pictures


# %% [markdown]
# (With 3 frames a step instead of 4, so that the last frame is an even one in one step and an odd one in the next.)

# %%
plots.frames(
    [grey(picture, 1) for picture in a_film_of(held_with_a_bug, "asteroids", 4)],
    [f"step {step}" for step in range(1, 5)],
    title="The colleague's pictures, step by step",
)
plt.show()

# %% [markdown]
# In one picture the rocks are gone, in the next one the ship, as if there were no maximum at all. **Find the fault and mend it.** (`console.getScreenRGB(screen)` copies the screen into an array that it is given; `console.getScreenRGB()` returns a new one.)


# %% tags=["nbval-check-output"]
@exercise("7.4")
def held(
    console: ale_py.ALEInterface, action: int, frames: int
) -> tuple[float, NDArray[np.uint8], NDArray[np.uint8]]:
    """Hold an action for some frames, at least 2.   → what they paid together, the last two
    screens."""
    ### BEGIN SOLUTION
    reward, screens = 0.0, []
    for frame in range(frames):
        reward += console.act(action)
        if frame >= frames - 2:
            screen = np.empty((210, 160, 3), dtype=np.uint8)
            console.getScreenRGB(screen)  # copies the screen into this array
            screens.append(screen)
    before, after = screens
    return reward, before, after
    ### END SOLUTION


# %%
plots.frames(
    [grey(picture, 1) for picture in a_film_of(held, "asteroids", 4)],
    [f"step {step}" for step in range(1, 5)],
    title="Mended: rocks and ship in all pictures",
)
plt.show()


def bright_dots(hold) -> float:
    return np.mean([(picture > bright).sum() for picture in a_film_of(hold, "asteroids", 20)])


print(
    f"bright dots in a picture: {bright_dots(held_with_a_bug):.0f} before, "
    f"{bright_dots(held):.0f} now"
)
assert bright_dots(held) > 1.3 * bright_dots(held_with_a_bug)

# %% [markdown]
# ## Is it ale-py's picture?
#
# Four of such pictures are a stack, and a stack is what the agent sees. Do your `held`, your `one_picture`, `shrunk` and your `pushed` give what ale-py shows, which does all of this in C++? Sixty steps of Space Invaders with random actions:

# %%
print(f"Preparing with {whose(held, one_picture, pushed)}.")
plain = Game("space_invaders", noop_max=0, fire_at_start=False)
envs, console = plain.make_envs(1), the_console("space_invaders")
theirs, _ = envs.reset(seed=0)
buttons = console.getMinimalActionSet()
stack = theirs[0]
apart = []
for action in np.random.default_rng(0).integers(len(buttons), size=60):
    theirs, their_reward, *_ = envs.step(np.array([action]))
    reward, before, after = held(console, buttons[action], 4)
    stack = pushed(stack, shrunk(one_picture(before, after), 84, 84), begins=False)
    apart.append(np.abs(stack.astype(int) - theirs[0]))
    assert reward == their_reward[0]
print(f"largest difference {np.max(apart)}, in {np.mean(np.array(apart) > 0):.4%} of the dots")
assert np.max(apart) <= 1
plots.frames(
    [grey(each, 2) for each in stack],
    ["three steps ago", "two", "one", "now"],
    columns=4,
    title="What the agent sees: the latest four pictures",
)
plt.show()

# %% [markdown]
# All rewards agree, and the pictures too, but for a rare difference of 1 in 255: ale-py's means are in single precision, and where one ends in a half they may round the other way. (The package's tests compare ale-py with Gymnasium's wrappers as well: there no dot differs.)

# %% [markdown]
# ## What is chosen besides
#
# A picture is not all. Papers and programs differ in a handful of choices, and a score means little without them. This table is a list to go through before you compare a score, or report one. In `Game` each has a name, and its default is the papers' as far as they say it, but for ends at lost lives.
#
# | field | default | what it is |
# |---|---|---|
# | `size`, `stack` | 84, 4 | as above |
# | `frame_skip` | 4 | frames for which an action is held: one step |
# | `sticky` | 0 | how likely the console repeats the last action in a frame instead of taking yours. The papers: 0. Usual since 2018: 0.25 |
# | `noop_max` | 30 | an episode begins after some frames without action, fewer than 30, a number drawn anew: else all games would begin alike |
# | `fire_at_start` | True | some games (Breakout) wait until fire is pressed; that is done for the agent, in every game that has this button |
# | `life_ends` | False | whether a lost life is an end to learn from. In DQN's paper of 2015 it is, and here it can be chosen |
# | `max_frames` | 108,000 | half an hour of playing; then the game is *truncated* |
#
# [**Sticky actions**](../docs/glossary.md#sticky-actions) answer an objection. A console without them draws no random numbers. The same buttons give the same game to the last dot, and an agent might learn buttons by heart instead of looking. Let the same random buttons be pressed in two games that begin alike and have different seeds:


# %%
def how_far_apart(sticky: float, steps: int = 150) -> np.ndarray:
    """Dots that differ between two games with the same buttons, step by step."""
    game = Game("breakout", sticky=sticky, noop_max=0)
    envs = game.make_envs(2)
    envs.reset(seed=0)
    buttons = np.random.default_rng(1).integers(len(game.actions), size=steps)
    pictures = [envs.step(np.array([button, button]))[0][:, -1] for button in buttons]
    return np.array([(one != other).sum() for one, other in pictures])


without, with_sticky = how_far_apart(sticky=0.0), how_far_apart(sticky=0.25)
print(f"differing dots, largest of 150 steps: {without.max()} without, {with_sticky.max()} with")
assert without.max() == 0
assert with_sticky.max() > 0

# %% [markdown]
# Without sticky actions the two games are one. With them each is its own. A sticky game is the harder one: at each frame the console may go on with the old action instead of yours, here with probability 0.25. Compare scores only with scores of the same kind.
#
# ### Exercise 7.5  Rewards that are clipped
#
# An invader pays 5 to 30 points, a point in Pong pays 1, and other games pay hundreds. Values, and with them gradients, would be hundreds of times larger in one game than in another. The DQN papers therefore limit each reward to $-1 \ldots 1$, and A3C is reported to have taken that over: one learning rate then suits all games. The price: five points and thirty are the same to the agent. It no longer learns to make the highest *score*, but to be paid *often*.
#
# What is reported is another matter: **the score is never clipped.** So where is the place to clip? ale-py can do it in the environment, but then nobody is told the score. We do it where the critic's targets are computed. You are given a function of targets, such as `n_step_returns`; it takes `rewards, next_values, terminated, truncated, gamma`. Return a *new function* that takes the same five, in this order, limits the rewards, and calls the one you were given. The rewards that it is handed stay as they are: others still need them.


# %% tags=["nbval-check-output"]
@exercise("7.5")
def clipped(targets):
    """A function of targets → one that takes the same arguments, and gives the targets of rewards
    that are limited to −1 … 1."""

    ### BEGIN SOLUTION
    def of_limited_rewards(rewards, *others):
        return targets(rewards.clamp(-1, 1), *others)

    return of_limited_rewards
    ### END SOLUTION


# %% [markdown]
# 1,600 steps of Space Invaders with a time limit, trained with your function. Invaders are worth 5, 10, 15 and so on, so every score is a multiple of 5. Sums of clipped rewards would hardly all be.

# %%
print(f"Training with {whose(clipped)}.")
invaders = Game("space_invaders", max_frames=600)
model = paper_network(invaders)
config = a2c.Config(total_steps=1_600, num_envs=8, t_max=5, seed=0)
with a2c.train(model, invaders, config, targets=clipped(n_step_returns)) as training:
    scores = [e.episode_return for update in training for e in update.episodes]
print(f"{len(scores)} games of ten seconds; scores: {sorted(scores)}")
assert all(score % 5 == 0 for score in scores)
assert max(scores) >= 15

# %% [markdown]
# ### Exercise 7.6  A life and a game
#
# Breakout has five lives, and losing one costs nothing: no reward tells of it. An agent may be slow to see that it is bad. DQN's paper of 2015 helps: for what is *learned from*, a lost life is a termination, and the return stops there. The game goes on, and the score is of the whole game. (Whether this help should be given is disputed. It uses knowledge of the game that an agent with a screen alone would not have, and later comparisons leave it out.)
#
# So there are two kinds of end, and they must not be merged:
#
# | | return stops (`terminated`) | score is reported |
# |---|---|---|
# | a life is lost, the game goes on | yes | no |
# | the game is over, even if the time is up as well | yes | yes |
# | the time is up, the game not over | no: it bootstraps | yes |
#
# You get the counter of lives, whole numbers that may go down or up, before step 0 and after each step. Careful: our environments begin a new game within the step that ends one, be it by the last life or by the clock. The counter after such a step is that of the *new* game, and tells nothing of the old one; so in a step that the clock ends no lost life is counted. (It may even be lower: in Asteroids lives can be won, so a game that the clock ends may have more than a new one begins with.)


# %% tags=["nbval-check-output"]
@exercise("7.6")
def ends(
    lives: np.ndarray, over: np.ndarray, timed_out: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(T + 1, N), (T, N), (T, N) → two of (T, N): where what is learned from is terminated, and
    where a score is reported."""
    ### BEGIN SOLUTION
    lost = (lives[1:] < lives[:-1]) & ~timed_out  # after the clock's end it is another game
    return lost | over, over | timed_out
    ### END SOLUTION


# %% [markdown]
# Three games of Breakout at a time, 400 random steps. What your function makes of it, and what `Game("breakout", life_ends=True)` does when the same buttons are pressed:

# %%
print(f"Counting with {whose(ends)}.")
envs = Game("breakout").make_envs(3)
with_lives = Game("breakout", life_ends=True).make_envs(3)
_, info = envs.reset(seed=0)
with_lives.reset(seed=0)
rng = np.random.default_rng(0)
lives, over, timed_out, learned, reported = [info["lives"]], [], [], [], []
for _ in range(400):
    buttons = rng.integers(4, size=3)
    *_, terminated, truncated, info = envs.step(buttons)
    lives.append(info["lives"])
    over.append(terminated)
    timed_out.append(truncated)
    *_, terminated, _, info = with_lives.step(buttons)
    learned.append(terminated)
    reported.append(info["game_over"])
ours = ends(np.stack(lives), np.stack(over), np.stack(timed_out))
print(f"{ours[0].sum()} ends to learn from, {ours[1].sum()} scores to report")
assert np.array_equal(ours[0], np.stack(learned))
assert np.array_equal(ours[1], np.stack(reported))
assert ours[0].sum() >= 4 * ours[1].sum() > 0

# %% [markdown]
# Two things about ale-py, should you use it without `Game`. Its option `episodic_life` begins a *new game* after each life: nobody would ever see how a game goes on. And its option `life_loss_info`, which does not, leaves the last observation of a lost life empty: whoever looks at it sees what never was on the screen. `AtariEnvs` in `atari` works around both.

# %% [markdown]
# ## Frames or steps?
#
# One more source of confusion, and only a factor of four. Papers count *frames* of the game, programs count *steps* of the agent, and some count the one and print the other. What is a budget worth? The last column takes a thousand steps a second for one core; what a step costs is measured below.

# %%
SKIP = Game("pong").frame_skip
print("frames        steps         time on a console   at 1,000 steps a second")
for frames in 4e6, 10e6, 200e6, 320e6:
    steps, played = frames / SKIP, frames / 60 / 3600
    print(
        f"{frames / 1e6:4.0f} million  {steps / 1e6:5.1f} million  {played:8,.0f} h"
        f"            {steps / 1000 / 3600:6.1f} h"
    )
assert 320e6 / SKIP == 80e6

# %% [markdown]
# ### Exercise 7.7  Frames and updates
#
# A score is reported after 200 million frames, and you want to train just as long. Your trainer counts neither frames nor steps but updates: each takes `t_max` steps of all `num_envs` environments. How many updates does it take to reach the budget? The frames of all environments count. The last update is made whole, even if it goes beyond; budgets need not be multiples of anything.


# %% tags=["nbval-check-output"]
@exercise("7.7")
def updates_for(frames: int, t_max: int, num_envs: int, frame_skip: int) -> int:
    """How many updates it takes to reach `frames` frames, of all environments together; the last
    one may go beyond it."""
    ### BEGIN SOLUTION
    return math.ceil(frames / (frame_skip * t_max * num_envs))
    ### END SOLUTION


# %%
print(f"Counting with {whose(updates_for)}.")
for num_envs in 1, 16, 256:
    print(f"{num_envs:3} environments: {updates_for(200_000_000, 5, num_envs, SKIP):10,} updates")
assert updates_for(200_000_000, 5, 16, SKIP) == 625_000

# %% [markdown]
# With more environments the same budget pays for fewer updates, each from more steps.
#
# A3C's day on 16 cores is said to have been 320 million frames. (The paper prints the day alone; programs that repeat the experiment give the number.) That would be two months of playing without sleep, and 926 steps a second for all 16 cores together.

# %% [markdown]
# ## The network
#
# Two layers of convolutions make small pictures of what they see, more and more of them; one layer makes features of these, and the two heads are those of chapter 01:

# %% tags=["hide-input"]
diagrams.convolutions(asked=2)

# %% [markdown]
# The paper's network is that of the first DQN paper, with two heads. A window of width $k$ that moves $d$ dots at a time fits $\lfloor (W - k)/d \rfloor + 1$ times into $W$ dots; $d$ is called the *stride*.
#
# | layer | what it does | places |
# |---|---|---|
# | first convolution | 16 filters, windows of 8 × 8, stride 4 | $(84 - 8)/4 + 1 = 20$ in each direction |
# | second convolution | 32 filters, windows of 4 × 4, stride 2 | work it out |
# | 256 units | each sees every number of the layer before | |
# | two heads | linear: a logit for each action, and one value | |
#
# Behind both convolutions and behind the units stands a ReLU; behind the heads, nothing.
#
# ### Exercise 7.8  The paper's network
#
# Write it. How many numbers reach the 256 units? Call the heads `policy_head` and `value_head`, since a function further down looks for them. Your `features_of` of exercise 7.2 carries pictures of bytes through a torso, in any batch; the torso may end with more than a convolution.


# %% tags=["nbval-check-output"]
@exercise("7.8")
class PaperNetwork(nn.Module):
    """π(a | o) and V(o) of stacks of pictures 84 × 84, with two heads, `policy_head` and
    `value_head`."""

    def __init__(self, stack: int, actions: int) -> None:
        ### BEGIN SOLUTION
        super().__init__()
        self.torso = nn.Sequential(
            nn.Conv2d(stack, 16, kernel_size=8, stride=4),
            nn.ReLU(),
            nn.Conv2d(16, 32, kernel_size=4, stride=2),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(2592, 256),
            nn.ReLU(),
        )
        self.policy_head = nn.Linear(256, actions)
        self.value_head = nn.Linear(256, 1)
        ### END SOLUTION

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Bytes (*B, stack, 84, 84) → logits (*B, actions), values (*B)."""
        ### BEGIN SOLUTION
        features = features_of(self.torso, pictures)
        return self.policy_head(features), self.value_head(features).squeeze(-1)
        ### END SOLUTION


# %% [markdown]
# The package has the same as `paper_network`. With the same weights the two must give the same:

# %%
print(f"Looking with {whose(PaperNetwork, features_of)}.")
pong = Game("pong")
model = paper_network(pong)
yours = PaperNetwork(pong.stack, len(pong.actions))
weights = sorted(model.parameters(), key=lambda theta: tuple(theta.shape))
with torch.no_grad():
    for mine, theirs in zip(
        sorted(yours.parameters(), key=lambda theta: tuple(theta.shape)), weights, strict=True
    ):
        mine.copy_(theirs)
    screens = torch.randint(0, 256, (5, 4, 84, 84), dtype=torch.uint8)
    for one, other in zip(yours(screens), model(screens), strict=True):
        assert torch.allclose(one, other, atol=1e-4)
for theta in reversed(weights):
    print(f"{tuple(theta.shape)!s:18} {theta.numel():9,} weights")
total = sum(theta.numel() for theta in weights)
print(f"{'all together':18} {total:9,} weights")
assert total == 677_943

# %% [markdown]
# Nearly all weights are in the layer of 256 units: $32 \cdot 9 \cdot 9 = 2592$ numbers reach it. The convolutions have few weights and do most of the work, since each weight is used at every place: about $20 \cdot 20 \cdot 4096 \approx 1.6$ million multiplications in the first (4096 are its weights without biases), $9 \cdot 9 \cdot 8192 \approx 0.7$ million in the second, and $2592 \cdot 256 \approx 0.7$ million in the 256 units.
#
# ## What a step costs
#
# Times are of the machine that ran this page, with *one* thread of torch.


# %%
def speed_of(work, steps: int) -> float:
    work()  # the first time is slower
    began = time.perf_counter()
    work()
    return steps / (time.perf_counter() - began)


N, T = 8, 20
envs = make_envs(pong, N)
envs.reset(seed=0)
pictures = torch.zeros(T, N, 4, 84, 84, dtype=torch.uint8)


def play() -> None:
    for _ in range(T):
        envs.step(np.zeros(N, dtype=np.int64))


@torch.no_grad()
def ask() -> None:
    for step in range(T):
        model(pictures[step])


def learn() -> None:
    logits, values = model(pictures)
    loss = logits.square().mean() + values.square().mean()
    torch.autograd.grad(loss, list(model.parameters()))


speeds = {
    "ale-py: play and prepare": speed_of(play, T * N),
    "ask the network": speed_of(ask, T * N),
    "learn: forward and backward": speed_of(learn, T * N),
}
for name, speed in speeds.items():
    print(f"{name:28} {speed:7,.0f} steps a second")
together = 1 / sum(1 / speed for speed in speeds.values())
print(f"{'one after another':28} {together:7,.0f} steps a second")
print(f"a million steps take {1e6 / together / 3600:.1f} h on one core")

# %% [markdown]
# Asking takes the least; playing and learning share the rest. If learning cost nothing, playing would still have to be paid for.
#
# **One torch thread in each process**, where processes and environments share the cores. Torch would take a thread for every core, and on two cores that also run environments these wait for each other. `a3c` and `parallel_a2c` see to it by themselves; in a notebook it is `torch.set_num_threads(1)`, in the first cell. For the same reason `Game.num_threads` is 1: ale-py, too, would take all cores.
#
# And here is what an agent does that has learned nothing. (A step is four frames, so 15 steps a second is the game's own speed.)

# %%
watched = watch(model, pong, seed=0, max_steps=75)
film = animate(
    beside(watched),
    fps=15,
    alt="An untrained agent plays Pong: its paddle trembles, its value hardly moves, and its six "
    "actions are about equally likely.",
)
print(f"the probabilities at first: {watched.probabilities[0].round(2)}")
film
assert abs(watched.probabilities[0] - 1 / 6).max() < 0.05

# %% [markdown]
# The value is a small number that means nothing. To change that takes hundreds of thousands of steps, not the minute of this page.

# %% [markdown]
# ## What the weights see first
#
# Here is Pong as the first layer sees it. The **mean picture** is that of two thousand steps of random play.


# %%
def random_play(game: Game, steps: int = 250, num_envs: int = 8) -> np.ndarray:
    """The newest picture of each step: (steps · num_envs, H, W)."""
    envs, rng = game.make_envs(num_envs), np.random.default_rng(0)
    envs.reset(seed=0)
    actions = rng.integers(len(game.actions), size=(steps, num_envs))
    return np.concatenate([envs.step(action)[0][:, -1] for action in actions])


played = random_play(pong)
mean = played.mean(axis=0).round()
one = played[1000]
differs = np.abs(one - mean).clip(0, 255).astype(np.uint8)
plots.frames(
    [grey(mean.astype(np.uint8), 2), grey(one, 2), grey(differs, 2)],
    ["the mean picture", "one picture", "how they differ"],
    title="Most of what is bright in Pong is so in every picture",
)
plt.show()
still = (played == played[0]).all(axis=0).mean()
news = np.square(played - mean).mean() / np.square(played.astype(float)).mean()
print(f"{still:.0%} of the dots never changed")
print(f"of the mean square of all bytes, {news:.2%} is difference from the mean picture")
assert still > 0.5
assert news < 0.01

# %% [markdown]
# A dot's byte, divided by 255, is a third in most places and nearly 1 in the two bars, always. The ball and the paddles, on which everything depends, are a few dots. A weight's gradient is an error times the weight's input; where the input is nearly the same in every picture, gradients of different pictures point nearly the same way, and what differs between the pictures drowns in that. (This is an explanation, not a measurement.)
#
# The usual remedy for inputs that hardly differ is to **normalise** them. Subtract the mean picture $m$, and divide by the deviation $s$, the root of the mean square of what is left:
#
# $$\tilde x = \frac{x - m}{s}.$$
#
# $m$ is a picture, rounded to whole bytes. $s$ is one number for all dots: most dots never change, so a deviation of their own would be 0. `pixel_statistics` measures both in random play, before anything is learned, and the encoder keeps them with its weights. (The papers divide by 255, as far as is known.)


# %%
def rms(signal: Tensor) -> float:
    """The root of the mean square: how large a signal is."""
    return signal.square().mean().sqrt().item()


statistics = pixel_statistics(pong, seed=1)
divided = torch.from_numpy(played) / 255
normalised = (torch.from_numpy(played) - statistics.mean) / statistics.deviation
print(f"deviation {statistics.deviation:.1f} of 255")
print(
    f"divided by 255: {rms(divided):.2f}, without the mean picture {rms(divided - divided.mean(0)):.3f}"
)
print(f"normalised: {rms(normalised):.2f}")
assert abs(rms(normalised) - 1) < 0.2

# %% [markdown]
# The other thing to look at before learning is the **first weights**. Torch draws them so small that a signal shrinks in every layer, and we expect the same of the gradient on its way back. `orthogonal_init` draws them otherwise. Take the weights of a layer as a matrix, in a convolution with a row for each filter: its rows have length 1, stand at right angles to each other, and are then multiplied by $\sqrt{2}$, because a ReLU lets half of the mean square through. The heads are scaled otherwise, the policy's by 0.01, so that all actions are about equally likely at first, and the value's by 1. Biases begin at 0.
#
# **Predict before you run:** how large is the signal behind the first layer, the second, and the 256 units, in each case?


# %% tags=["prediction"]
def rms_by_layer(model: ActorCritic, pictures: Tensor) -> list[float]:
    """Behind both convolutions and behind the 256 units."""
    encoder, units, relu = model.torso
    signal, found = (pictures - encoder.mean) / encoder.deviation, []
    with torch.no_grad():
        for layer in encoder.layers:
            signal = layer(signal)
            if isinstance(layer, nn.ReLU):
                found.append(rms(signal))
        return [*found, rms(relu(units(signal)))]


envs = pong.make_envs(4)
envs.reset(seed=0)
for _ in range(40):
    seen, *_ = envs.step(np.zeros(4, dtype=np.int64))
beginnings = {
    "x / 255, torch's weights": paper_network(pong),
    "normalised, torch's weights": paper_network(pong, statistics=statistics),
    "normalised, orthogonal weights": paper_network(pong, statistics=statistics, orthogonal=True),
}
behind = {
    name: rms_by_layer(network, torch.from_numpy(seen)) for name, network in beginnings.items()
}
for name, layers in behind.items():
    print(f"{name:33}", "  ".join(f"{each:.3f}" for each in layers))
plain, _, both = behind.values()
assert both[-1] > 10 * plain[-1]

# %% [markdown]
# Does it matter? Some settings were tried before the runs below were made, one seed each. That is a search and no experiment; all of it stands in the appendix of this page. The three that rose above −20 points had both, normalised pixels and orthogonal weights; most of the others were stopped earlier.

# %% [markdown]
# ## Pong, learned
#
# A game of Pong ends when one side has 21 points. The **score** is the agent's points less the other side's, from −21 to 21; random play gets about −20.4. We call Pong learned where the mean score of the latest 100 games of training is 18: games won by about 21 to 3.
#
# This is the recipe:
#
# | | |
# |---|---|
# | pictures and first weights | normalised; orthogonal |
# | rollouts | $T = 5$ steps of 16 environments, so each update is of 80 steps |
# | optimiser | Adam, η from 0.0003 down to 0 over all steps |
# | loss | $\beta$ = 0.003, value weight 0.25 |
# | rewards | clipped, which in Pong changes nothing |
# | speed | "one look" in bfloat16, see the appendix: no more than rounding |
#
# And these are its runs, four series in Pong and one run of Breakout, made on two processors. They were *not run on this page*: each takes minutes to an hour on two cores.
#
# | series | workers and environments | what differs from the recipe | steps | seeds |
# |---|---|---|---|---|
# | A2C | `parallel_a2c`, 2 processes with 8 each | – | 2 million | 0, 1, 2 |
# | A3C | 2 workers with 16 each, so that an update is of 80 steps too | η = 0.0006 | 2 million | 0, 1, 2 |
# | A2C, sticky | as A2C | in every frame the console repeats the last action with probability 0.25 | 2 million | 0, 1 |
# | A2C, sticky, longer | as A2C | the same, and more steps | 4 million | 0 |
# | Breakout | as A2C | a lost life ends what is learned from | 5 million | 0 |

# %% tags=["hide-input"]
learned = {
    "A2C": records.load("games/pong"),
    "A3C": records.load("games/pong_a3c"),
    "A2C, sticky": records.load("games/pong_sticky"),
    "A2C, sticky, longer": records.load("games/pong_sticky_longer"),
}
for name, record in learned.items():
    print(f"{name}. {record}")
    print(f"{record.settings()}\n")


def in_thousands(curves: list[records.Curve]) -> list[records.Curve]:
    return [(steps / 1000, score) for steps, score in curves]


def drawn_by_steps(names: tuple[str, ...], title: str) -> None:
    plots.learning_curves(
        {name: in_thousands(learned[name].curves("steps", "score")) for name in names},
        lines={"18": 18},
        title=title,
        x_label="thousand steps",
        y_label="score, latest 100 games",
        ax=plots.axes(height=3.6),
    )


drawn_by_steps(("A2C", "A3C"), "Pong is learned: all six runs reach 18 points")
plt.show()

# %% tags=["hide-input"]
plots.learning_curves(
    {name: learned[name].curves("minutes", "score") for name in ("A2C", "A3C")},
    lines={"18": 18},
    title="The same six runs by minutes, on two cores",
    x_label="minutes",
    y_label="score, latest 100 games",
    ax=plots.axes(height=3.6),
)
drawn_by_steps(
    ("A2C", "A2C, sticky", "A2C, sticky, longer"), "Where actions stick, A2C did not reach 18"
)
plt.show()


# %% tags=["hide-input"]
def told(run: records.Record) -> str:
    """When a run reached 18, and where it ended."""
    score, steps, minutes = (run.column(name) for name in ("score", "steps", "minutes"))
    there = np.flatnonzero(score >= 18)
    when = "18 not reached"
    if len(there):
        when = (
            f"18 after {steps[there[0]] / 1e6:.2f} million steps, {minutes[there[0]]:.1f} minutes"
        )
    return f"{when}; at the end {score[-1]:5.1f}, after {minutes[-1]:.1f} minutes"


def best(record: records.Record) -> list[float]:
    """Of each seed."""
    return [record.select(seed=seed).column("score").max() for seed in record.levels("seed")]


for name, record in learned.items():
    for seed in record.levels("seed"):
        print(f"{name}, seed {seed}: {told(record.select(seed=seed))}")
assert min(best(learned["A2C"]) + best(learned["A3C"])) >= 18
assert max(best(learned["A2C, sticky"])) < 0 < best(learned["A2C, sticky, longer"])[0] < 18

# %% [markdown]
# (A curve ends where its shortest run does. By minutes, A2C's seed 0 reached 18 after that, at 21.)
#
# **A2C and A3C both get there, with all three seeds.** A2C takes 21, 8 and 8 minutes, A3C 9 to 11. A2C's seed 0 (the lower edge of the blue band) halts near 10 points for a third of a million steps; later it stays just below 18 for half a million, and passes it in the last line of its record. (It was also the slowest run by the minute.) So far apart are such runs with everything but the seed the same, and three of them do not say how far they can be.
#
# **Who is faster?** A3C takes more steps than two of A2C's three runs, but it makes more of them in a minute, 130,000 to 140,000 instead of 95,000 to 110,000. This is not the A3C of chapter 05, whose workers have one environment each and lost to A2C by the second. Here a worker asks about 16 pictures at a time, twice as many as one of A2C's processes, and waits for nobody. That fits chapter 06: what counts is how large the network's batches are, and then whether anybody waits. What each of the two is worth here was not measured.
#
# **Where actions stick**, A2C did not reach 18. With two million steps, two seeds ended at −7 and −6. With four million, one run ended at 10, as if each game were won by 21 to 11. It was ahead early, −15 after half a million steps where the others had −20 and −19, and its $\eta$ was then larger by a sixth. Whether that made the difference, or chance did, one run does not say.
#
# Longer rollouts with λ-returns were tried later. They began to learn sooner, but not every seed reached 18; see the appendix.
#
# ### Train it yourself
#
# The command line has the recipe's every field as an option. This is the series "A2C", seed 0, in a terminal; it can be interrupted, and `a3c-lib resume runs/pong` goes on with it:
#
# ```sh
# a3c-lib train parallel-a2c atari:pong --run runs/pong --seed 0 \
#     --total-steps 2000000 --num-envs 16 --num-workers 2 --t-max 5 \
#     --optimizer adam --learning-rate 0.0003 --entropy-weight 0.003 --value-weight 0.25 --lambda 1 \
#     --normalise-pixels --orthogonal-init --one-look --bfloat16
# ```
#
# Or train *your* network, here. With `TRAIN = True` the next cell trains it by the same recipe for ten minutes, on two cores. (Without "one look", which knows the package's network only, it makes fewer steps in a minute than the record.) The three recorded runs of A2C stood at 9.8, 19.0 and 19.7 points after ten minutes.

# %%
TRAIN, MINUTES = False, 10


class Yours(PaperNetwork):
    """Your network, for normalised pictures, with the two methods that trainers ask for."""

    def __init__(self, game: Game, statistics) -> None:
        super().__init__(game.stack, len(game.actions))
        self.register_buffer("mean", statistics.mean.clone())
        self.deviation = statistics.deviation

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        # Your network divides by 255: what it sees is (x − m) / s.
        return super().forward((pictures - self.mean) * (255 / self.deviation))

    def logits(self, pictures: Tensor) -> Tensor:
        return self(pictures)[0]

    def values(self, pictures: Tensor) -> Tensor:
        return self(pictures)[1]


yours = orthogonal_init(Yours(pong, statistics), seed=0)
recipe = parallel_a2c.Config(
    total_steps=2_000_000,
    num_envs=16,
    num_workers=2,
    t_max=5,
    optimizer="adam",
    learning_rate=0.0003,
    entropy_weight=0.003,
    value_weight=0.25,
    seed=0,
)
if TRAIN:
    with parallel_a2c.train(yours, pong, recipe, targets=clipped(n_step_returns)) as training:
        began, scores = time.perf_counter(), []
        for update in track(training):
            scores += [episode.episode_return for episode in update.episodes]
            if time.perf_counter() - began > 60 * MINUTES:
                break
    print(f"{update.steps:,} steps; the latest 20 games: {np.mean(scores[-20:]):.1f}")

# %% [markdown]
# Afterwards `watch(yours, pong)` shows your agent at play, as below.
#
# ### Breakout, as far as it gets
#
# The recipe was found in Pong. What is it worth in a game it was not found in? A2C in Breakout, with the same settings and five million steps. A lost life ends what is learned from; a brick is worth 1, 4 or 7 points, but clipped to 1 where it is learned from; the score is of whole games of five lives, not clipped. One run, *recorded*. Who presses buttons at random scores about 1.
#
# The run was made twice, with the same settings and the same seed, on two processors: an AMD EPYC and an Intel Xeon. The package had changed in between. But on the EPYC its older and its newer state gave the same weights to the last bit, for as long as they were compared: 200 updates. Two processors may well round differently in the last digits. **Predict before you run:** how far do five million steps carry it? And how far apart do the two runs end?

# %% tags=["prediction"]
on_processors = {
    "AMD EPYC": records.load("games/breakout"),
    "Intel Xeon": records.load("games/breakout_elsewhere"),
}
for name, record in on_processors.items():
    steps, score, minutes = (record.column(column) for column in ("steps", "score", "minutes"))
    reached = np.interp(1e6 * np.arange(1, 6), steps, score).round(1)
    print(f"{name}, after 1 to 5 million steps: {reached}; {minutes[-1]:.0f} minutes")
    print(f"{record.settings()}\n")

# %% tags=["hide-input", "prediction"]
for name, record in on_processors.items():
    print(f"{name}. {record}")
plots.learning_curves(
    {name: in_thousands(record.curves("steps", "score")) for name, record in on_processors.items()},
    title="Breakout: 129 and 286 points, with one seed on two processors",
    x_label="thousand steps",
    y_label="score, latest 100 games",
)
plt.show()
ends = {name: record.column("score")[-1] for name, record in on_processors.items()}
assert ends["Intel Xeon"] > 2 * ends["AMD EPYC"] > 200

# %% [markdown]
# Both climb most of the way, and both are far from random play. So the recipe is not Pong's alone. But one ends at 129 points and the other at 286, although nothing differs that anybody chose for the learning. Rounding is the likely cause, and was not tested: a difference in the last digit of a weight can become another action, another game, another gradient, and from there on these are two runs, as of two seeds. One run, then, says little of a recipe, and a comparison of single runs says little too, even where both have "the same seed". That is why most figures of this book have ten seeds. (Both runs had other work beside them, the one on the Xeon more of it, so their minutes say little of the processors. The paper's scores in Breakout are of other starts and of much longer training; they cannot be compared.)

# %% [markdown]
# ### The agent itself
#
# The network of A2C's seed 1, which ended highest, is kept with the record, in a file that is called a *checkpoint*; `checkpoints.load` reads it. Here it plays, *live*. In training, the console always did at once what the agent wanted. **Predict before you run:** what will it score where actions stick?

# %% tags=["prediction"]
kept = checkpoints.load(records.path("games/pong/checkpoint.pt"))["training"]
agent = paper_network(pong)
agent.load_state_dict(kept["model"])
print(f"after {kept['steps']:,} steps of training:")
sticky_pong = Game("pong", sticky=0.25)
played_live = {
    game.sticky: evaluate(agent, game, episodes=3, seed=1, num_envs=3)
    for game in (pong, sticky_pong)
}
for sticky, result in played_live.items():
    print(f"sticky {sticky:<4}  {result.returns.astype(int).tolist()}: {result}")
assert played_live[0].mean > 15
assert played_live[0.25].mean < played_live[0].mean

# %% [markdown]
# Where actions stick it wins by less. (Three games of each are few, and ± is wide.) It learned a game in which every action is carried out, and nothing taught it to be ready for another. An agent's score belongs to the game as it was set up.
#
# Now watch it play, with its value and its actions' probabilities beside the screen. Our agent has the green paddle on the right. **Predict before you run:** what will $V$ do when the ball has left its paddle towards a place that the other one will not reach? When it has missed a ball itself? And in the moment in which the point is made?

# %% tags=["prediction"]
watched = watch(agent, pong, seed=4, max_steps=120)
film = animate(
    beside(watched),
    fps=15,
    alt="The trained agent plays Pong, beside its value and the probabilities of its six actions.",
)
points = np.flatnonzero(watched.rewards[:-1])
for t in points:
    two_seconds, second, before, after = watched.values[[max(t - 30, 0), max(t - 15, 0), t, t + 1]]
    print(
        f"step {t}, reward {watched.rewards[t]:+.0f}: V is {two_seconds:.2f} two seconds before, "
        f"{second:.2f} a second before, {before:.2f} right before and {after:.2f} after it"
    )
film

# %%
assert len(points) > 0
for t in points:
    assert (watched.values[t] > watched.values[t + 1]) == (watched.rewards[t] > 0)

# %% [markdown]
# $V$ knows of a point before it is made: it climbs for more than a second before the one that is won, and falls when our own paddle has missed. With the point it changes at once, down where it was won and up where it was lost: the reward, +1 or −1, has been paid, and what is left are the discounted points to come, of which there may be more than one.
#
# The network of Breakout's first run, which ended at 129 points, is kept as well. It plays *live*, up to 1,250 steps of a game. A film of all of them would be long. So these are the seven seconds in which it scores most, every second step of them. **Predict before you run:** what does $V$ do before a brick breaks, and right after? And when the ball is missed?

# %% tags=["prediction"]
breakout = Game("breakout")
bricklayer = paper_network(breakout)
kept_in_breakout = checkpoints.load(records.path("games/breakout/checkpoint.pt"))["training"]
bricklayer.load_state_dict(kept_in_breakout["model"])
at_breakout = watch(bricklayer, breakout, seed=0, max_steps=1250)
IN_VIEW = 100  # steps: seven seconds
in_view = np.convolve(at_breakout.rewards, np.ones(IN_VIEW), "valid")
busiest = slice(int(in_view.argmax()), int(in_view.argmax()) + IN_VIEW)
film = animate(
    beside(at_breakout)[busiest][::2],
    fps=7.5,
    alt="The trained agent plays Breakout, beside its value and the probabilities of its actions.",
)
print(f"{at_breakout.rewards.sum():.0f} points in {len(at_breakout.rewards):,} steps")
print(f"{in_view.max():.0f} of them from step {busiest.start:,} on, in the film, by step:")
for t in np.flatnonzero(at_breakout.rewards[busiest]) + busiest.start:
    around = at_breakout.values[[max(t - 15, 0), t, min(t + 2, len(at_breakout.values) - 1)]]
    print(
        f"step {t}, {at_breakout.rewards[t]:.0f} points: V is {around[0]:.1f} a second before, "
        f"{around[1]:.1f} right before and {around[2]:.1f} after it"
    )
film

# %%
assert at_breakout.rewards.sum() > 30

# %% [markdown]
# $V$ mostly climbs while the ball flies towards a brick, and falls when the brick has broken: the reward has been paid, and the next one is a way down and up again. The deep notch in the curve of $V$ shortly before the film begins is a ball that was missed. There $V$ falls to less than half within three steps, and is back with the next ball: in what it learned from, a lost life was the end, so $V$ does not look beyond it.
#
# ### What the first layer sees
#
# Sixteen filters, each with a window of 8 × 8 dots in each of four pictures, from the oldest (left) to the newest, applied to the difference from the mean picture. Grey is 0, white adds, black subtracts; each filter is scaled on its own, so strength cannot be compared. A filter whose four windows are alike would look for a shape; one whose windows differ, for something that *moves*.


# %%
def drawn(filters: Tensor) -> list[np.ndarray]:
    """Each filter (4, 8, 8) as a strip of its four windows."""
    strips = []
    for windows in filters:
        scaled = (windows / windows.abs().max() * 127 + 128).byte().numpy()
        strips.append(grey(np.pad(np.hstack(np.pad(scaled, ((0, 0), (1, 1), (1, 1)))), 1), 6))
    return strips


filters = agent.torso[0].layers[0].weight.detach()
plots.frames(
    drawn(filters),
    columns=4,
    title=f"After {kept['steps']:,} steps the first layer looks like noise",
)
plt.show()

# %% [markdown]
# They look like noise, and that is what they were at first. How far has each layer moved from its first weights, as a part of their length?

# %%
beginning = dict(paper_network(pong, seed=1, orthogonal=True).named_parameters())
gone = {
    name: ((theta - beginning[name]).norm() / beginning[name].norm()).item()
    for name, theta in agent.named_parameters()
    if theta.dim() > 1
}
for name, part in gone.items():
    print(f"{name:24} {part:5.2f}")
moved = (filters - beginning["torso.0.layers.0.weight"].detach()).square().sum((0, 2, 3))
shares = moved / moved.sum()
print("of the first layer's way, in each of the four windows:", shares.numpy().round(2))
assert gone["torso.0.layers.0.weight"] < 0.5 < gone["torso.1.weight"]
assert shares[3] > 0.3

# %% [markdown]
# The convolutions have moved by about a third of their length, the value's head by half, the 256 units by most of theirs, and the policy's head, which began at nearly nothing, by many times it. So this agent plays with first filters that are still mostly random, and most of what changed is behind them. Whether the filters' small change matters, these numbers do not say. What did change in them is more in the windows of the newest picture than in the others; in some of these a light spot can be seen.

# %% [markdown]
# ## What it cost
#
# - **Memory.** An observation has $4 \cdot 84 \cdot 84 = 28{,}224$ bytes instead of CartPole's 16. Bytes stay bytes until the network sees them, and then become four times as many.
# - **Time.** With one thread A2C took 450 to 1,200 steps a second on this page, more where nothing else ran, and 1.4 to 1.6 times as many with one look in bfloat16; each of A3C's two workers took 1,100 to 1,200 in the recorded runs. For comparison, `make bench` measured 12,000 to 146,000 for CartPole with 8 to 64 environments (`bench/results/`). Learning Pong took 8 to 21 minutes on two cores, and the runs of the two searches before it add up to 140 minutes. Those of the search after it add up to ten hours, on a slower processor. Most ran two at a time.
# - **Knowledge.** The agent is told nothing of the game. But the preparation knows a lot: that colours do not matter, that four pictures suffice, that games flicker, that fire must be pressed. And life loss and clipping change what is learned.
# - **Comparability.** A handful of choices, each of which may change a score. Write them down with it. `Game(...)` printed says those of the screen; add clipping and how pictures were scaled.

# %% [markdown]
# ## Where the paper says it
#
# | here | in the paper | what differs |
# |---|---|---|
# | 84 × 84, grey, four pictures, four frames a step | by reference to the DQN papers | that of 2013 shrinks to 110 × 84 and cuts out 84 × 84 |
# | brighter of two frames | DQN, 2015 | there the larger of each colour, then luminance; here luminance first, as in ale-py |
# | a lost life ends nothing (in Pong there are none) | in DQN's paper of 2015 it ends what is learned from; of A3C it is not known | Breakout above was learned with `life_ends` |
# | rewards limited to −1 … 1 | the DQN papers; of A3C it is reported by others, who asked its authors | – |
# | 16 filters 8 × 8, 32 filters 4 × 4, 256 units, two heads | the network of most of its experiments, and of the first DQN paper; its 57-game table has a larger one | ours is the smaller one |
# | an LSTM behind the units | 256 cells, "A3C LSTM" | none known; here `paper_lstm`, not used on this page |
# | frames and steps | budgets in days; others report 320 million frames a day | we count steps |
# | pictures less their mean, over their deviation | not there, as far as is known: divided by 255 | ours; other programs do it with a running mean |
# | orthogonal first weights | not told | OpenAI's A2C has them |
# | Adam, $\eta$ = 0.0003 and 0.0006, $\beta$ = 0.003 | RMSProp, a learning rate drawn for each run, $\beta$ = 0.01 | found by the searches in the appendix |
# | sticky actions | came two years later, in 2018 | `sticky=0` is the paper's game |
# | a score | mean over games from starts that humans had reached, which are not public | ours begin with fewer than 30 frames without action |

# %% [markdown]
# ## What to try next
#
# 1. Let pointing leave a trace: draw the column that was pointed at into the picture that the agent sees, as an eighth row. Now an agent with *one* picture can pass the bound. How? Try $\gamma = 0$ first: what does a column that was pointed at in vain tell of the ball's way?
# 2. Three pictures in Bounce instead of two. Does it learn faster, slower, or the same?
# 3. `stack=1` in Pong. What can the agent not know? What might it do all the same?
# 4. Which of the four games in `NAMES` lose something if only the last frame is taken? Count bright dots, as above.
# 5. Make Breakout's pictures 42 × 42 and look at the ball. Is it still there?

# %%
pictures_seen, seed = 3, 0


def several_pictures() -> gym.Env:
    return Stacked(Bounce(), pictures_seen)


model = ActorCritic.for_env(several_pictures(), **UNITS, make_encoder=Encoder, seed=seed)
with a2c.train(model, several_pictures, CONFIG) as training:
    updates = list(track(training))
print(evaluate(model, several_pictures, episodes=100, seed=1000))

# %% [markdown]
# ## Appendix: how the recipe for Pong was found, and made fast
#
# This part may be skipped; nothing else on this page needs it. It tells all that was tried for Pong before the runs above, what was tried after them, and three ways to save time that change nothing but rounding.
#
# ### What was tried for A2C
#
# Each line is one run with one seed, named by a letter. L is A3C with two workers, all others are A2C; no setting is called I or K. What the lines have in common is told by colour and dashes. They differ in the optimiser, the learning rate, $\beta$, the value's weight and $T$, which stand below the figure. E differs in its targets, too: λ-returns of chapter 02 with λ = 0.95. In L $\eta$ came down to 0; in the others it stayed. Runs that seemed to lead nowhere were stopped. G and H were stopped when they had shown enough. L was the last: it was tried after the first run of the recipe and stopped because that had done better with less.

# %% tags=["hide-input"]
search = records.load("games/pong_search")
print(search.settings())
GROUPS = {
    "orthogonal weights alone": ({"standardised": 0}, plots.GREY, ":"),
    "normalised pixels alone": ({"standardised": 1, "orthogonal": 0}, plots.ORANGE, "--"),
    "both": ({"standardised": 1, "orthogonal": 1}, plots.BLUE, "-"),
}
ax = plots.axes()
for name, (group, colour, form) in GROUPS.items():
    for setting in (chosen := search.select(**group)).levels("setting"):
        run = chosen.select(setting=setting)
        steps, score = run.column("steps") / 1e6, run.column("score")
        first_of_group = setting == chosen.levels("setting")[0]
        ax.plot(steps, score, form, color=colour, label=name if first_of_group else None)
        if steps[-1] > 0.3:  # the others end in a heap
            beside = (0, -14) if score[-1] < -19 else (7, -4)  # below, where others go on
            ax.annotate(
                setting, (steps[-1], score[-1]), beside, textcoords="offset points", ha="center"
            )
ax.set(xlabel="million steps", ylabel="score, latest 100 games", ylim=(-24, None))
ax.set_title("What was tried: the three that left −20 had both")
ax.legend(frameon=False)
plt.show()

# %%
for setting, about in search.about["settings"].items():
    run = search.select(setting=setting)
    print(
        f"{setting}  {about['trainer'][:3]}  {about['optimizer']:7} η {about['learning_rate']:.4f}  β {about['entropy_weight']:<5}  "
        f"value weight {about['value_weight']:<4}  T {about['t_max']:2}  "
        f"{run.column('score')[-1]:6.1f} after {run.column('steps')[-1] / 1e6:.2f} million steps"
    )


def score_at(setting: str, steps: int) -> float:
    run = search.select(setting=setting)
    return float(np.interp(steps, run.column("steps"), run.column("score")))


assert max(score_at("A", 480_000), score_at("B", 480_000)) < -20
assert min(score_at("G", 480_000), score_at("H", 480_000)) > -16
assert score_at("J", 340_000) < -20 < score_at("H", 340_000) - 1

# %% [markdown]
# What can be read from this, and what not:
#
# - The three that left −20 had both, normalised pixels and orthogonal weights.
# - Four of the grey ones (C, D, E and F, which lie under A and B in the figure) stop before the blue ones begin to rise, and say little. A and B ran about as long as G; they differ from G and H in more than the pictures, but neither rose.
# - J differs from H in the first weights alone. But L, which had both, was at −20 as well after as many steps.
# - It does not follow that A and B would not have learned later, as others' agents with the papers' inputs do.
#
# So the search suggests where time can be saved. The recipe is setting H, but in two processes, with $\eta$ brought down to 0, and with the mean picture of 2,000 steps of random play instead of 16,000.
#
# ### How A3C's learning rate was found
#
# With A2C's $\eta$, A3C was slower: 8 points after two million steps with seed 0. So there was a search, here with seed 1. A label has workers × environments of each. "$\eta$ 0.0003, 2 × 16" are two processes; in the others workers took turns in one, so that two settings could be tried at a time.

# %% tags=["hide-input"]
everything = records.load("games/pong_a3c_search")
print(everything.settings())
first = everything.select(seed=0)
print(f"{first.levels('setting')[0]}, seed 0: {told(first)}")
tried = everything.select(seed=1)
MILLIONS = (0.2, 0.4, 0.6, 0.8, 0.9, 1.0)
print(f"{'score, by million steps':35}", *(f"{million:7}" for million in MILLIONS))
for setting in sorted(tried.levels("setting"), key=lambda name: not name.startswith("A2C")):
    ((steps, score),) = tried.select(setting=setting).curves("steps", "score")
    reached = [np.interp(1e6 * million, steps, score, right=np.nan) for million in MILLIONS]
    print(f"{setting:35}", *(f"{'':7}" if np.isnan(each) else f"{each:7.1f}" for each in reached))

# %% [markdown]
# Half the rate was slower. Twice the rate was level at first, and ahead after 0.7 million steps. Half the environments, with twice as many updates, rose first and then fell back. A2C in one process is there to compare with: ahead of A2C's three recorded runs from 0.4 to 0.6 million steps, behind all of them around 0.8 million, and level with the slowest after a million.
#
# So the search found a rate that works. It did not show that it is the better one: the run with $\eta = 0.0003$ in two processes differs from the others in how its workers ran, too. And of the runs recorded above, seed 1, with the larger rate in two processes, was behind the run "$\eta$ 0.0003, 2 × 16" from 0.3 million steps to that run's end, at 1.08 million; seed 0 was far ahead of the run with $\eta$ = 0.0003 and seed 0. Whether A3C needs a larger rate than A2C is open.
#
# ### Longer rollouts
#
# The recipe's targets have at most five rewards, and the critic's value stands for all that follows. Would longer rollouts learn in fewer steps, with the λ-returns of chapter 02? A second search of A2C asked this after the runs above, on another processor. The network is the same, looked at once, in float32. $\eta$ stays the same in a run, except where a label says "to 0". A label has environments × steps of a rollout. Most runs were stopped at 0.6 million steps or earlier, or when the latest 100 games had a mean of 18.

# %% tags=["hide-input"]
longer = records.load("games/pong_rollout_search")
print(longer.settings())
LENGTHS = {
    "T = 5, λ = 1": ({"t_max": 5}, plots.GREY, ":"),
    "T = 20, λ = 0.95": ({"t_max": 20, "lambda_": 0.95}, plots.BLUE, "-"),
}


def curves_of(**group: object) -> list[records.Curve]:
    """Score by steps of every run that differs from the others in nothing further."""
    chosen = longer.select(further="nothing", **group)
    return [
        curve
        for setting in chosen.levels("setting")
        for curve in chosen.select(setting=setting).curves("steps", "score")
    ]


ax = plots.axes()
for name, (group, colour, form) in LENGTHS.items():
    for number, (steps, score) in enumerate(in_thousands(curves_of(**group))):
        ax.plot(steps, score, form, color=colour, label=name if number == 0 else None)
ax.axhline(18, color=plots.GREY, linewidth=1)
ax.set(xlabel="thousand steps", ylabel="score, latest 100 games")
ax.set_title("Longer rollouts leave −20 sooner; not all reach 18")
ax.legend(frameon=False)
plt.show()

# %%
print(f"{'environments × steps of a rollout':47} seed  score  million steps")
for run in longer.about["runs"]:
    curve = longer.select(setting=run["setting"], seed=run["seed"])
    steps, score = curve.column("steps")[-1], curve.column("score")[-1]
    print(f"{run['setting']:47} {run['seed']:4} {score:6.1f} {steps / 1e6:6.2f}  {run['ended']}")


def scores_at(steps: int, **group: object) -> list[float]:
    """Of every run of a group."""
    return [float(np.interp(steps, *curve)) for curve in curves_of(**group)]


assert min(scores_at(340_000, t_max=20, lambda_=0.95)) > max(scores_at(340_000, t_max=5))
assert sum(score >= 18 for score in scores_at(560_000, t_max=20, lambda_=0.95)) == 3

# %% [markdown]
# All ten runs with $T = 20$ and λ = 0.95 were ahead of both with $T = 5$ after 340,000 steps. Three of them reached 18, after 540,000 to 560,000 steps; the first of the recipe's runs above needed 860,000. The other seven ended between 3 and 18, two of them after 800,000 steps, in two processes as in the series A2C, and with its seed 0: at 14 and at 4. Some stayed near one score for 100,000 steps and more, as the series' seed 0 did near 10 points. So longer rollouts begin to learn sooner, but with none of these settings did every seed reach 18. That is why the recipe was not changed.
#
# What makes them begin sooner was not told apart. They differ from the runs with $T = 5$ in λ, and some in $\eta$ and in the number of environments. In a single pair, with seed 7 and $T = 20$, λ = 1 was at 6 points after 520,000 steps, and λ = 0.95 at 18 after 540,000.
#
# None of the other tries was clearly better as far as it went, with one or two seeds each: rollouts of 10 and of 40 steps, λ = 0.98, a smaller $\beta$, targets that end at a point, advantages divided by their deviation in the rollout, smaller pictures, and A3C with its two workers in turn. Where actions stick, the two runs with $T = 20$ stood at −9 after about half a million steps, where the three runs of the recipe had −20 to −15.
#
# ### Every picture once
#
# An actor-critic passes each picture through its network twice: once to act, once to learn. In between no weight has changed, neither in A2C nor in a worker of A3C. `OneLook(model)` keeps what each layer of the torso made of a picture while acting, and begins from there to learn. (To go back through a layer, the gradient needs what went in, what came out, and the weights. All three are still there.) It stands where the model stands in training, and learns the same. (To evaluate, take the model itself.)


# %%
def gradient(model: nn.Module, seed: int = 0) -> Tensor:
    """Of the loss of one rollout of Pong, as one vector."""
    envs = pong.make_envs(4)
    policy = sampled(model, torch.Generator().manual_seed(seed))
    began = start(envs, seed, initial_state(model, 4))
    rollout, _ = collect(envs, policy, began, t_max=5)
    played = Played(rollout, began.policy_state)
    lesson = actor_critic.lesson_of(model, played, n_step_returns, a2c_loss, 0.99)
    return torch.cat([d_theta.flatten() for d_theta in lesson.gradients])


network = beginnings["normalised, orthogonal weights"]
twice, once = gradient(network), gradient(OneLook(network))
rounded = gradient(OneLook(network, bfloat16=True))
print(f"one look: {(once - twice).norm() / twice.norm():.1e} of the gradient's length apart")
print(f"in bfloat16: cosine {torch.cosine_similarity(rounded, twice, dim=0):.4f}")
assert (once - twice).norm() < 1e-4 * twice.norm()
assert torch.cosine_similarity(rounded, twice, dim=0) > 0.99

# %% [markdown]
# Two more things in `one_look` save time. *Patches:* the first layer's windows are 8 × 8 dots and move by 4. Cut the picture into patches of 4 × 4 dots, call each patch's 16 dots channels, and a window is 2 × 2 patches, moving by one. It is the same sum in another order, of 64 channels instead of 4, and processors have faster ways for many channels. *bfloat16:* numbers with 8 bits of precision instead of 24. Some processors multiply them several times as fast, others not at all faster. Two short tries each, in turn, the faster one counts; if the order is not what you expect, something else was running.


# %%
def training_speed(training, seconds: float = 0.7) -> float:
    next(training)
    began, steps = time.perf_counter(), training.steps
    while time.perf_counter() - began < seconds:
        next(training)
    return (training.steps - steps) / (time.perf_counter() - began)


LOOKS = {
    "two looks": lambda network: network,
    "one look": OneLook,
    "one look, bfloat16": lambda network: OneLook(network, bfloat16=True),
}
config = a2c.Config(total_steps=10**9, num_envs=16, t_max=5)
trainings = {
    name: a2c.train(made_of(paper_network(pong)), pong, config, targets=clipped(n_step_returns))
    for name, made_of in LOOKS.items()
}
tries = [{name: training_speed(each) for name, each in trainings.items()} for _ in range(2)]
for name in LOOKS:
    trainings[name].close()
    print(f"{name:20} {max(each[name] for each in tries):7,.0f} steps a second, with one thread")
print(f"{'playing alone':20} {speeds['ale-py: play and prepare']:7,.0f}")

# %% [markdown]
# The last line is the console's own share, and nothing here makes it faster. `make bench` measures all of this with care, beside another library.

# %% [markdown]
# ## Summary
#
# - One picture does not show which way things fly. What cannot be seen cannot be learned: in Bounce 11⅔ of 20 points are a bound for whoever sees one picture and remembers none, and ten of ten seeds stop at it.
# - The latest few pictures, a stack, make an observation that suffices. Where an episode begins, the older ones are black.
# - An Atari picture: an action held for four frames, luminance, the brighter of the last two, 84 × 84, four of them. Yours are ale-py's, but for a rare difference of 1 in 255. The network of the paper is yours, too.
# - Rewards are clipped where the critic's targets are made, and nowhere else; what is reported is the score.
# - A lost life may end what is learned from, while the game goes on. At a time limit the score is reported, and the return bootstraps.
# - Papers count frames, we count steps. A step is four frames.
# - Most of what is bright in Pong is so in every picture. With normalised pixels and orthogonal first weights, A2C and A3C learned Pong in 8 to 21 minutes on two cores. A search of one seed each suggests that the pictures help; of the weights it says little. Where actions stick, A2C did not reach 18 in two million steps, nor in four. Rollouts of 20 steps with λ-returns began to learn sooner, and three of ten such runs reached 18 within 560,000 steps; the others stayed lower.
# - The recipe found in Pong reached 129 and 286 points in Breakout in five million steps: one seed, on two processors. A single run says little.
# - Each picture needs to be looked at only once, and what is learned is the same.
# - One torch thread in each process, where they share the cores.

# %%
progress()

# %% [markdown]
# The paper has three more asynchronous methods, which learn what actions are worth instead of a policy. The package has them: `a3c-lib train q`, `sarsa` and `n-step-q`, with their options in `a3c-lib train q --help`. [Chapter 08](08_values_of_actions.ipynb) builds them.
