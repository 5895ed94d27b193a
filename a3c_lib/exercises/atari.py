"""Chapter 07: the exercises of "Atari from pixels"."""

import math
from typing import Any

import ale_py
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from a3c_lib.actor_critic import Targets, one_step_targets
from a3c_lib.encoders import features_of
from a3c_lib.exercises.engine.cases import Case, Exercise, Wrong, heeds, ignores
from a3c_lib.returns import n_step_returns
from a3c_lib.worlds.atari import clipped, luminance

Bytes = NDArray[np.uint8]
Held = tuple[float, Bytes, Bytes]

# 7.1 The latest pictures


def pushed(stack: Bytes, picture: Bytes, begins: bool) -> Bytes:
    """The latest n pictures, the newest last: (n, H, W), (H, W) → (n, H, W). Where an episode
    begins, the others are black."""
    older = np.zeros_like(stack[1:]) if begins else stack[1:]
    return np.concatenate([older, picture[None]])


def pushed_in_steps(stack: Bytes, picture: Bytes, begins: bool) -> Bytes:
    older = stack[1:]
    if begins:
        older = np.zeros_like(older)
    new: Bytes = np.concatenate([older, picture[None]])
    return new


def _stack_cases() -> list[Case]:
    def bytes_of(*shape: int) -> Bytes:
        numbers: Tensor = torch.randint(1, 256, shape, dtype=torch.uint8)
        return numbers.numpy()

    black, white = np.zeros((2, 2), dtype=np.uint8), np.full((2, 2), 255, dtype=np.uint8)
    return [
        Case("2 pictures of 1 × 2, within an episode", bytes_of(2, 1, 2), bytes_of(1, 2), False),
        Case("2 pictures of 1 × 2, an episode begins", bytes_of(2, 1, 2), bytes_of(1, 2), True),
        Case("4 pictures of 2 × 3, within an episode", bytes_of(4, 2, 3), bytes_of(2, 3), False),
        Case("4 pictures of 2 × 3, an episode begins", bytes_of(4, 2, 3), bytes_of(2, 3), True),
        Case("1 picture of 3 × 3, within an episode", bytes_of(1, 3, 3), bytes_of(3, 3), False),
        Case("1 picture of 3 × 3, an episode begins", bytes_of(1, 3, 3), bytes_of(3, 3), True),
        Case("a black picture, within an episode", bytes_of(3, 2, 2), black, False),
        Case("pictures after black ones", np.stack([black, black, white]), white, False),
        Case("a white picture, an episode begins", bytes_of(3, 2, 2), white, True),
        Case("1 picture of 2 × 2", black[None] + 3, white, False, probe=_written_over),
        Case(
            "2 pictures of 2 × 2", np.stack([black, black + 3]), white, False, probe=_written_over
        ),
        Case("an episode begins, as NumPy says it", bytes_of(2, 1, 2), bytes_of(1, 2), np.True_),
        Case("within an episode, as NumPy says it", bytes_of(2, 1, 2), bytes_of(1, 2), np.False_),
    ]


def _written_over(answer: Any, stack: Bytes, picture: Bytes, begins: bool) -> Any:
    """The new stack, and what becomes of it when the caller writes into what it has handed over.
    (Where the answer has written into it already, that is told of other cases.)"""
    handed = stack.copy()
    new = answer(stack, picture, begins)
    first = np.copy(new) if isinstance(new, np.ndarray) else new
    if np.array_equal(stack, handed):
        stack[:], picture[:] = 9, 9
    if not isinstance(new, np.ndarray):
        return first
    return {
        "the new stack": first,
        "the new stack, after others have written into the old one and the picture": np.copy(new),
    }


# 7.2 Pictures in any batch


def features_in_steps(layers: nn.Module, pictures: Tensor) -> Tensor:
    *batch, stack, height, width = pictures.shape
    one_axis = pictures.reshape(-1, stack, height, width)
    features: Tensor = layers(one_axis / 255)
    return features.reshape(*batch, -1)


def put_back_environment_by_environment(layers: nn.Module, pictures: Tensor) -> Tensor:
    features = features_of(layers, pictures)
    *batch, width = features.shape
    return _turned(features.reshape(*reversed(batch), width), len(batch))


def taken_out_environment_by_environment(layers: nn.Module, pictures: Tensor) -> Tensor:
    batch = pictures.shape[:-3]
    return features_of(layers, _turned(pictures, len(batch))).reshape(*batch, -1)


def _turned(tensor: Tensor, axes: int) -> Tensor:
    """With its first axes in the opposite order."""
    return tensor.permute(*reversed(range(axes)), *range(axes, tensor.dim()))


def stack_turned_into_channels_of_dots(layers: nn.Module, pictures: Tensor) -> Tensor:
    *batch, stack, height, width = pictures.shape
    mixed = pictures.movedim(-3, -1).reshape(*batch, stack, height, width)
    return features_of(layers, mixed)


def _in_use(answer: Any, layers: nn.Module, pictures: Tensor) -> dict[str, Any]:
    """The features of pictures, where others of the same shape have come before."""
    answer(layers, 255 - pictures)
    return {
        "the result": answer(layers, pictures),
        "the mode of the layers": "training" if layers.training else "evaluation",
    }


