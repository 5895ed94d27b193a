"""Chapter 00: an agent at play, in pictures with a line of text, or with V and π beside them.

film = animate(play(greedy(model), "CartPole-v1"), fps=25)
film = animate(beside(watch(model, Game("pong"))), fps=15)       (a game: chapter 07)
"""

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import Any, NamedTuple, Protocol, runtime_checkable

import gymnasium as gym
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from a3c_lib.distributions import Categorical
from a3c_lib.evaluation import Actions, check_choice
from a3c_lib.figures.animation import WIDTH, Frame, check_frames, narrowed
from a3c_lib.figures.drawing import BLUE, GREY, LIGHT_GREY, RED
from a3c_lib.making import Envs, MakeEnv, MakesEnvs, executed_one, lives_of, make_env
from a3c_lib.models import evaluating
from a3c_lib.rollout import Policy, begin_anew, device_of, initial_state
from a3c_lib.settings import Count, check_setting

NARROWEST = 180  # pixels; under narrower pictures the caption would not fit
PAUSE = 3  # more frames of an episode's end, before the next episode begins
PANEL = 156  # pixels: how wide the part beside the screen is
TRACE = 64  # pixels: how high the curve of V
MARGIN = 8
LINE = 14  # pixels: from one line of text to the next
GROUND, INK = "#ffffff", "#333333"


class Scene(NamedTuple):
    """One step, and what is seen before it."""

    frame: Frame  # (H, W, 3) before the step
    observation: Tensor  # (1, *O) likewise
    action: Any  # counted from 0; of a Box (D,), as it was drawn
    reward: float
    terminated: bool
    truncated: bool
    after: Tensor  # (1, *O) what came of it
    last_frame: Frame | None  # what is seen after it, where an episode ends or nothing follows


def scenes(
    policy: Policy,
    source: MakeEnv,
    *,
    seed: int = 0,
    max_steps: int,
    episodes: int = 1,
    policy_state: Any = None,
) -> Iterator[Scene]:
    """Let a policy act for some episodes, `max_steps` at most in all, step by step.

    `source` is an id, an EnvSpec, a function that makes an environment with
    `render_mode="rgb_array"`, or an Atari game, whose screens are shown in colours (chapter 07).
    Without a `policy_state` the policy begins with its model's `initial_state`, if that has one.
    """
    for name, number in (("max_steps", max_steps), ("episodes", episodes)):
        check_setting(name, number, Count)
    if policy_state is None:  # as later episodes begin, too
        policy_state = initial_state(getattr(policy, "model", None), 1)
    with closing(_visible(source)) as env:
        observation = env.reset(seed=seed)[0]
        for step in range(1, max_steps + 1):
            frame, before = _picture(env), torch.as_tensor(observation)[None]
            action, policy_state = policy(before, policy_state)
            drawn = torch.as_tensor(action).reshape(1, *env.action_space.shape).numpy()
            taken = executed_one(drawn, env.action_space)
            observation, reward, terminated, truncated, _ = env.step(taken)
            ended = terminated or truncated
            # In a game the agent may learn from the end of a life as from an end, and play on.
            over = ended and (not isinstance(env, _Game) or env.over)
            episodes -= over
            last = episodes == 0 or step == max_steps
            yield Scene(
                frame,
                before,
                drawn[0],
                float(reward),
                bool(terminated),
                bool(truncated),
                torch.as_tensor(observation)[None],
                _picture(env) if over or last else None,
            )
            if last:
                return
            if over:
                observation = env.reset()[0]
            if ended:
                policy_state = begin_anew(policy, policy_state, np.array([True]))


def play(
    policy: Policy,
    source: MakeEnv,
    *,
    seed: int = 0,
    max_steps: int = 200,
    episodes: int = 1,
    values: Callable[[Tensor], Tensor] | None = None,
    captions: bool = True,
    policy_state: Any = None,
    width: int = WIDTH,
) -> list[Frame]:
    """Let a policy act for some episodes, `max_steps` at most in all, and take a picture before the
    first step and after each.   → frames (H, W, 3).

    `policy` is what `collect` takes too, such as `greedy(model)` or `sampled(model, generator)`,
    and `source` what `scenes` takes. Under each picture stand the step, its reward and, where
    `values` (observations (1, *O) → (1,)) is given, the value of what is seen; at an episode's end,
    which end it was. An end is seen three frames longer if another episode follows. Pictures wider
    than `width`, in pixels, are made smaller. Meanwhile the policy's model is in evaluation mode.

    >>> from a3c_lib.reinforce import TabularPolicy
    >>> from a3c_lib.rollout import sampled
    >>> policy = sampled(TabularPolicy(4, 2), torch.Generator().manual_seed(0))
    >>> frames = play(policy, "a3c_lib/Corridor-v0", max_steps=5)
    >>> len(frames), frames[0].shape
    (6, (66, 192, 3))
    """
    if hasattr(policy, "logits"):
        raise TypeError(
            "policy is a function (observation, state) → (action, state), such as greedy(model); "
            f"got the model itself, a {type(policy).__name__}"
        )

    def valued(said: str, observation: Tensor) -> str:
        if values is None:
            return said
        with torch.no_grad():
            return f"{said}   V {values(observation).item():.2f}"

    def shown(frame: Frame, said: str) -> Frame:
        image = narrowed(frame, width)
        return np.asarray(_captioned(image, said) if captions else image)

    frames: list[Frame] = []
    step, said = 0, "step 0"
    with evaluating(getattr(policy, "model", None)):
        played = scenes(
            policy,
            source,
            seed=seed,
            max_steps=max_steps,
            episodes=episodes,
            policy_state=policy_state,
        )
        for scene in played:
            if frames and step == 0:  # an episode has ended before
                frames += frames[-1:] * PAUSE
            frames.append(shown(scene.frame, valued(said, scene.observation)))
            step, said = step + 1, f"step {step + 1}   reward {scene.reward:.3g}"
            if scene.terminated or scene.truncated:
                said += "   terminated" if scene.terminated else "   truncated"
            elif scene.last_frame is not None:
                said = valued(said, scene.after)
            if scene.last_frame is not None:
                frames.append(shown(scene.last_frame, said))
                step, said = 0, "step 0"
    return frames


class Watched(NamedTuple):
    """K steps of one agent in one environment."""

    frames: tuple[Frame, ...]  # K screens (H, W, 3), each before its step
    values: NDArray[np.float64]  # (K,)    V of what is seen there
    probabilities: NDArray[np.float64]  # (K, A)  π of it
    actions: NDArray[np.int64]  # (K,)    what was done
    rewards: NDArray[np.float64]  # (K,)    what was paid for it
    names: tuple[str, ...]  # (A,)    of the actions