def _picture_cases() -> list[Case]:
    def layers(stack: int) -> nn.Module:
        return nn.Sequential(nn.Conv2d(stack, 3, kernel_size=2), nn.ReLU(), nn.Flatten())

    def pictures(*shape: int) -> Tensor:
        return torch.randint(0, 256, shape, dtype=torch.uint8)

    one_feature = nn.Sequential(nn.Conv2d(2, 1, kernel_size=4), nn.Flatten())
    return [
        Case("acting: 3 environments", layers(2), pictures(3, 2, 4, 4)),
        Case("a rollout of 2 steps of 3 environments", layers(2), pictures(2, 3, 2, 4, 4)),
        Case("a rollout of 3 steps of 3 environments", layers(4), pictures(3, 3, 4, 3, 5)),
        Case("a rollout of 4 steps of 1 environment", layers(2), pictures(4, 1, 2, 4, 4)),
        Case("a single stack", layers(2), pictures(2, 4, 4)),
        Case(
            "layers without a relu",
            nn.Sequential(nn.Conv2d(2, 3, kernel_size=2), nn.Flatten()),
            pictures(2, 2, 2, 3, 3),
        ),
        Case("pictures of the bytes 0 and 1", layers(2), pictures(3, 2, 4, 4) % 2),
        Case("black pictures", layers(2), pictures(2, 2, 4, 4) * 0),
        Case("dark pictures", layers(2), pictures(2, 2, 2, 4, 4) // 4),
        Case("white pictures", layers(2), pictures(2, 2, 4, 4) * 0 + 255),
        Case("acting: 1 environment", layers(2), pictures(1, 2, 4, 4)),
        Case("a rollout of 1 step of 3 environments", layers(2), pictures(1, 3, 2, 4, 4)),
        Case("a rollout of 1 step of 1 environment", layers(2), pictures(1, 1, 2, 4, 4)),
        Case("three batch axes, (2, 3, 1)", layers(2), pictures(2, 3, 1, 2, 4, 4)),
        Case("layers that give one feature", one_feature, pictures(2, 3, 2, 4, 4)),
        Case("one feature of a single stack", one_feature, pictures(2, 4, 4)),
        Case("2 environments, after others", layers(2), pictures(2, 2, 4, 4), probe=_in_use),
    ]


# 7.3 One picture of two screens


def one_picture(before: Bytes, after: Bytes) -> Bytes:
    """The brighter of two screens at each dot, in grey.   (H, W, 3), (H, W, 3) → (H, W)."""
    return np.maximum(luminance(before), luminance(after))


def one_picture_in_steps(before: Bytes, after: Bytes) -> Bytes:
    weights = np.array([0.299, 0.587, 0.114])
    one, other = (np.rint(screen @ weights).astype(np.uint8) for screen in (before, after))
    brighter: Bytes = np.maximum(one, other)
    return brighter


def colours_weigh_the_same(before: Bytes, after: Bytes) -> Bytes:
    def mean(screen: Bytes) -> Bytes:
        bright: Bytes = np.rint(screen.mean(axis=-1)).astype(np.uint8)
        return bright

    return np.maximum(mean(before), mean(after))


def brightest_colour(before: Bytes, after: Bytes) -> Bytes:
    brightest: Bytes = np.maximum(before, after).max(axis=-1)
    return brightest


def colours_added_in_bytes(before: Bytes, after: Bytes) -> Bytes:
    def mean(screen: Bytes) -> Bytes:
        added: Bytes = (screen[..., 0] + screen[..., 1] + screen[..., 2]) // 3
        return added

    return np.maximum(mean(before), mean(after))


def colours_weighed_in_bytes(before: Bytes, after: Bytes) -> Bytes:
    def bright(screen: Bytes) -> Bytes:
        red, green, blue = (screen[..., colour] for colour in range(3))
        return ((77 * red + 150 * green + 29 * blue) >> 8).astype(np.uint8)

    return np.maximum(bright(before), bright(after))


def two_colours_weighed_in_bytes(before: Bytes, after: Bytes) -> Bytes:
    def bright(screen: Bytes) -> Bytes:
        red, green, blue = (screen[..., colour] for colour in range(3))
        return ((77 * red.astype(int) + 150 * green + 29 * blue) >> 8).astype(np.uint8)

    return np.maximum(bright(before), bright(after))


def _screen_cases() -> list[Case]:
    def screens(*shape: int) -> tuple[Bytes, Bytes]:
        one, other = torch.randint(0, 256, (2, *shape, 3), dtype=torch.uint8).numpy()
        return one, other

    red, green = np.zeros((2, 1, 2, 3), dtype=np.uint8)
    red[..., 0], green[..., 1] = 200, 101
    nothing = np.zeros_like(red)
    return [
        Case("a red dot, then nothing", red, nothing),
        Case("nothing, then a green dot", nothing, green),
        Case("a red dot, then a green one", red, green),
        Case("two screens of 2 × 3", *screens(2, 3)),
        Case("two screens of 5 × 4", *screens(5, 4)),
        Case("two white screens", nothing + 255, nothing + 255),
        Case("two dark screens of 3 × 3", *(screen // 16 for screen in screens(3, 3))),
    ]


# 7.4 Bug hunt: an action that is held


def held(
    console: ale_py.ALEInterface, action: int, frames: int
) -> tuple[float, NDArray[np.uint8], NDArray[np.uint8]]:
    """Hold an action for some frames, at least 2.   → what they paid together, the last two
    screens."""
    reward, screens = 0.0, []
    for frame in range(frames):
        reward += console.act(action)
        if frame >= frames - 2:
            screen = np.empty((210, 160, 3), dtype=np.uint8)
            console.getScreenRGB(screen)  # copies the screen into this array
            screens.append(screen)
    before, after = screens
    return reward, before, after


def held_with_a_bug(
    console: ale_py.ALEInterface, action: int, frames: int
) -> tuple[float, NDArray[np.uint8], NDArray[np.uint8]]:
    """Hold an action for some frames, at least 2.   → what they paid together, the last two
    screens."""
    reward, screens = 0.0, []
    screen = np.empty((210, 160, 3), dtype=np.uint8)
    for frame in range(frames):
        reward += console.act(action)
        if frame >= frames - 2:
            console.getScreenRGB(screen)  # copies the screen into this array
            screens.append(screen)
    before, after = screens
    return reward, before, after


def screens_before_the_frames(console: Any, action: int, frames: int) -> Held:
    reward, screens = 0.0, []
    for _ in range(frames):
        screens.append(console.getScreenRGB())
        reward += console.act(action)
    return reward, screens[-2], screens[-1]


class _Console:
    """Remembers what is pressed. A frame pays its number times the action, and costs that with
    action 4. Its screen is brighter than the last one or darker, like no other of the first 15, and
    in one corner as bright as the action. Its game is never over."""

    def __init__(self) -> None:
        self.pressed: list[int] = []

    def act(self, action: int) -> int:
        number: int = getattr(action, "value", action)  # ale_py.Action has numbers, and is none
        self.pressed.append(number)
        return (-number if number == 4 else number) * len(self.pressed)

    def getScreenDims(self) -> tuple[int, int]:
        return 210, 160

    def getScreenRGB(self, screen: Bytes | None = None) -> Bytes | None:
        drawn = np.full((210, 160, 3), 7 * len(self.pressed) % 16, dtype=np.uint8)
        drawn[0, 0] = self.pressed[-1] if self.pressed else 0
        if screen is None:
            return drawn
        screen[:] = drawn
        return None

    def getScreenGrayscale(self) -> Bytes:
        screen = self.getScreenRGB()
        assert screen is not None
        return screen[..., 0]

    def game_over(self) -> bool:
        return False

    def reset_game(self) -> None:
        self.pressed.clear()


def _two_steps(answer: Any, first: int, second: int, frames: int) -> dict[str, Any]:
    """What is returned for two actions, one after the other, each as long as `frames` frames, and
    what the console was told."""
    console = _Console()
    reward, *screens = answer(console, first, frames)
    before, after = map(np.copy, screens)
    pressed = tuple(console.pressed)
    next_reward, next_before, next_after = answer(console, second, frames)
    return {
        "what is pressed for the first action": torch.tensor(pressed),
        "the first action's reward": reward,
        "the first action's `before`": before,
        "the first action's `after`": after,
        "the second action's reward": next_reward,
        "the second action's `before`": next_before,
        "the second action's `after`": next_after,
        "what is pressed for both": torch.tensor(console.pressed),
    }


def _held_cases() -> list[Case]:
    return [
        Case("actions 1 and 3, 2 frames each", 1, 3, 2, probe=_two_steps),
        Case("actions 2 and 1, 3 frames each", 2, 1, 3, probe=_two_steps),
        Case("actions 3 and 2, 4 frames each", 3, 2, 4, probe=_two_steps),
        Case("actions 0 and 2, 5 frames each", 0, 2, 5, probe=_two_steps),
        Case("actions 4 and 17, 6 frames each", 4, 17, 6, probe=_two_steps),
    ]


# 7.5 Rewards that are clipped


def clipped_in_steps(targets: Targets) -> Targets:
    def limited(rewards: Tensor, next_values: Tensor, *others: Any) -> Tensor:
        small = rewards.clamp(-1, 1)
        result: Tensor = targets(small, next_values, *others)
        return result

    return limited


def _applied(
    answer: Any,
    targets: Targets,
    rewards: Tensor,
    next_values: Tensor,
    terminated: Tensor,
    truncated: Tensor,
    gamma: float,
) -> Any:
    """What the clipped targets of a rollout are, where other targets are clipped as well, and the
    function has been in use before, with other numbers in the same tensor."""
    limited = answer(targets)
    answer(_nothing)
    meant = rewards.clone()
    rewards.copy_(3 - meant)
    limited(rewards, next_values, terminated, truncated, gamma)
    rewards.copy_(meant)
    return limited(rewards, next_values, terminated, truncated, gamma)


def _nothing(rewards: Tensor, *others: Any) -> Tensor:
    """Targets that nobody asks for."""
    return torch.zeros_like(rewards)


def _reward_cases() -> list[Case]:
    def column(*numbers: float | bool) -> Tensor:
        return torch.tensor(numbers)[:, None]

    def random(T: int, N: int) -> tuple[Tensor, ...]:
        no = torch.zeros(T, N, dtype=torch.bool)
        ends = torch.rand(T, N) < 0.2
        return 5 * torch.randn(T, N), 3 * torch.randn(T, N), ends, no

    def both(size: float) -> tuple[Tensor, ...]:
        rewards, values, ends, _ = random(6, 3)
        cuts = torch.rand(6, 3) < 0.2
        return size * rewards, values, ends, cuts

    def random_with(size: float) -> tuple[Tensor, ...]:
        rewards, values, ends, no = random(2, 2)
        return rewards, size * values, ends, no

    no, never = column(False, False), torch.zeros(150, 1, dtype=torch.bool)
    paid_each_time = torch.full((150, 1), 4.0), torch.ones(150, 1), never, never
    on_paper = column(7.0, -3.0), column(0.0, 0.0), no, no
    small = column(0.5, 30.0), column(4.0, 4.0), no, no
    lost = column(-3.0, 0.5), column(4.0, 4.0), no, no
    return [
        Case("on paper: rewards 7 and −3", one_step_targets, *on_paper, 0.5, probe=_applied),
        Case("rewards 0.5 and 30", one_step_targets, *small, 0.5, probe=_applied),
        Case("n-step returns of 4 steps", n_step_returns, *random(4, 1), 0.9, probe=_applied),
        Case("n-step returns, (5, 3)", n_step_returns, *random(5, 3), 0.99, probe=_applied),
        Case("n-step returns, both kinds of end", n_step_returns, *both(1.0), 0.9, probe=_applied),
        Case("no reward beyond −1 … 1", n_step_returns, *both(0.01), 0.9, probe=_applied),
        Case("all rewards beyond −1 … 1", n_step_returns, *both(1000.0), 0.9, probe=_applied),
        Case("no reward", n_step_returns, *both(0.0), 0.9, probe=_applied),
        Case("large values", one_step_targets, *random_with(1000.0), 0.9, probe=_applied),
        Case("returns above 100", n_step_returns, *paid_each_time, 1.0, probe=_applied),
        Case("rewards −3 and 0.5", one_step_targets, *lost, 0.5, probe=_applied),
    ]


# 7.6 A life and a game


def ends(
    lives: NDArray[np.int64], over: NDArray[np.bool_], timed_out: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """(T + 1, N), (T, N), (T, N) → two of (T, N): where what is learned from is terminated, and
    where a score is reported."""
    lost = (lives[1:] < lives[:-1]) & ~timed_out  # after the clock's end it is another game
    return lost | over, over | timed_out


Lives = NDArray[np.int64]
Flags = NDArray[np.bool_]
Ends = tuple[Flags, Flags]


def ends_in_steps(lives: Lives, over: Flags, timed_out: Flags) -> Ends:
    lost = (lives[1:] < lives[:-1]) & ~timed_out
    terminated = lost | over
    reported = over | timed_out
    return terminated, reported


def a_step_early(lives: Lives, over: Flags, timed_out: Flags) -> Ends:
    """The loss is looked up one step too late in `lives`, so it is seen one step early."""
    lost = lives[1:] < lives[:-1]
    early = np.concatenate([lost[1:], np.zeros_like(lost[:1])])
    return early | over, over | timed_out


def a_step_late(lives: Lives, over: Flags, timed_out: Flags) -> Ends:
    lost = lives[1:] < lives[:-1]
    late = np.concatenate([np.zeros_like(lost[:1]), lost[:-1]])
    return late | over, over | timed_out


def _life_cases() -> list[Case]:
    def column(*numbers: int) -> NDArray[np.int64]:
        return np.array(numbers)[:, None]

    def steps(T: int, *marked: int) -> Flags:
        return np.isin(np.arange(T), marked)[:, None]

    none = steps(5)
    return [
        Case("a life is lost in step 1", column(3, 3, 2, 2, 2, 2), none, none),
        Case("the last life is lost in step 2", column(1, 1, 1, 3, 3, 3), steps(5, 2), none),
        Case("a life is won in step 3", column(3, 3, 3, 3, 4, 4), none, none),
        Case("the time is up in step 4", column(2, 2, 2, 2, 2, 3), none, steps(5, 4)),
        Case(
            "time and last life end in step 0", column(1, 3, 3, 2, 2, 2), steps(5, 0), steps(5, 0)
        ),
        Case(
            "the time is up in step 3, with a life more than at first",
            column(3, 4, 4, 4, 3, 3),
            none,
            steps(5, 3),
        ),
        Case("a game that has no lives", column(0, 0, 0, 0, 0, 0), steps(5, 3), none),
        Case(
            "two environments, a life lost in one where the other's time is up",
            np.hstack([column(3, 3, 2, 2, 2, 2), column(3, 3, 3, 3, 3, 3)]),
            np.hstack([none, none]),
            np.hstack([none, steps(5, 1)]),
        ),
        Case(
            "the last life is lost and the counter shows 0",
            column(1, 1, 0, 0, 3, 3),
            steps(5, 1),
            none,
        ),
        Case(
            "two environments",
            np.hstack([column(3, 2, 2, 1, 3, 3), column(2, 2, 3, 3, 2, 3)]),
            np.hstack([steps(5, 3), none]),
            np.hstack([none, steps(5, 4)]),
        ),
        Case("two lives are lost in one step", column(5, 5, 3, 3, 3, 3), none, none),
        Case("a life is lost in the last step", column(3, 3, 3, 3, 3, 2), none, none),
        Case("one step, in which a life is lost", column(3, 2), steps(1), steps(1)),
        Case(
            "lives are lost after the time was up",
            column(2, 3, 2, 3, 2, 1),
            none,
            steps(5, 0, 2),
        ),
        Case(
            "lives are lost after games were over", column(1, 3, 2, 1, 3, 2), steps(5, 0, 3), none
        ),
        Case("a life is lost in every step", column(5, 4, 3, 2, 1, 0), none, none),
        Case(
            "a life is lost, and then the time is up", column(3, 3, 3, 2, 3, 3), none, steps(5, 3)
        ),
        Case("lives that were won are lost", column(3, 4, 5, 4, 5, 4), none, none),
        Case(
            "the time is up in step 1, and the new game has no lives",
            column(1, 1, 0, 0, 0, 0),
            none,
            steps(5, 1),
        ),
        Case("lives are lost of nine", column(9, 8, 8, 7, 6, 6), none, none),
    ]


# 7.7 Frames and updates


def updates_for(frames: int, t_max: int, num_envs: int, frame_skip: int) -> int:
    """How many updates it takes to reach `frames` frames, of all environments together; the last
    one may go beyond it."""
    return math.ceil(frames / (frame_skip * t_max * num_envs))


def _budget_cases() -> list[Case]:
    return [
        Case("3 updates to the frame", 120, t_max=5, num_envs=2, frame_skip=4),
        Case("a frame more than 3 updates", 121, t_max=5, num_envs=2, frame_skip=4),
        Case("a frame less than 4 updates", 159, t_max=5, num_envs=2, frame_skip=4),
        Case("one environment, one frame a step", 7, t_max=3, num_envs=1, frame_skip=1),
        Case("3 frames a step", 1000, t_max=4, num_envs=8, frame_skip=3),
        Case("200 million frames, A2C's batch", 200_000_000, t_max=5, num_envs=16, frame_skip=4),
        Case("one frame", 1, t_max=5, num_envs=16, frame_skip=4),
        Case("a frame more than 100,000 updates", 32_000_001, t_max=5, num_envs=16, frame_skip=4),
        Case("one frame more than whole steps", 33, t_max=2, num_envs=4, frame_skip=4),
        Case("one frame more, large updates", 200_000_001, t_max=20, num_envs=400, frame_skip=4),
        Case("30 frames more than 3 updates", 150, t_max=5, num_envs=2, frame_skip=4),
        Case("7 updates of 75 frames", 525, t_max=5, num_envs=3, frame_skip=5),
    ]


def _one_inverted(pictures: Tensor) -> Tensor:
    """The same but for the first stack, which is as dark as it was bright."""
    other = pictures.clone()
    first = (0,) * (pictures.dim() - 3)
    other[first] = 255 - other[first]
    return other


# 7.8 The paper's network


class PaperNetwork(nn.Module):
    """π(a | o) and V(o) of stacks of pictures 84 × 84: the network of the first DQN paper, with two
    heads, `policy_head` and `value_head`."""

    def __init__(self, stack: int, actions: int) -> None:
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

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Bytes (*B, stack, 84, 84) → logits (*B, actions), values (*B)."""
        features = features_of(self.torso, pictures)
        return self.policy_head(features), self.value_head(features).squeeze(-1)


def _seen_by(network: Any, pictures: Tensor, actions: int) -> dict[str, Any]:
    """What it makes of pictures, with weights that depend on nothing but their shapes."""
    made = network(pictures.shape[-3], actions)
    parameters = _filled(made)
    logits, values = made(pictures)
    return {
        "the shapes of its parameters": str([tuple(theta.shape) for theta in parameters])[1:-1],
        "the logits": logits.detach(),
        "the values": values.detach(),
        "how the logits reach the first layer": _reaches(made, logits),
        "how the values reach the first layer": _reaches(made, values),
        "what is called policy_head and value_head": " and ".join(
            _kind(made, name) for name in ("policy_head", "value_head")
        ),
    }


def _after_others(network: Any, pictures: Tensor, actions: int) -> dict[str, Any]:
    """What it makes of pictures where it has seen others of their shape, and there is a second
    network."""
    made, other = (network(pictures.shape[-3], actions) for _ in range(2))
    parameters = _filled(made)
    others = {theta.data_ptr() for theta in other.parameters()}
    with torch.no_grad():
        made(255 - pictures)
        logits, values = made(pictures)
    return {
        "the logits": logits,
        "the values": values,
        "the number of parameters that two networks share": sum(
            theta.data_ptr() in others for theta in parameters
        ),
    }


@torch.no_grad()
def _filled(made: nn.Module) -> list[Tensor]:
    """Its parameters by their shapes, with numbers that make some values positive and others
    negative, and most of them large: so it is seen what stands behind a head."""
    parameters: list[Tensor] = sorted(made.parameters(), key=lambda theta: tuple(theta.shape))
    dice = torch.Generator().manual_seed(16)
    for theta in parameters:
        numbers = 2 * torch.randn(theta.shape, generator=dice)
        theta.copy_(numbers / math.sqrt(max(1, theta[0].numel())))
    return parameters


def _kind(made: nn.Module, name: str) -> str:
    head = getattr(made, name, None)
    if head is None:
        return "nothing"
    return "a linear layer" if isinstance(head, nn.Linear) else f"a {type(head).__name__}"


def _reaches(made: nn.Module, output: Tensor) -> Tensor:
    """The gradient of a sum of the output, in the filters of the first convolution."""
    filters = max(made.parameters(), key=lambda theta: (theta.dim(), theta.shape[-1]))
    if not output.requires_grad:
        return torch.zeros_like(filters)
    weights = torch.arange(1.0, output.numel() + 1).view_as(output) / output.numel()
    (gradient,) = torch.autograd.grad(
        (output * weights).sum(),
        [filters],
        retain_graph=True,
        allow_unused=True,
        materialize_grads=True,
    )
    return gradient


def _network_cases() -> list[Case]:
    def pictures(*shape: int) -> Tensor:
        return torch.randint(0, 256, shape, dtype=torch.uint8)

    return [
        Case("2 environments, 4 pictures, 6 actions", pictures(2, 4, 84, 84), 6, probe=_seen_by),
        Case("a single stack of 2 pictures", pictures(2, 84, 84), 3, probe=_seen_by),
        Case("a rollout of 2 steps of 1 environment", pictures(2, 1, 4, 84, 84), 4, probe=_seen_by),
        Case("1 environment, after other pictures", pictures(1, 2, 84, 84), 3, probe=_after_others),
    ]


EXERCISES = (
    Exercise(
        id="7.1",
        title="the latest pictures",
        reference=pushed,
        form=pushed_in_steps,
        cases=_stack_cases,
        wrong=(
            Wrong(
                {"    if begins:\n        older = np.zeros_like(older)\n": ""},
                "Where an episode begins, the stack still holds pictures of the one before. The "
                "ball "
                "then seems to have flown from where the last game ended to where this one begins.",
            ),
            Wrong(
                {
                    "older = stack[1:]": "older = stack[:-1]",
                    "[older, picture[None]]": "[picture[None], older]",
                },
                "The newest picture stands first here. That would do as well, if all agreed on it; "
                "ale-py and Gymnasium put it last, and a network that was trained on one order "
                "reads "
                "the other one backwards.",
            ),
            Wrong(
                {
                    "older = np.zeros_like(older)": "older = np.repeat(picture[None], len(older), "
                    "axis=0)"
                },
                "Where an episode begins, this repeats its first picture. Some wrappers do that "
                "(Gymnasium's too, unless it is told otherwise); ale-py leaves the older pictures "
                "black, and so do we.",
            ),
            Wrong(
                {
                    "np.concatenate([older, picture[None]])": "np.concatenate([older, "
                    "picture[None] * (not begins)])"
                },
                "Where an episode begins, all pictures are black, the new one too. Its first "
                "picture "
                "is there to be seen.",
            ),
            Wrong(
                {"older = stack[1:]": "older = stack[:-1]"},
                "What leaves the stack here is the latest picture, and the oldest stays for ever. "
                "Leave out the first one: stack[1:].",
            ),
            Wrong(
                {"older = stack[1:]": "older = stack"},
                "The stack grows by one picture at each step. The oldest one leaves: stack[1:].",
            ),
            Wrong(
                {"if begins:": "if True:"},
                "The older pictures are black at every step. They are to be forgotten only where "
                "an "
                "episode begins.",
            ),
            Wrong(
                {"if begins:": "if not begins:"},
                "`begins` is understood the wrong way round: the older pictures are black within "
                "an "
                "episode, and those of the last episode where a new one begins.",
            ),
            Wrong(
                {"return new": "stack[:] = new\n    return stack"},
                "The pictures are written into the array that came in. A rollout holds that array "
                "as the observation of the step before: it would change after the fact. Return a "
                "new one.",
            ),
            Wrong(
                {"[older, picture[None]]": "[picture[None], older]"},
                "The new picture stands first and the others in the order of time behind it, so "
                "the "
                "order is broken at one place. The newest one comes last.",
            ),
            Wrong(
                {"np.zeros_like(older)": "np.zeros(older.shape)"},
                "Where an episode begins, this gives floats: np.zeros makes them unless it is told "
                "otherwise. Pictures are bytes; np.zeros_like(stack[1:]) keeps their kind.",
            ),
            Wrong(
                {"return new": "return new.astype(float)"},
                "The pictures are floats, each of which needs the memory of several bytes. Asked "
                "for are bytes, as in the stack and in the new picture.",
            ),
            Wrong(
                {"older = stack[1:]": "older = np.roll(stack, 1, axis=0)[:-1]"},
                "This moves the pictures the wrong way: each goes one place towards the end, and "
                "the "
                "latest but one is lost. np.roll by −1 moves them to the front.",
            ),
            Wrong(
                {"older = stack[1:]": "older = np.roll(stack, -1)[:-1]"},
                "np.roll without `axis=0` moves dots, not pictures: each dot goes to its "
                "neighbour's "
                "place, and the first one of a picture into the picture before it.",
            ),
            Wrong(
                {"return new": "return new.astype(int)"},
                "The pictures are whole numbers of eight bytes each. Asked for are bytes: "
                "np.zeros_like(stack) keeps their kind, and dtype=np.uint8 asks for it.",
                also=({"np.zeros_like(older)": "np.zeros(older.shape, dtype=int)"},),
            ),
            Wrong(
                {
                    "    new: Bytes": "    if len(stack) == 1:\n        return picture[None]\n    "
                    "new: Bytes"
                },
                "A stack of one picture is a view of the picture that came in: whoever writes into "
                "one changes both. Asked for is an array of its own.",
            ),
            Wrong(
                {"np.zeros_like(older)": "np.full_like(older, 255)"},
                "Where an episode begins, the older pictures are white. They are black: zeros.",
            ),
            Wrong(
                {"if begins:": "if begins is True:"},
                "Whether an episode begins is understood only where `begins` is Python's own True "
                "or False. NumPy's are other objects, and `is` compares objects: ask for the truth "
                "alone, `if begins`.",
                also=({"if begins:": "if begins is not False:"},),
            ),
            Wrong(
                {"picture[None]]": "stack[-1:]]"},
                "The new picture is never seen: the latest one of the old stack stands in its "
                "place.",
            ),
            Wrong(
                {"older = stack[1:]": "older = stack[::-1][1:]"},
                "The older pictures come in the opposite order of time. They stay as they are: "
                "stack[1:].",
            ),
        ),
        properties=(
            ignores(
                "The new picture has no effect. It is the last one of the stack.",
                lambda given: {"picture": 255 - given.picture},
            ),
            heeds(
                "The oldest picture still counts. It leaves the stack: stack[1:].",
                lambda given: {"stack": np.concatenate([255 - given.stack[:1], given.stack[1:]])},
            ),
            heeds(
                "Where an episode begins, what was there before still counts. It belongs to "
                "another "
                "one.",
                lambda given: {"stack": 255 - given.stack} if given.begins else {},
            ),
        ),
        hints=(
            "Within an episode: which of the old pictures stay, and where does the new one go?",
            "`stack[1:]` are those that stay. Where an episode begins, they are to be zeros of the "
            "same shape and kind.",
            "np.concatenate([older, picture[None]]), with older = np.zeros_like(stack[1:]) if "
            "begins "
            "else stack[1:].",
        ),
        praise="What moves can now be seen: four pictures show a direction and a speed.",
        minutes=10,
        difficulty=1,
    ),
    Exercise(
        id="7.2",
        title="pictures in any batch",
        reference=features_of,
        form=features_in_steps,
        cases=_picture_cases,
        wrong=(
            Wrong(
                {"one_axis / 255": "one_axis.float()"},
                "The layers see numbers up to 255. Their weights were drawn for inputs of about 1: "
                "divide by 255.",
            ),
            Wrong(
                {"layers(one_axis / 255)": "layers(one_axis.float()) / 255"},
                "This divides what comes out of the layers. That is not the same, since they add "
                "their biases in between: divide the pictures that go in.",
            ),
            Wrong(
                {"one_axis / 255": "one_axis * 2 / 255 - 1"},
                "Bytes become −1 … 1 here. Other programs do that; here black is 0 and white is 1.",
            ),
            Wrong({"/ 255": "/ 256"}, "White is 255, so divide by 255 to make it 1, not by 256."),
            Wrong(
                {"one_axis / 255": "(one_axis // 255).float()"},
                "`//` divides whole numbers: everything but pure white becomes 0. Use `/`.",
            ),
            Wrong(
                {"features.reshape(*batch, -1)": "features"},
                "All features stand in one long axis. Put them back: a rollout of (T, N) "
                "stacks gives (T, N) rows of features, and a single stack one row without a batch "
                "axis.",
            ),
            Wrong(
                {"features.reshape(*batch, -1)": "features.reshape(*(batch or [1]), -1)"},
                "A single stack comes back with a batch axis, (1, features). It came without one, "
                "so its features are one row: (features,).",
            ),
            Wrong(
                {
                    "return features.reshape(*batch, -1)": "return features.reshape(*(batch or "
                    "[1]), -1).squeeze(0)"
                },
                "`squeeze` takes away an axis of length 1, whatever it stands for: one "
                "environment, or a rollout of one step, loses its axis as well. Only a single "
                "stack has no batch axis.",
                also=(
                    {
                        "return features.reshape(*batch, -1)": "return features.reshape(*(batch or "
                        "[1]), -1).squeeze()"
                    },
                ),
            ),
            Wrong(
                {"features.reshape(*batch, -1)": "features.reshape(*batch[::-1], -1)"},
                "The batch axes come back in the opposite order: T and N are exchanged. Where both "
                "are equal no shape tells, and steps and environments are mixed up.",
            ),
            Wrong(
                {"one_axis / 255": "one_axis / (255 if one_axis.max() > 1 else 1)"},
                "Whether it divides depends on what the pictures show: a batch that is nearly "
                "black, with bytes 0 and 1 alone, is not divided. Bytes are bytes: divide always.",
            ),
            Wrong(
                put_back_environment_by_environment,
                "The features are put back in another order than the pictures were taken out: step "
                "and environment are mixed up. Reshape to the same axes in the same order.",
            ),
            Wrong(
                taken_out_environment_by_environment,
                "The pictures are taken out environment by environment, and put back step by step. "
                "With one environment it makes no difference; with more they get each other's.",
            ),
            Wrong(
                stack_turned_into_channels_of_dots,
                "Stack, height and width are mixed up: the right number of dots, and none at its "
                "place. Leave the last three axes alone.",
            ),
            Wrong(
                {"one_axis / 255": "one_axis.flip(-3) / 255"},
                "The pictures of a stack are turned round in time. Leave the last three axes "
                "alone.",
            ),
            Wrong(
                {"features.reshape(*batch, -1)": "features.reshape(*batch, -1).detach()"},
                "No gradient flows through the features: this encoder would never learn. Acting "
                "switches gradients off by itself; leave out `no_grad` and `detach`.",
            ),
            Wrong(
                {"one_axis / 255": "(one_axis - one_axis.float().mean()) / 255"},
                "The mean of the pictures is subtracted. Here black is 0 and white is 1, whatever "
                "else is in the batch.",
            ),
            Wrong(
                {"one_axis / 255": "one_axis / one_axis.max()"},
                "You divide by the brightest dot of the batch: the same picture would look "
                "otherwise in another batch. White is 255.",
            ),
            Wrong(
                {"one_axis / 255": "1 - one_axis / 255"},
                "Black and white are exchanged. Black is 0 and white is 1.",
            ),
            Wrong(
                {"one_axis / 255": "one_axis / 255**2"},
                "The pictures are scaled twice. Once is enough: 0 … 255 become 0 … 1.",
            ),
            Wrong(
                {"features.reshape(*batch, -1)": "features.reshape(*batch, -1).relu()"},
                "There is a relu behind the layers. They have their own; their output is returned "
                "as it is.",
            ),
            Wrong(
                {"(-1, stack, height, width)": "(-1, stack, width, height)"},
                "Height and width are exchanged. Leave the last three axes as they are.",
            ),
        ),
        properties=(
            heeds(
                "A picture's features change with another picture of the batch.",
                lambda given: (
                    {"pictures": _one_inverted(given.pictures)} if given.pictures.dim() > 3 else {}
                ),
            ),
        ),
        hints=(
            "A convolution takes (batch, channels, height, width). The last three axes are there; "
            "what has to become one axis, and be taken apart again?",
            "*batch, stack, height, width = pictures.shape; then reshape(-1, stack, height, "
            "width), "
            "and divide by 255.",
            "The layers give (batch, features): .reshape(*batch, -1) puts the axes back.",
        ),
        praise="The same encoder reads one picture, N of them and T·N, and learns from each.",
        minutes=10,
        difficulty=2,
    ),
    Exercise(
        id="7.3",
        title="one picture of two screens",
        reference=one_picture,
        form=one_picture_in_steps,
        cases=_screen_cases,
        wrong=(
            Wrong(
                {"np.maximum(one, other)": "other"},
                "Only the last screen counts here. What the game draws in every second frame is "
                "then "
                "missing in some pictures.",
            ),
            Wrong(
                {"np.maximum(one, other)": "one"}, "Only the first of the two screens counts here."
            ),
            Wrong(
                {
                    "np.maximum(one, other)": "np.rint((one.astype(float) + other) / "
                    "2).astype(np.uint8)"
                },
                "This is the mean of both. What is drawn in one of two frames would be half as "
                "bright, and what flies would leave two pale spots. Take the brighter one.",
                also=(
                    {"np.maximum(one, other)": "((one.astype(int) + other) // 2).astype(np.uint8)"},
                ),
            ),
            Wrong(
                {"np.maximum(one, other)": "one + other"},
                "This adds two bytes up. Bytes end at 255 and begin again at 0: bright spots turn "
                "dark. Take the larger of both, np.maximum.",
            ),
            Wrong(
                {"np.maximum": "np.minimum"},
                "This takes the darker one: what is drawn in only one of the two frames vanishes.",
            ),
            Wrong(
                {"(before, after))\n": "(np.maximum(before, after), np.maximum(before, after)))\n"},
                "This takes the larger red, green and blue first, and the brightness of that "
                "colour, "
                "which was on neither screen: red and green make a yellow that is brighter than "
                "both. First the brightness of each screen, then the larger one. (DQN's paper of "
                "2015 "
                "does it your way; ale-py, which your pictures are compared with, does not.)",
            ),
            Wrong(
                {"[0.299, 0.587, 0.114]": "[1 / 3, 1 / 3, 1 / 3]"},
                "This is the plain mean of red, green and blue. The eye does not see them equally "
                "bright: 0.299, 0.587, 0.114.",
                also=(colours_weigh_the_same,),
            ),
            Wrong(
                brightest_colour,
                "This is the largest of all colours. Brightness adds them up, with weights.",
            ),
            Wrong(
                {"[0.299, 0.587, 0.114]": "[0.114, 0.587, 0.299]"},
                "The weights are turned round: a screen has red first and blue last. (OpenCV is "
                "the "
                "other way round.)",
            ),
            Wrong(
                {"np.rint(screen @ weights)": "(screen @ weights)"},
                "`astype` cuts off what stands after the point. Round first, np.rint; then your "
                "pictures are those of ale-py dot for dot.",
            ),
            Wrong(
                {"np.rint(screen @ weights).astype(np.uint8)": "(screen @ weights)"},
                "The brightness is neither rounded nor a byte. np.rint rounds; then "
                ".astype(np.uint8).",
            ),
            Wrong(
                {"np.maximum(one, other)": "one if one.sum() > other.sum() else other"},
                "This chooses one of the two screens, the one that is brighter as a whole. Choose "
                "at "
                "each dot: np.maximum.",
            ),
            Wrong(
                {
                    "np.maximum(one, other)": "np.where(before.sum(axis=-1) > "
                    "after.sum(axis=-1), one, other)"
                },
                "Which screen is brighter is decided by the plain sum of red, green and blue. "
                "Compare what you keep, the brightness with its weights: np.maximum of the two.",
                also=(
                    {
                        "np.maximum(one, other)": "np.where(before.sum(axis=-1) >= "
                        "after.sum(axis=-1), one, other)"
                    },
                ),
            ),
            Wrong(
                {"return brighter": "return brighter.astype(float)"},
                "The picture is of floats. It is of bytes, .astype(np.uint8): the rollouts need "
                "an eighth of the memory.",
            ),
            Wrong(
                {"return brighter": "return brighter / 255"},
                "This divides by 255. Pictures stay bytes until the network sees them; it scales "
                "them itself.",
            ),
            Wrong(
                colours_added_in_bytes,
                "The colours are added up as bytes. Bytes end at 255 and begin again at 0, so "
                "bright spots turn dark; and the eye does not see red, green and blue equally "
                "bright: 0.299, 0.587, 0.114 as floats.",
            ),
            Wrong(
                colours_weighed_in_bytes,
                "Little or nothing is left of the brightness. Are bytes multiplied by whole "
                "numbers on the way? Bytes end at 255 and begin again at 0: make every colour a "
                "float, or a larger whole number, before you multiply.",
                also=(two_colours_weighed_in_bytes,),
            ),
            Wrong(
                {"np.maximum(one, other)": "np.where(other > 0, other, one)"},
                "One screen counts only where the other one is black. Where a dot is seen on "
                "both, the brighter one counts: np.maximum.",
                also=({"np.maximum(one, other)": "np.where(one > 0, one, other)"},),
            ),
            Wrong(
                {"[0.299, 0.587, 0.114]": "[0.0, 1.0, 0.0]"},
                "This is the green alone. Brightness adds up all three, with weights.",
                also=(
                    {"[0.299, 0.587, 0.114]": "[1.0, 0.0, 0.0]"},
                    {"[0.299, 0.587, 0.114]": "[0.0, 0.0, 1.0]"},
                ),
            ),
            Wrong(
                {"[0.299, 0.587, 0.114]": "[0.587, 0.299, 0.114]"},
                "The weights of red and green are exchanged: 0.299, 0.587, 0.114 for red, green, "
                "blue.",
            ),
            Wrong(
                {"[0.299, 0.587, 0.114]": "[0.2126, 0.7152, 0.0722]"},
                "These are another standard's weights. ale-py's are 0.299, 0.587, 0.114.",
            ),
            Wrong(
                {"np.maximum(one, other)": "np.abs(one.astype(int) - other).astype(np.uint8)"},
                "This is the difference of the screens: what stands still would vanish. Take the "
                "brighter one.",
            ),
            Wrong(
                {
                    "np.maximum(one, other)": "np.clip(one.astype(int) + other, 0, "
                    "255).astype(np.uint8)"
                },
                "This adds two screens up. Take the larger of both at each dot, np.maximum.",
            ),
        ),
        properties=(
            ignores(
                "The first screen has no effect. What is drawn in it alone would never be seen.",
                lambda given: {"before": 255 - given.before},
            ),
            ignores(
                "The last screen has no effect. What is drawn in it alone would never be seen.",
                lambda given: {"after": 255 - given.after},
            ),
            heeds(
                "Which screen comes first makes a difference. The brighter one counts at each dot.",
                lambda given: {"before": given.after, "after": given.before},
            ),
        ),
        hints=(
            "Two things are done at each dot: three colours become one brightness, and of two "
            "brightnesses the larger stays. Which comes first?",
            "`luminance` of each screen; or screen @ [0.299, 0.587, 0.114], rounded. Then "
            "np.maximum.",
            "return np.maximum(luminance(before), luminance(after))",
        ),
        praise="Dot for dot what ale-py makes of two screens.",
        minutes=10,
        difficulty=1,
    ),
    Exercise(
        id="7.4",
        title="bug hunt: rocks that flicker",
        reference=held,
        cases=_held_cases,
        start=held_with_a_bug,
        wrong=(
            Wrong(
                {
                    "    reward, screens = 0.0, []\n": "    reward, screens = 0.0, []\n"
                    "    screen = np.empty((210, 160, 3), dtype=np.uint8)\n",
                    "            screen = np.empty((210, 160, 3), dtype=np.uint8)\n": "",
                },
                "`before` and `after` show the same screen, the last one, twice. The list holds "
                "two names for one array, or copies that were made when both were the same "
                "already. Make a new array, or a copy, in each of the two frames.",
            ),
            Wrong(
                {"reward += console": "reward = console"},
                "Only the last frame's reward is returned. The step is paid what all its frames "
                "pay.",
                also=({"reward += console": "reward = 0.0 + console"},),
            ),
            Wrong(
                {
                    "    for frame in": "    screen = np.empty((210, 160, 3), dtype=np.uint8)\n"
                    "    console.getScreenRGB(screen)\n    screens.append(screen)\n"
                    "    for frame in",
                    "if frame >= frames - 2:": "if frame == frames - 1:",
                },
                "`before` is the screen from before the step's first frame. The two screens are "
                "those that the last two frames led to.",
            ),
            Wrong(
                {"if frame >= frames - 2:": "if frame in (0, frames - 1):"},
                "These are the first and the last screen of the step. With 4 frames a step they "
                "are "
                "3 frames apart, and what flies is seen in two places. Take the last two.",
            ),
            Wrong(
                {"if frame >= frames - 2:": "if frame < 2:"},
                "These are the step's first two screens, not its last two.",
            ),
            Wrong(
                screens_before_the_frames,
                "Each screen is taken before its frame: the last one, which the step led to, is "
                "never seen. The agent would see everything a frame late.",
            ),
            Wrong(
                {"before, after = screens": "after, before = screens"},
                "The two screens are exchanged. Their maximum is the same, but `before` comes "
                "first.",
            ),
            Wrong(
                {
                    "range(frames)": "range(max(2, frames - 1))",
                    "if frame >= frames - 2:": "if frame >= max(2, frames - 1) - 2:",
                },
                "The action is held for one frame too few.",
            ),
            Wrong(
                {"range(frames)": "range(frames + 1)", "frames - 2:": "frames - 1:"},
                "The action is held for one frame too many.",
            ),
            Wrong(
                {"range(frames)": "range(4)", "frames - 2:": "4 - 2:"},
                "The action is held for 4 frames, however many are asked for. `frames` says how "
                "many.",
            ),
            Wrong(
                {"console.act(action)": "console.act(action if frame == 0 else 0)"},
                "The action is pressed in the first frame alone, and then let go. It is to be "
                "held.",
            ),
            Wrong(
                {"reward += console.act(action)": "console.act(action)"},
                "Nothing is counted as paid. The step is paid what all its frames pay, together.",
            ),
            Wrong(
                {"return reward,": "return max(-1.0, min(1.0, reward)),"},
                "The reward is limited to −1 … 1. That is done where it is learned from; a step is "
                "paid what its frames pay.",
            ),
            Wrong(
                {
                    "reward += console.act(action)": "paid = console.act(action)\n        "
                    "reward += paid if frame else 0"
                },
                "The first frame's reward is not counted. All frames of a step pay.",
            ),
            Wrong(
                {
                    "reward += console.act(action)": "paid = console.act(action)\n        "
                    "reward += paid if frame < frames - 1 else 0"
                },
                "The last frame's reward is not counted. All frames of a step pay.",
            ),
            Wrong(
                {"return reward, before, after": "return reward / frames, before, after"},
                "The reward is a mean over the frames. They pay together: the sum.",
            ),
            Wrong(
                {
                    "if frame >= frames - 2:": "if frame >= frames - 3:",
                    "before, after = screens": "before, after = screens[:2]",
                },
                "These are the screens before the last two.",
            ),
            Wrong(
                {"return reward, before, after": "return reward, screens"},
                "Two things are returned. Asked for are three: the reward, the screen before the "
                "last one, and the last one, each by itself.",
            ),
            Wrong(
                {"return reward, before, after": "return before, after, reward"},
                "The three things are in another order: the reward, then the two screens.",
            ),
        ),
        hints=(
            "In the cell above, some pictures show rocks and others the ship, as single screens "
            "do. What "
            "must `before` and `after` be, for their maximum to be a single screen?",
            "`screens.append(screen)` appends no copy. It appends the array itself, and the next "
            "frame is written into the same array.",
            "Make a new array for each of the two frames: move `screen = np.empty(...)` into the "
            "`if`, or append screen.copy().",
        ),
        praise="A list holds names, not copies: now each screen has an array of its own.",
        minutes=10,
        difficulty=2,
    ),
    Exercise(
        id="7.5",
        title="rewards that are clipped",
        reference=clipped,
        form=clipped_in_steps,
        cases=_reward_cases,
        wrong=(
            Wrong(
                {"rewards.clamp(-1, 1)": "rewards"},
                "The targets are the same as before. Return a function that limits the rewards, "
                "and "
                "then calls `targets`.",
            ),
            Wrong(
                {"rewards.clamp(-1, 1)": "rewards", "return result": "return result.clamp(-1, 1)"},
                "This limits the returns. They may well be larger than 1: twenty rewards of 1 are "
                "worth nearly 20. Limited is each single reward.",
            ),
            Wrong(
                {
                    "next_values, *others)\n        return": "next_values.clamp(-1, 1), "
                    "*others)\n        "
                    "return"
                },
                "This limits what the critic says, too. Its values are sums of many rewards; only "
                "the rewards are limited.",
            ),
            Wrong(
                {"result: Tensor = targets(": "result: Tensor = n_step_returns("},
                "These are n-step returns, whichever function was given. Call `targets`, not "
                "`n_step_returns`.",
            ),
            Wrong(
                {"rewards.clamp(-1, 1)": "rewards.sign()"},
                "This takes the sign. In games whose rewards are whole numbers that is the same, "
                "and "
                "well-known programs do it; but a reward of 0.5 lies within −1 … 1 and stays.",
            ),
            Wrong(
                {"rewards.clamp(-1, 1)": "rewards.clamp(0, 1)"},
                "Negative rewards become 0 here: in Pong, where every point lost is a −1, half of "
                "the lesson is gone. Limit to −1 … 1.",
            ),
            Wrong(
                {"rewards.clamp(-1, 1)": "rewards.clamp(max=1)"},
                "Only what is above 1 is limited. Below −1 there is a limit, too.",
            ),
            Wrong(
                {"rewards.clamp(-1, 1)": "rewards / rewards.abs().max()"},
                "This divides by the largest reward of the rollout, so the same reward counts "
                "differently in each rollout, and is not a number where nothing was paid.",
            ),
            Wrong(
                {"rewards.clamp(-1, 1)": "rewards.tanh()"},
                "This squashes rewards smoothly. It is a way to do it, but not the papers': a "
                "reward "
                "of 1 is to stay 1.",
            ),
            Wrong(
                {"rewards.clamp(-1, 1)": "rewards.clamp_(-1, 1)"},
                "This limits the rewards in place: the rollout's own rewards are changed. Whoever "
                "adds "
                "them up afterwards reports a score that nobody played. `clamp` makes new ones, "
                "`clamp_` does not.",
            ),
            Wrong(
                {"return result": "return result.clamp(-1, 1)"},
                "The returns are limited as well as the rewards. Twenty rewards of 1 are worth "
                "nearly 20: limit the rewards alone.",
            ),
            Wrong(
                {"rewards.clamp(-1, 1)": "rewards.clamp(min=-1)"},
                "Only what is below −1 is limited. Above 1 there is a limit, too.",
            ),
            Wrong(
                {"rewards.clamp(-1, 1)": "rewards.clamp(-10, 10)"}, "The limits are others: −1 … 1."
            ),
            Wrong(
                {
                    "    def limited": "    global the_targets\n    the_targets = targets\n\n    "
                    "def limited",
                    "result: Tensor = targets(": "result: Tensor = the_targets(",
                },
                "The targets are kept in a name outside of the function. Clip other targets, and "
                "the first function gives those of the second. The inner function may use "
                "`targets` itself.",
            ),
            Wrong(
                {"rewards.clamp(-1, 1)": "rewards.clamp(-1, 1).abs()"},
                "The rewards have lost their sign.",
            ),
            Wrong(
                {"result: Tensor = targets(": "result: Tensor = one_step_targets("},
                "These are one-step targets, whichever function was given. Call `targets`.",
            ),
            Wrong(
                {"*others)": "others[1], others[0], *others[2:])"},
                "The two flags are handed on in the wrong order: terminated first, then truncated.",
            ),
            Wrong(
                {"rewards.clamp(-1, 1)": "rewards.round().clamp(-1, 1)"},
                "The rewards are made whole numbers. What lies within −1 … 1 stays as it is.",
                also=({"rewards.clamp(-1, 1)": "rewards.trunc().clamp(-1, 1)"},),
            ),
            Wrong(
                {"return result": "return small"},
                "The clipped rewards themselves come back. Hand them to `targets`, and return "
                "what it gives.",
            ),
        ),
        properties=(
            ignores(
                "A reward of 0.5 makes no difference to one of 1: what lies within −1 … 1 stays.",
                lambda given: {"rewards": given.rewards.clamp(-1, 1) / 2},
            ),
            heeds(
                "A reward of 70 does not count the same as one of 7: above 1 all rewards count as "
                "1, below −1 as −1.",
                lambda given: {
                    "rewards": given.rewards * torch.where(given.rewards.abs() > 1, 10.0, 1.0)
                },
            ),
        ),
        hints=(
            "`clipped` gets a function and returns a function. Which arguments does the returned "
            "one "
            "take?",
            "The same as `targets`: rewards, next_values, terminated, truncated, gamma. It changes "
            "the first one, and hands on the others as they are.",
            "def limited(rewards, *others): return targets(rewards.clamp(-1, 1), *others); then "
            "return limited.",
        ),
        praise="One learning rate now suits all games; what a score of 4 is worth beside one of 1 "
        "is no longer seen.",
        minutes=10,
        difficulty=2,
    ),
    Exercise(
        id="7.6",
        title="a life and a game",
        reference=ends,
        form=ends_in_steps,
        cases=_life_cases,
        wrong=(
            Wrong(
                {" & ~timed_out": ""},
                "Where the time is up, the counter after the step belongs to the new game. If "
                "lives "
                "were won in the old one, it falls, though no life was lost: a lost life counts "
                "only "
                "where the time is not up.",
                also=({" & ~timed_out": " & ~over"},),
            ),
            Wrong(
                {"lives[1:] < lives[:-1]": "lives[1:] > lives[:-1]", " & ~timed_out": ""},
                "This looks for lives that are won: `lives[1:]` is after the step, `lives[:-1]` "
                "before it. A life is lost where the counter falls.",
                also=({"lives[1:] < lives[:-1]": "lives[1:] > lives[:-1]"},),
            ),
            Wrong(
                {"terminated = lost | over": "terminated = lost"},
                "With the last life a game is over, and the counter that you see belongs to the "
                "new "
                "game: it has gone *up*. So `over` terminates as well.",
            ),
            Wrong(
                {"lives[1:] < lives[:-1]": "lives[1:] != lives[:-1]"},
                "Any change of the counter ends here. A life that is won changes it as well, and "
                "nothing ends by it.",
                also=({"lives[1:] < lives[:-1]": "lives[1:] != lives[:-1]", " & ~timed_out": ""},),
            ),
            Wrong(
                {"terminated = lost | over": "terminated = over"},
                "Only the end of the game counts here. With `life_ends`, a lost life is an end to "
                "learn from.",
            ),
            Wrong(
                {"lives[1:] < lives[:-1]": "lives[1:] == 0"},
                "This waits until no life is left. Each lost life is an end to learn from; and "
                "games without lives show a 0 all the time.",
                also=({"lives[1:] < lives[:-1]": "lives[1:] == 0", " & ~timed_out": ""},),
            ),
            Wrong(
                {"terminated = lost | over": "terminated = lost | over | timed_out"},
                "A time limit is no ending to learn from: something would have come, and the "
                "return "
                "bootstraps there. It belongs in the second result alone.",
            ),
            Wrong(
                {"terminated = lost | over": "terminated = (lost | over) & ~timed_out"},
                "Where a game is over and its time is up in the same step, nothing would have "
                "come: "
                "it terminates.",
            ),
            Wrong(
                {"reported = over | timed_out": "reported = lost | over | timed_out"},
                "This reports a score at each lost life. A game of Breakout has five lives and one "
                "score.",
            ),
            Wrong(
                {"reported = over | timed_out": "reported = over"},
                "A game that the clock cut has a score, too. Leave it out, and the best games, "
                "which last longest, are missing in the mean.",
            ),
            Wrong(
                {"return terminated, reported": "return reported, terminated"},
                "The two results are exchanged: first what terminates, then what is reported.",
            ),
            Wrong(
                {
                    "lost = (lives[1:] < lives[:-1]) & ~timed_out": "fell = lives[1:] < "
                    "lives[:-1]\n    "
                    "lost = "
                    "np.concatenate([fell[1:], "
                    "np.zeros_like(fell[:1])]) & "
                    "~timed_out"
                },
                "A lost life is seen one step early here. `lives[t]` is the counter before step t, "
                "`lives[t + 1]` the one after it.",
                also=(a_step_early,),
            ),
            Wrong(
                {
                    "lost = (lives[1:] < lives[:-1]) & ~timed_out": "fell = lives[1:] < "
                    "lives[:-1]\n    "
                    "lost = "
                    "np.concatenate([np.zeros_like(fell[:1]), "
                    "fell[:-1]]) & ~timed_out"
                },
                "A lost life is seen one step late here. `lives[t]` is the counter before step t, "
                "`lives[t + 1]` the one after it.",
                also=(
                    a_step_late,
                    {
                        "lost = (lives[1:] < lives[:-1]) & ~timed_out": "lost = "
                        "np.zeros_like(over)\n    "
                        "lost[1:] = (lives[1:-1] < lives[:-2]) & ~(over | timed_out)[:-1]"
                    },
                ),
            ),
            Wrong(
                {"lives[1:] < lives[:-1]": "lives[1:] == lives[:-1] - 1"},
                "Only a counter that falls by exactly one counts here. It may fall by more in one "
                "step: <.",
            ),
            Wrong(
                {
                    "    terminated = lost | over": "    lost[-1] = False\n    terminated = lost | "
                    "over"
                },
                "A life that is lost in the last step is overlooked. `lives` has a row more than "
                "there are steps, so the last step has a row after it, too.",
            ),
            Wrong(
                {"~timed_out": "~np.logical_or.accumulate(timed_out, axis=0)"},
                "After a time-out no lost life counts any more. A new game has begun, with lives "
                "of its own: look at the flag of this step alone.",
            ),
            Wrong(
                {"~timed_out": "~timed_out.any(axis=1, keepdims=True)"},
                "When the time of one environment is up, lost lives are overlooked in all of "
                "them. Each environment has its own clock.",
            ),
            Wrong(
                {"reported = over | timed_out": "reported = over ^ timed_out"},
                "Where a game is over and its time is up in the same step, no score is reported: "
                "^ is True only if one of the two is. Use |.",
            ),
            Wrong(
                {"reported = over | timed_out": "reported = over & timed_out"},
                "A score is reported only where a game is over and its time is up at once. One of "
                "the two is enough.",
            ),
            Wrong(
                {"terminated = lost | over": "terminated = lost ^ over"},
                "Where a life is lost and the game is over at once, nothing terminates: ^ is True "
                "only if one of the two is. Use |.",
            ),
            Wrong(
                {"terminated = lost | over": "terminated = lost & over"},
                "It terminates only where a life is lost and the game is over at once. One of the "
                "two is enough.",
            ),
            Wrong(
                {"reported = over | timed_out": "reported = timed_out"},
                "Only games that the clock cut are reported. Each game that is over has a score, "
                "too.",
            ),
            Wrong(
                {"lives[1:] < lives[:-1]": "lives[1:] <= lives[:-1]"},
                "A life counts as lost where the counter stays as it is. It is lost where the "
                "counter falls.",
            ),
            Wrong(
                {"lost | over": "lost | (lives[1:] == 0)"},
                "A counter of 0 stands in the place of `over`. The counter after a game's last "
                "step belongs to the new game, and games without lives show a 0 all the time: "
                "whether a game is over, `over` says.",
                also=({"lost | over": "lost | (lives[1:] == 0) & ~timed_out"},),
            ),
            Wrong(
                {"lost | over": "lost & ~over"},
                "Where a game is over, nothing terminates. A game that is over is an end to learn "
                "from, like a lost life.",
            ),
            Wrong(
                {"lives[1:] < lives[:-1]": "lives[1:] < lives[0]"},
                "The counter is compared with the one before step 0, so that one lost life counts "
                "in every step after it. Compare it with the counter of the step before.",
            ),
            Wrong(
                {"~timed_out": "~timed_out.any(axis=0)"},
                "Where the time of a game is up once, no lost life of that environment counts, "
                "neither before nor after it. Look at the flag of this step alone.",
            ),
            Wrong(
                {" & ~timed_out": " & timed_out"},
                "Lost lives are seen only where the time is up. It is the other way round.",
            ),
        ),
        properties=(
            heeds(
                "What is reported changes with the lives. A game has one score, however many "
                "lives.",
                lambda given: {"lives": given.lives[::-1].copy()},
                where=lambda given: np.stack([False & given.over, True | given.over]),
            ),
            ignores(
                "`timed_out` has no effect: a game that the clock cut has a score, and what "
                "follows it "
                "is another game's counter.",
                lambda given: {"timed_out": ~given.timed_out},
            ),
            ignores(
                "`over` has no effect: a game that is over terminates, and has a score.",
                lambda given: {"over": ~given.over},
            ),
        ),
        hints=(
            "Take the three ends one by one: a lost life, the game's end, the clock. Which of the "
            "two results do they belong to?",
            "lives[:-1] are the counters before each step, lives[1:] those after it.",
            "The first is ((lives[1:] < lives[:-1]) & ~timed_out) | over, the second over | "
            "timed_out.",
        ),
        praise="Two questions, two flags: what ends for learning, and what ends for the score.",
        minutes=15,
        difficulty=3,
        parts=("terminated", "reported"),
    ),
    Exercise(
        id="7.7",
        title="frames and updates",
        reference=updates_for,
        cases=_budget_cases,
        wrong=(
            Wrong(
                {"frame_skip * t_max": "t_max"},
                "This takes a step for a frame. Each step shows `frame_skip` frames, so the budget "
                "is "
                "spent sooner: such a run has played 4 times as long as the one that it is "
                "compared "
                "with.",
            ),
            Wrong(
                {
                    "frames / (frame_skip * t_max * num_envs)": "frames * frame_skip / (t_max * "
                    "num_envs)"
                },
                "This multiplies by `frame_skip`. A step has several frames, so there are fewer "
                "steps "
                "than frames: divide.",
            ),
            Wrong(
                {"t_max * num_envs": "t_max"},
                "This counts the frames of one environment. All of them play, and all of their "
                "frames count.",
            ),
            Wrong(
                {"frame_skip * t_max *": "frame_skip *"},
                "An update comes after `t_max` steps of every environment, not after each.",
            ),
            Wrong(
                {"frames / (frame_skip * t_max * num_envs)": "frames / frame_skip"},
                "This is how many steps the budget pays for. An update takes t_max · num_envs of "
                "them.",
            ),
            Wrong(
                {
                    "return math.ceil(frames / "
                    "(frame_skip * t_max * num_envs))": "return num_envs * "
                    "math.ceil(frames / "
                    "(frame_skip * t_max * "
                    "num_envs))"
                },
                "This counts an update for each environment. They are in step with each other, and "
                "there is one update for all.",
            ),
            Wrong(
                {"math.ceil(": "math.floor("},
                "This rounds down where a part of an update is left: with 121 frames and 40 an "
                "update, one frame would remain that no update has played. Round up, math.ceil.",
            ),
            Wrong(
                {
                    "frames / (frame_skip * t_max * num_envs)": "frames // frame_skip / (t_max * "
                    "num_envs)"
                },
                "This rounds down on the way, to whole steps: a frame that is left over is lost. "
                "Divide by everything first, and round once, at the end.",
            ),
            Wrong(
                {"math.ceil(": "1 + math.floor("},
                "Where the budget is spent to the frame, this makes one update more. Round up: "
                "math.ceil leaves whole numbers as they are.",
            ),
            Wrong(
                {"math.ceil(": "("},
                "There is no part of an update. Round up, math.ceil.",
            ),
            Wrong(
                {"frame_skip * t_max": "4 * t_max"},
                "Not every game is played with 4 frames a step: use `frame_skip`.",
            ),
            Wrong(
                {"math.ceil(": "round("},
                "This rounds to the nearest. A part of an update that is left is played too: "
                "round up, math.ceil.",
            ),
            Wrong(
                {
                    "math.ceil(frames / (frame_skip * t_max * num_envs))": "math.ceil(frames / "
                    "frame_skip) // (t_max * num_envs)"
                },
                "The steps are rounded up, and the updates down: a part of an update that is left "
                "is not played. Divide by everything first, and round up once, at the end.",
            ),
            Wrong(
                {
                    "frames / (frame_skip * t_max * num_envs)": "frames * (1 / (frame_skip * "
                    "t_max * num_envs))"
                },
                "With 525 frames and 75 an update this makes 8 updates, one too many. A number "
                "such as 1 / 75 is rounded, and what it is multiplied with may come out a little "
                "too large. Divide the frames by those of an update.",
            ),
            Wrong(
                {"frame_skip * t_max * num_envs": "frame_skip * t_max + num_envs"},
                "The environments are added to the steps. Each of them takes all t_max steps: "
                "multiply.",
            ),
            Wrong(
                {
                    "math.ceil(frames / (frame_skip "
                    "* t_max * num_envs)": "frame_skip * t_max * num_envs "
                    "* math.ceil(frames / "
                    "(frame_skip * t_max * "
                    "num_envs)"
                },
                "This is how many frames the updates play. Asked for is the number of updates.",
            ),
        ),
        properties=(
            ignores(
                "`num_envs` has no effect: all environments play, and all of their frames count.",
                lambda given: {"num_envs": 3 * given.num_envs},
            ),
            ignores(
                "`t_max` has no effect: an update takes t_max steps of every environment.",
                lambda given: {"t_max": 3 * given.t_max},
            ),
            ignores(
                "`frame_skip` has no effect: a step shows that many frames.",
                lambda given: {"frame_skip": 3 * given.frame_skip},
            ),
        ),
        hints=(
            "How many steps does an update take, of all environments together? How many frames are "
            "those?",
            "An update plays frame_skip · t_max · num_envs frames.",
            "math.ceil(frames / (frame_skip * t_max * num_envs))",
        ),
        praise="Whoever says how long an agent has played now has to say: frames, steps or "
        "updates.",
        minutes=5,
        difficulty=1,
    ),
    Exercise(
        id="7.8",
        title="the paper's network",
        reference=PaperNetwork,
        cases=_network_cases,
        wrong=(
            Wrong(
                {"stride=4),\n            nn.ReLU(),": "stride=4),"},
                "There is no ReLU between the two convolutions. Without one they are a single "
                "linear map.",
            ),
            Wrong(
                {"stride=2),\n            nn.ReLU(),": "stride=2),"},
                "There is no ReLU behind the second convolution.",
            ),
            Wrong(
                {"nn.Linear(2592, 256),\n            nn.ReLU(),": "nn.Linear(2592, 256),"},
                "There is no ReLU behind the 256 units. Both heads are linear, so without it the "
                "units add nothing.",
            ),
            Wrong(
                {
                    "nn.Conv2d(stack, 16": "nn.Conv2d(stack, 32",
                    "nn.Conv2d(16, 32": "nn.Conv2d(32, 16",
                    "nn.Linear(2592": "nn.Linear(1296",
                },
                "The numbers of filters are exchanged: 16 in the first layer, 32 in the second.",
            ),
            Wrong(
                {"nn.Conv2d(stack, 16": "nn.Conv2d(4, 16"},
                "The first layer always takes 4 pictures. How many there are is `stack`.",
            ),
            Wrong(
                {"nn.Linear(256, actions)": "nn.Linear(256, 6)"},
                "The policy's head always has 6 outputs. It needs one for each of the `actions`; "
                "Breakout has 4.",
            ),
            Wrong(
                {"features_of(self.torso, pictures)": "features_of(self.torso, pictures / 255)"},
                "Bytes are divided by 255 twice: your features_of does it already.",
            ),
            Wrong(
                {
                    "features_of(self.torso, pictures)": "features_of(self.torso, "
                    "255 * pictures.float())"
                },
                "The convolutions are given bytes, 0 … 255. Divide by 255, as your features_of "
                "does.",
            ),
            Wrong(
                {"self.value_head(features).squeeze(-1)": "self.value_head(features)"},
                "The values have one axis too many: (*B, 1). Take the last one away: .squeeze(-1).",
            ),
            Wrong(
                {
                    "return self.policy_head(features)": "return "
                    "self.policy_head(features).softmax(dim=-1)"
                },
                "You return probabilities. What follows takes logits and makes the softmax itself.",
            ),
            Wrong(
                {
                    "return self.policy_head(features), "
                    "self.value_head(features).squeeze(-1)": "return "
                    "self.value_head(features).squeeze(-1), self.policy_head(features)"
                },
                "The two are in the wrong order: logits first, then values.",
            ),
            Wrong(
                {"self.value_head(features)": "self.value_head(features.detach())"},
                "The critic does not teach the convolutions: leave the detach() out.",
            ),
            Wrong(
                {"return self.policy_head(features)": "return self.policy_head(features).relu()"},
                "There is a ReLU behind the policy's head. A logit can be any number: the heads "
                "are linear.",
            ),
            Wrong(
                {
                    "self.value_head(features).squeeze(-1)": "self.value_head(features)"
                    ".squeeze(-1).relu()"
                },
                "The values are never negative. They have to be where more is lost than won: the "
                "heads are linear, and nothing stands behind them.",
            ),
            Wrong(
                {
                    "return self.policy_head(features)": "return "
                    "self.policy_head(features).log_softmax(dim=-1)"
                },
                "You return logarithms of probabilities. The heads are linear, and nothing stands "
                "behind them: what follows makes the softmax itself.",
            ),
            Wrong(
                {"features_of(self.torso, pictures)": "features_of(self.torso, pictures).detach()"},
                "No gradient reaches the convolutions, so they would never learn. Acting switches "
                "gradients off by itself: leave out `no_grad` and `detach`.",
            ),
            Wrong(
                {"self.policy_head(features)": "self.policy_head(features.detach())"},
                "The actor does not teach the convolutions: leave the detach() out.",
            ),
            Wrong(
                {
                    "kernel_size=8, stride=4": "kernel_size=8, stride=2",
                    "kernel_size=4, stride=2": "kernel_size=4, stride=4",
                },
                "The strides are exchanged: 4 in the first layer, 2 in the second.",
            ),
            Wrong(
                {"nn.Linear(2592, 256)": "nn.LazyLinear(256)"},
                "A layer whose name begins with Lazy has no weights before it has seen pictures. "
                "What looks at the weights of a new network, as this chapter does further down, "
                "finds none. Write how many numbers come in.",
            ),
            Wrong(
                {"kernel_size=8, stride=4": "kernel_size=8, stride=4, padding=2"},
                "The first layer sees a border of zeros. The paper's windows stay within the "
                "picture: no padding.",
            ),
        ),
        hints=(
            "A torso in an nn.Sequential, convolutions, Flatten and the units, and two linear "
            "heads on what it gives. Your features_of carries pictures through it in any batch.",
            "nn.Conv2d(stack, 16, kernel_size=8, stride=4), and the second one likewise. A ReLU "
            "behind each of the three layers, none behind a head.",
            "nn.Linear(2592, 256), since 32 · 9 · 9 = 2592; logits are "
            "self.policy_head(features), values self.value_head(features).squeeze(-1).",
        ),
        praise="The network of most of the paper's experiments, 0.7 million weights.",
        minutes=20,
        difficulty=2,
    ),
)