def watch(
    model: Any,
    source: MakeEnv,
    *,
    seed: int = 0,
    max_steps: int = 300,
    names: Sequence[str] | None = None,
    actions: Actions = "sampled",
) -> Watched:
    """Let a model play one episode, or its first `max_steps` steps, with sampled or greedy actions.

    `source` is what `scenes` takes. `names` are the actions'; if None the game's own, or their
    numbers. Raises FloatingPointError, with the step, for logits that are no numbers.

    >>> from a3c_lib.networks import ActorCritic
    >>> model = ActorCritic.for_env(gym.make("a3c_lib/Corridor-v0"), seed=0)
    >>> watched = watch(model, "a3c_lib/Corridor-v0", max_steps=4)
    >>> watched.probabilities.shape, watched.names
    ((4, 2), ('0', '1'))
    """
    check_choice(actions)
    generator = torch.Generator().manual_seed(seed)
    values, probabilities = list[float](), list[list[float]]()

    @torch.no_grad()
    def policy(observation: Tensor, state: Any) -> tuple[Tensor, Any]:
        value, logits, state = _judged(model, observation, state)
        if not isinstance(logits, Tensor):
            raise ValueError("watch draws a bar for each action, so they are Discrete; see play")
        if said := Categorical(logits).wrong():
            raise FloatingPointError(f"step {len(values)}: what is seen has no policy: {said}")
        pi = logits.softmax(dim=-1)
        values.append(float(value))
        probabilities.append(pi.tolist())
        drawn = torch.multinomial(pi, 1, generator=generator)
        return drawn if actions == "sampled" else pi.argmax(), state

    if isinstance(source, HasActionNames) and names is None:
        names = source.actions
    state = initial_state(model, 1)
    with evaluating(model):
        seen = list(scenes(policy, source, seed=seed, max_steps=max_steps, policy_state=state))
    n = len(probabilities[0])
    names = tuple(map(str, range(n)) if names is None else names)
    if len(names) != n:
        raise ValueError(f"{n} actions need as many names; got {len(names)}")
    return Watched(
        tuple(scene.frame for scene in seen),
        np.array(values),
        np.array(probabilities),
        np.array([scene.action for scene in seen]),
        np.array([scene.reward for scene in seen]),
        names,
    )


def _judged(model: Any, observation: Tensor, state: Any) -> tuple[Tensor, Any, Any]:
    """V (), logits (A,) and the memory after it."""
    observation = observation.to(device_of(model))
    if state is None:
        return model.values(observation)[0].cpu(), model.logits(observation)[0].cpu(), None
    value = model.values(observation, state)[0].cpu()
    logits, state = model.logits(observation, state)
    return value, logits[0].cpu(), state


def beside(watched: Watched) -> list[Frame]:
    """Each screen with the value so far, and the probabilities of the actions, at its right side.
    The action that was taken is red, and a reward is written where it is paid.   → frames (H, W, 3)

    >>> black = np.zeros((100, 80, 3), np.uint8)
    >>> pi = np.array([[0.9, 0.1]])
    >>> seen = Watched((black,), np.zeros(1), pi, np.zeros(1, int), np.zeros(1), ("UP", "DOWN"))
    >>> beside(seen)[0].shape
    (130, 236, 3)
    """
    height = max(watched.frames[0].shape[0], TRACE + (len(watched.names) + 2) * LINE + MARGIN + 2)
    scale = _scale(watched.values)
    return [_page(watched, step, height, scale) for step in range(len(watched.frames))]


def _scale(values: NDArray[np.float64]) -> Callable[[float], float]:
    """How high V stands in the curve, from 0 (the lowest of all) to 1."""
    low, high = float(values.min()), float(values.max())
    width = max(high - low, 1e-6)
    return lambda value: (value - low) / width


def _page(watched: Watched, step: int, height: int, scale: Callable[[float], float]) -> Frame:
    screen = watched.frames[step]
    page = Image.new("RGB", (screen.shape[1] + PANEL, height), GROUND)
    page.paste(Image.fromarray(screen), (0, 0))
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(size=11)
    left, right = screen.shape[1] + MARGIN, screen.shape[1] + PANEL - MARGIN
    said = f"step {step}   V {watched.values[step]:.2f}"
    draw.text((left, 2), said, fill=INK, font=font)
    if watched.rewards[step]:
        draw.text((left, 2 + LINE), f"reward {watched.rewards[step]:g}", fill=RED, font=font)

    bottom = 2 * LINE + TRACE
    draw.line([(left, bottom), (right, bottom)], fill=LIGHT_GREY)
    places = np.linspace(left, right, len(watched.values))
    curve = [
        (x, bottom - 2 - (TRACE - 4) * scale(value))
        for x, value in zip(places, watched.values[: step + 1], strict=False)
    ]
    if len(curve) > 1:
        draw.line(curve, fill=BLUE, width=2)
    x, y = curve[-1]
    draw.ellipse([x - 2, y - 2, x + 2, y + 2], fill=BLUE)

    bars = left + (right - left) // 2
    for action, (name, p) in enumerate(
        zip(watched.names, watched.probabilities[step], strict=True)
    ):
        colour = RED if action == watched.actions[step] else GREY
        top = bottom + 2 + action * LINE
        draw.text((left, top), name, fill=colour, font=font)
        draw.rectangle([bars, top + 2, bars + p * (right - bars), top + LINE - 2], fill=colour)
    return np.asarray(page)


# Environments that can be seen


@runtime_checkable
class HasScreens(MakesEnvs, Protocol):
    """A game that can be shown to people too, such as `atari.Game`."""

    def make_screens(self, num_envs: int) -> Envs:
        """The same games as `make_envs` makes, in colours."""


@runtime_checkable
class HasActionNames(Protocol):
    """A game whose actions have names."""

    @property
    def actions(self) -> tuple[str, ...]:
        """What the actions' numbers stand for."""


def _visible(source: MakeEnv) -> Any:
    if isinstance(source, HasScreens):
        return _Game(source)
    return _make_rendering_env(source)


class _Game:
    """One game as if it were one environment that renders: played twice with the same seed and
    actions, as the agent sees it and in colours."""

    def __init__(self, game: HasScreens) -> None:
        self.envs, self.screens = game.make_envs(1), game.make_screens(1)
        self.action_space = self.envs.single_action_space

    def reset(self, seed: int | None = None) -> tuple[Any, dict[str, Any]]:
        """A new game; without a seed the one that has begun by itself."""
        if seed is not None:
            self.begun = self.envs.reset(seed=seed)[0], self.screens.reset(seed=seed)[0]
        self.observation, self.screen = self.begun
        return self.observation[0], {}

    def step(self, action: int) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        taken = np.array([action])
        self.screen, *_, of_screen = self.screens.step(taken)
        self.observation, reward, terminated, truncated, info = self.envs.step(taken)
        if (terminated | truncated)[0] and self.over:  # what is seen now is another game
            self.begun = self.observation, self.screen
            self.observation = info.get("final_obs", self.observation)
            self.screen = of_screen.get("final_obs", self.screen)
        return self.observation[0], reward[0], terminated[0], truncated[0], info

    @property
    def over(self) -> bool:
        """Whether the latest step ended the game, not a life alone."""
        lives = lives_of(self.envs)
        return lives is None or bool(lives.game_over[0])

    def render(self) -> Frame:
        screen: Frame = self.screen[0, -1].copy()
        return screen

    def close(self) -> None:
        self.envs.close()
        self.screens.close()


def _make_rendering_env(source: MakeEnv) -> gym.Env[Any, Any]:
    """An environment that renders; a function that takes no render_mode must have chosen it."""
    options = {"render_mode": "rgb_array"} if _takes_render_mode(source) else {}
    env = make_env(source, **options)
    if env.render_mode != "rgb_array":
        env.close()
        raise ValueError(
            "to be seen, an environment is made with render_mode='rgb_array'; "
            f"this one has {env.render_mode!r}"
        )
    return env


def _takes_render_mode(source: MakeEnv) -> bool:
    if not callable(source):
        return True
    try:
        inspect.signature(source).bind(render_mode="rgb_array")
    except TypeError:
        return False
    return True


def _picture(env: Any) -> Frame:
    picture: Frame = env.render()
    check_frames([picture])
    return picture


def _captioned(image: Image.Image, text: str) -> Image.Image:
    """The picture with a line of text under it. A notebook shows the wide ones less enlarged, so
    their letters are larger."""
    size = max(1, image.width / WIDTH)
    font = ImageFont.load_default(size=12 * size)
    height = image.height + round(18 * size)
    page = Image.new("RGB", (max(image.width, NARROWEST), height), GROUND)
    page.paste(image, ((page.width - image.width) // 2, 0))
    ImageDraw.Draw(page).text((4 * size, image.height + 2 * size), text, fill=INK, font=font)
    return page
