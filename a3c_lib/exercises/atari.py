"""Chapter 07: the exercises of "Atari from pixels"."""

import math
from functools import partial
from typing import Any

import ale_py
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from a3c_lib.actor_critic import Targets, one_step_targets
from a3c_lib.encoders import features_of
from a3c_lib.exercises.engine.cases import Case, Exercise, Wrong
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


def last_episode_still_seen(stack: Bytes, picture: Bytes, begins: bool) -> Bytes:
    return pushed(stack, picture, False)


def newest_first(stack: Bytes, picture: Bytes, begins: bool) -> Bytes:
    return pushed(stack[::-1], picture, begins)[::-1].copy()


def first_picture_repeated(stack: Bytes, picture: Bytes, begins: bool) -> Bytes:
    return np.stack([picture] * len(stack)) if begins else pushed(stack, picture, False)


def nothing_but_black(stack: Bytes, picture: Bytes, begins: bool) -> Bytes:
    return np.zeros_like(stack) if begins else pushed(stack, picture, False)


def newest_dropped(stack: Bytes, picture: Bytes, begins: bool) -> Bytes:
    older = np.zeros_like(stack[:-1]) if begins else stack[:-1]
    return np.concatenate([older, picture[None]])


def one_more_each_time(stack: Bytes, picture: Bytes, begins: bool) -> Bytes:
    older = np.zeros_like(stack) if begins else stack
    return np.concatenate([older, picture[None]])


def always_alone(stack: Bytes, picture: Bytes, begins: bool) -> Bytes:
    return pushed(stack, picture, True)


def begins_turned_round(stack: Bytes, picture: Bytes, begins: bool) -> Bytes:
    return pushed(stack, picture, not begins)


def written_into_the_old_stack(stack: Bytes, picture: Bytes, begins: bool) -> Bytes:
    stack[:-1] = 0 if begins else stack[1:].copy()
    stack[-1] = picture
    return stack


def oldest_overwritten(stack: Bytes, picture: Bytes, begins: bool) -> Bytes:
    older = np.zeros_like(stack[1:]) if begins else stack[1:]
    return np.concatenate([picture[None], older])


def black_in_floats(stack: Bytes, picture: Bytes, begins: bool) -> Any:
    older = np.zeros(stack[1:].shape) if begins else stack[1:]
    return np.concatenate([older, picture[None]])


def floats_throughout(stack: Bytes, picture: Bytes, begins: bool) -> Any:
    return pushed(stack, picture, begins).astype(float)


def rolled_the_other_way(stack: Bytes, picture: Bytes, begins: bool) -> Bytes:
    new = np.zeros_like(stack) if begins else np.roll(stack, 1, axis=0)
    new[-1] = picture
    return new


def rolled_without_an_axis(stack: Bytes, picture: Bytes, begins: bool) -> Bytes:
    new = np.zeros_like(stack) if begins else np.roll(stack, -1)
    new[-1] = picture
    return new


def _stack_cases() -> list[Case]:
    def bytes_of(*shape: int) -> Bytes:
        numbers: Tensor = torch.randint(1, 256, shape, dtype=torch.uint8)
        return numbers.numpy()

    return [
        Case("2 pictures of 1 × 2, within an episode", bytes_of(2, 1, 2), bytes_of(1, 2), False),
        Case("2 pictures of 1 × 2, an episode begins", bytes_of(2, 1, 2), bytes_of(1, 2), True),
        Case("4 pictures of 2 × 3, within an episode", bytes_of(4, 2, 3), bytes_of(2, 3), False),
        Case("4 pictures of 2 × 3, an episode begins", bytes_of(4, 2, 3), bytes_of(2, 3), True),
        Case("1 picture of 3 × 3, within an episode", bytes_of(1, 3, 3), bytes_of(3, 3), False),
        Case("1 picture of 3 × 3, an episode begins", bytes_of(1, 3, 3), bytes_of(3, 3), True),
    ]


# 7.2 Pictures in any batch


def bytes_not_scaled(layers: nn.Module, pictures: Tensor) -> Tensor:
    features: Tensor = features_of(layers, pictures.float() * 255)
    return features


def scaled_by_256(layers: nn.Module, pictures: Tensor) -> Tensor:
    return features_of(layers, pictures * (255 / 256))


def whole_numbers_divided(layers: nn.Module, pictures: Tensor) -> Tensor:
    return features_of(layers, (pictures // 255) * 255)


def left_in_one_axis(layers: nn.Module, pictures: Tensor) -> Tensor:
    features: Tensor = layers(pictures.reshape(-1, *pictures.shape[-3:]) / 255)
    return features


def scaled_behind_the_layers(layers: nn.Module, pictures: Tensor) -> Tensor:
    return bytes_not_scaled(layers, pictures) / 255


def grey_in_the_middle(layers: nn.Module, pictures: Tensor) -> Tensor:
    return features_of(layers, pictures.float() * 2 - 255)


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


def newest_and_oldest_exchanged(layers: nn.Module, pictures: Tensor) -> Tensor:
    return features_of(layers, pictures.flip(-3))


def encoder_that_does_not_learn(layers: nn.Module, pictures: Tensor) -> Tensor:
    with torch.no_grad():
        return features_of(layers, pictures)


def _picture_cases() -> list[Case]:
    def layers(stack: int) -> nn.Module:
        return nn.Sequential(nn.Conv2d(stack, 3, kernel_size=2), nn.ReLU(), nn.Flatten())

    def pictures(*shape: int) -> Tensor:
        return torch.randint(0, 256, shape, dtype=torch.uint8)

    return [
        Case("acting: 3 environments", layers(2), pictures(3, 2, 4, 4)),
        Case("a rollout of 2 steps of 3 environments", layers(2), pictures(2, 3, 2, 4, 4)),
        Case("a rollout of 3 steps of 3 environments", layers(4), pictures(3, 3, 4, 3, 5)),
        Case("a rollout of 4 steps of 1 environment", layers(2), pictures(4, 1, 2, 4, 4)),
        Case("a single stack", layers(2), pictures(2, 4, 4)),
    ]


# 7.3 One picture of two screens


def one_picture(before: Bytes, after: Bytes) -> Bytes:
    """The brighter of two screens at each dot, in grey.   (H, W, 3), (H, W, 3) → (H, W)."""
    return np.maximum(luminance(before), luminance(after))


def the_last_screen_alone(before: Bytes, after: Bytes) -> Bytes:
    return luminance(after)


def the_first_screen_alone(before: Bytes, after: Bytes) -> Bytes:
    return luminance(before)


def mean_of_the_screens(before: Bytes, after: Bytes) -> Bytes:
    both = luminance(before).astype(float) + luminance(after)
    return np.rint(both / 2).astype(np.uint8)


def screens_added_up(before: Bytes, after: Bytes) -> Bytes:
    return luminance(before) + luminance(after)


def the_darker_one(before: Bytes, after: Bytes) -> Bytes:
    return np.minimum(luminance(before), luminance(after))


def colours_joined_first(before: Bytes, after: Bytes) -> Bytes:
    return luminance(np.maximum(before, after))


def colours_weigh_the_same(before: Bytes, after: Bytes) -> Bytes:
    def mean(screen: Bytes) -> Bytes:
        bright: Bytes = np.rint(screen.mean(axis=-1)).astype(np.uint8)
        return bright

    return np.maximum(mean(before), mean(after))


def brightest_colour(before: Bytes, after: Bytes) -> Bytes:
    brightest: Bytes = np.maximum(before, after).max(axis=-1)
    return brightest


def blue_before_red(before: Bytes, after: Bytes) -> Bytes:
    return one_picture(before[..., ::-1], after[..., ::-1])


def cut_off_instead_of_rounded(before: Bytes, after: Bytes) -> Bytes:
    weights = np.array([0.299, 0.587, 0.114])
    cut_off: Bytes = np.maximum(before @ weights, after @ weights).astype(np.uint8)
    return cut_off


def never_rounded(before: Bytes, after: Bytes) -> Any:
    weights = np.array([0.299, 0.587, 0.114])
    return np.maximum(before @ weights, after @ weights)


def the_brighter_screen_as_a_whole(before: Bytes, after: Bytes) -> Bytes:
    one, other = luminance(before), luminance(after)
    return one if one.sum() > other.sum() else other


def not_bytes(before: Bytes, after: Bytes) -> Any:
    return one_picture(before, after).astype(float)


def scaled_already(before: Bytes, after: Bytes) -> Any:
    return one_picture(before, after) / 255


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


def last_reward_alone(console: Any, action: int, frames: int) -> Held:
    for _ in range(frames - 2):
        console.act(action)
    console.act(action)
    before = console.getScreenRGB()
    reward = console.act(action)
    return float(reward), before, console.getScreenRGB()


def the_first_screen_and_the_last(console: Any, action: int, frames: int) -> Held:
    reward, screens = 0.0, []
    for _ in range(frames):
        reward += console.act(action)
        screens.append(console.getScreenRGB())
    return reward, screens[0], screens[-1]


def the_first_two_screens(console: Any, action: int, frames: int) -> Held:
    reward, screens = 0.0, []
    for _ in range(frames):
        reward += console.act(action)
        screens.append(console.getScreenRGB())
    return reward, screens[0], screens[1]


def screens_before_the_frames(console: Any, action: int, frames: int) -> Held:
    reward, screens = 0.0, []
    for _ in range(frames):
        screens.append(console.getScreenRGB())
        reward += console.act(action)
    return reward, screens[-2], screens[-1]


def screens_turned_round(console: Any, action: int, frames: int) -> Held:
    reward, before, after = held(console, action, frames)
    return reward, after, before


def one_frame_too_few(console: Any, action: int, frames: int) -> Held:
    return held(console, action, max(2, frames - 1))


def one_frame_too_many(console: Any, action: int, frames: int) -> Held:
    return held(console, action, frames + 1)


def always_four_frames(console: Any, action: int, frames: int) -> Held:
    return held(console, action, 4)


def pressed_once(console: Any, action: int, frames: int) -> Held:
    reward, screens = 0.0, []
    for frame in range(frames):
        reward += console.act(action if frame == 0 else 0)
        screens.append(console.getScreenRGB())
    return reward, screens[-2], screens[-1]


class _Console:
    """Remembers what is pressed. A frame pays its number times the action; its screen is as bright
    as its number, and in one corner as the action."""

    def __init__(self) -> None:
        self.pressed: list[int] = []

    def act(self, action: int) -> int:
        number: int = getattr(action, "value", action)  # ale_py.Action has numbers, and is none
        self.pressed.append(number)
        return number * len(self.pressed)

    def getScreenDims(self) -> tuple[int, int]:
        return 210, 160

    def getScreenRGB(self, screen: Bytes | None = None) -> Bytes | None:
        drawn = np.full((210, 160, 3), len(self.pressed), dtype=np.uint8)
        drawn[0, 0] = self.pressed[-1] if self.pressed else 0
        if screen is None:
            return drawn
        screen[:] = drawn
        return None


def _two_steps(
    answer: Any, first: int, second: int, frames: int
) -> tuple[Held, Held, tuple[int, ...]]:
    """What is returned for two actions, one after the other, each as long as `frames` frames, and
    what the console was told."""
    console = _Console()
    one = answer(console, first, frames)
    one = (one[0], *map(np.copy, one[1:]))
    return one, answer(console, second, frames), tuple(console.pressed)


def _held_cases() -> list[Case]:
    return [
        Case("actions 1 and 3, 2 frames each", 1, 3, 2, probe=_two_steps),
        Case("actions 2 and 1, 3 frames each", 2, 1, 3, probe=_two_steps),
        Case("actions 3 and 2, 4 frames each", 3, 2, 4, probe=_two_steps),
    ]


# 7.5 Rewards that are clipped


def returns_clipped(targets: Targets) -> Targets:
    def clipped_targets(*args: Any) -> Tensor:
        return targets(*args).clamp(-1, 1)

    return clipped_targets


def _with_rewards(change: Any) -> Any:
    """A function of targets that changes the rewards first."""

    def changed(targets: Targets) -> Targets:
        def of_changed(rewards: Tensor, *others: Any) -> Tensor:
            return targets(change(rewards), *others)

        return of_changed

    return changed


def signs_alone(targets: Targets) -> Targets:
    changed: Targets = _with_rewards(torch.sign)(targets)
    return changed


def losses_forgotten(targets: Targets) -> Targets:
    changed: Targets = _with_rewards(partial(torch.clamp, min=0, max=1))(targets)
    return changed


def gains_alone_limited(targets: Targets) -> Targets:
    changed: Targets = _with_rewards(partial(torch.clamp, max=1))(targets)
    return changed


def divided_by_the_largest(targets: Targets) -> Targets:
    changed: Targets = _with_rewards(lambda rewards: rewards / rewards.abs().max())(targets)
    return changed


def squashed(targets: Targets) -> Targets:
    changed: Targets = _with_rewards(torch.tanh)(targets)
    return changed


def rewards_overwritten(targets: Targets) -> Targets:
    changed: Targets = _with_rewards(lambda rewards: rewards.clamp_(-1, 1))(targets)
    return changed


def critic_clipped_too(targets: Targets) -> Targets:
    def clipped_targets(rewards: Tensor, next_values: Tensor, *others: Any) -> Tensor:
        return targets(rewards.clamp(-1, 1), next_values.clamp(-1, 1), *others)

    return clipped_targets


def always_n_step_returns(targets: Targets) -> Targets:
    changed: Targets = clipped(n_step_returns)
    return changed


def nothing_clipped(targets: Targets) -> Targets:
    return targets


def _applied(answer: Any, targets: Targets, *rollout: Any) -> Any:
    """What the clipped targets of a rollout are."""
    return answer(targets)(*rollout)


def _reward_cases() -> list[Case]:
    def column(*numbers: float | bool) -> Tensor:
        return torch.tensor(numbers)[:, None]

    def random(T: int, N: int) -> tuple[Tensor, ...]:
        no = torch.zeros(T, N, dtype=torch.bool)
        ends = torch.rand(T, N) < 0.2
        return 5 * torch.randn(T, N), 3 * torch.randn(T, N), ends, no

    no = column(False, False)
    on_paper = column(7.0, -3.0), column(0.0, 0.0), no, no
    small = column(0.5, 30.0), column(4.0, 4.0), no, no
    return [
        Case("on paper: rewards 7 and −3", one_step_targets, *on_paper, 0.5, probe=_applied),
        Case("rewards 0.5 and 30", one_step_targets, *small, 0.5, probe=_applied),
        Case("n-step returns of 4 steps", n_step_returns, *random(4, 1), 0.9, probe=_applied),
        Case("n-step returns, (5, 3)", n_step_returns, *random(5, 3), 0.99, probe=_applied),
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


def next_games_lives_compared(lives: Lives, over: Flags, timed_out: Flags) -> Ends:
    return (lives[1:] < lives[:-1]) | over, over | timed_out


def more_lives(lives: Lives, over: Flags, timed_out: Flags) -> Ends:
    return (lives[1:] > lives[:-1]) | over, over | timed_out


def fewer_lives_alone(lives: Lives, over: Flags, timed_out: Flags) -> Ends:
    return lives[1:] < lives[:-1], over | timed_out


def any_change_of_lives(lives: Lives, over: Flags, timed_out: Flags) -> Ends:
    return (lives[1:] != lives[:-1]) | over, over | timed_out


def lives_overlooked(lives: Lives, over: Flags, timed_out: Flags) -> Ends:
    return over, over | timed_out


def no_lives_left(lives: Lives, over: Flags, timed_out: Flags) -> Ends:
    return (lives[1:] == 0) | over, over | timed_out


def the_clock_terminates(lives: Lives, over: Flags, timed_out: Flags) -> Ends:
    terminated, reported = next_games_lives_compared(lives, over, timed_out)
    return terminated | timed_out, reported


def the_clock_outdoes_the_end(lives: Lives, over: Flags, timed_out: Flags) -> Ends:
    terminated, reported = ends(lives, over, timed_out)
    return terminated & ~timed_out, reported


def a_score_for_each_life(lives: Lives, over: Flags, timed_out: Flags) -> Ends:
    terminated, _ = next_games_lives_compared(lives, over, timed_out)
    return terminated, terminated | timed_out


def long_games_never_reported(lives: Lives, over: Flags, timed_out: Flags) -> Ends:
    return next_games_lives_compared(lives, over, timed_out)[0], over


def results_exchanged(lives: Lives, over: Flags, timed_out: Flags) -> Ends:
    terminated, reported = next_games_lives_compared(lives, over, timed_out)
    return reported, terminated


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
            "two environments",
            np.hstack([column(3, 2, 2, 1, 3, 3), column(2, 2, 3, 3, 2, 3)]),
            np.hstack([steps(5, 3), none]),
            np.hstack([none, steps(5, 4)]),
        ),
    ]


# 7.7 Frames and updates


def updates_for(frames: int, t_max: int, num_envs: int, frame_skip: int) -> int:
    """How many updates a budget of `frames` frames pays for, all environments together; the last
    one may go beyond it."""
    return math.ceil(frames / (frame_skip * t_max * num_envs))


def steps_taken_for_frames(frames: int, t_max: int, num_envs: int, frame_skip: int) -> int:
    return math.ceil(frames / (t_max * num_envs))


def frames_multiplied(frames: int, t_max: int, num_envs: int, frame_skip: int) -> int:
    return math.ceil(frames * frame_skip / (t_max * num_envs))


def one_environment_counted(frames: int, t_max: int, num_envs: int, frame_skip: int) -> int:
    return math.ceil(frames / (frame_skip * t_max))


def an_update_for_each_step(frames: int, t_max: int, num_envs: int, frame_skip: int) -> int:
    return math.ceil(frames / (frame_skip * num_envs))


def steps_not_updates(frames: int, t_max: int, num_envs: int, frame_skip: int) -> int:
    return math.ceil(frames / frame_skip)


def an_update_for_each_environment(frames: int, t_max: int, num_envs: int, frame_skip: int) -> int:
    return num_envs * updates_for(frames, t_max, num_envs, frame_skip)


def the_last_one_left_out(frames: int, t_max: int, num_envs: int, frame_skip: int) -> int:
    return frames // (frame_skip * t_max * num_envs)


def rounded_down_on_the_way(frames: int, t_max: int, num_envs: int, frame_skip: int) -> int:
    return math.ceil(frames // frame_skip / (t_max * num_envs))


def one_too_many(frames: int, t_max: int, num_envs: int, frame_skip: int) -> int:
    return frames // (frame_skip * t_max * num_envs) + 1


def a_part_of_an_update(frames: int, t_max: int, num_envs: int, frame_skip: int) -> float:
    return frames / (frame_skip * t_max * num_envs)


def always_four(frames: int, t_max: int, num_envs: int, frame_skip: int) -> int:
    return updates_for(frames, t_max, num_envs, 4)


def _budget_cases() -> list[Case]:
    return [
        Case("3 updates to the frame", 120, t_max=5, num_envs=2, frame_skip=4),
        Case("a frame more than 3 updates", 121, t_max=5, num_envs=2, frame_skip=4),
        Case("one environment, one frame a step", 7, t_max=3, num_envs=1, frame_skip=1),
        Case("3 frames a step", 1000, t_max=4, num_envs=8, frame_skip=3),
        Case("200 million frames, A2C's batch", 200_000_000, t_max=5, num_envs=16, frame_skip=4),
    ]


EXERCISES = (
    Exercise(
        id="7.1",
        title="the latest pictures",
        reference=pushed,
        cases=_stack_cases,
        wrong=(
            Wrong(
                last_episode_still_seen,
                "Where an episode begins, the stack still holds pictures of the one before. The "
                "ball "
                "then seems to have flown from where the last game ended to where this one begins.",
            ),
            Wrong(
                newest_first,
                "The newest picture stands first here. That would do as well, if all agreed on it; "
                "ale-py and Gymnasium put it last, and a network that was trained on one order "
                "reads "
                "the other one backwards.",
            ),
            Wrong(
                first_picture_repeated,
                "Where an episode begins, this repeats its first picture. Some wrappers do that "
                "(Gymnasium's too, unless it is told otherwise); ale-py leaves the older pictures "
                "black, and so do we.",
            ),
            Wrong(
                nothing_but_black,
                "Where an episode begins, all pictures are black, the new one too. Its first "
                "picture "
                "is there to be seen.",
            ),
            Wrong(
                newest_dropped,
                "What leaves the stack here is the latest picture, and the oldest stays for ever. "
                "Leave out the first one: stack[1:].",
            ),
            Wrong(
                one_more_each_time,
                "The stack grows by one picture at each step. The oldest one leaves: stack[1:].",
            ),
            Wrong(
                always_alone,
                "The older pictures are black at every step. They are to be forgotten only where "
                "an "
                "episode begins.",
            ),
            Wrong(
                begins_turned_round,
                "`begins` is understood the wrong way round: the older pictures are black within "
                "an "
                "episode, and those of the last episode where a new one begins.",
            ),
            Wrong(
                written_into_the_old_stack,
                "The pictures are right, but this writes them into the array that came in. A "
                "rollout "
                "holds that array as the observation of the step before: it would change after the "
                "fact. Return a new one.",
            ),
            Wrong(
                oldest_overwritten,
                "The new picture stands first and the others in the order of time behind it, so "
                "the "
                "order is broken at one place. The newest one comes last.",
            ),
            Wrong(
                black_in_floats,
                "Where an episode begins, this gives floats: np.zeros makes them unless it is told "
                "otherwise. Pictures are bytes; np.zeros_like(stack[1:]) keeps their kind.",
            ),
            Wrong(
                floats_throughout,
                "The pictures are right, but in floats, which need eight times the memory: "
                "np.zeros "
                "makes floats unless it is told otherwise. np.zeros_like(stack) keeps bytes.",
            ),
            Wrong(
                rolled_the_other_way,
                "This moves the pictures the wrong way: each goes one place towards the end, and "
                "the "
                "latest but one is lost. np.roll by −1 moves them to the front.",
            ),
            Wrong(
                rolled_without_an_axis,
                "np.roll without `axis=0` moves dots, not pictures: each dot goes to its "
                "neighbour's "
                "place, and the first one of a picture into the picture before it.",
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
    ),
    Exercise(
        id="7.2",
        title="pictures in any batch",
        reference=features_of,
        cases=_picture_cases,
        wrong=(
            Wrong(
                bytes_not_scaled,
                "The layers see numbers up to 255. Their weights were drawn for inputs of about 1: "
                "divide by 255.",
            ),
            Wrong(
                scaled_behind_the_layers,
                "This divides what comes out of the layers. That is not the same, since they add "
                "their biases in between: divide the pictures that go in.",
            ),
            Wrong(
                grey_in_the_middle,
                "Bytes become −1 … 1 here. Other programs do that; here black is 0 and white is 1.",
            ),
            Wrong(scaled_by_256, "White is 255, so divide by 255 to make it 1, not by 256."),
            Wrong(
                whole_numbers_divided,
                "`//` divides whole numbers: everything but pure white becomes 0. Use `/`.",
            ),
            Wrong(
                left_in_one_axis,
                "The features are right, in one long axis. Put them back: a rollout of (T, N) "
                "stacks gives (T, N) rows of features, and a single stack one row without a batch "
                "axis.",
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
                newest_and_oldest_exchanged,
                "The pictures of a stack are turned round in time. Leave the last three axes "
                "alone.",
            ),
            Wrong(
                encoder_that_does_not_learn,
                "The features are right, but no gradient flows through them: this encoder would "
                "never "
                "learn. Acting switches gradients off by itself; leave out `no_grad` and `detach`.",
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
    ),
    Exercise(
        id="7.3",
        title="one picture of two screens",
        reference=one_picture,
        cases=_screen_cases,
        wrong=(
            Wrong(
                the_last_screen_alone,
                "Only the last screen counts here. What the game draws in every second frame is "
                "then "
                "missing in some pictures.",
            ),
            Wrong(the_first_screen_alone, "Only the first of the two screens counts here."),
            Wrong(
                mean_of_the_screens,
                "This is the mean of both. What is drawn in one of two frames would be half as "
                "bright, and what flies would leave two pale spots. Take the brighter one.",
            ),
            Wrong(
                screens_added_up,
                "This adds two bytes up. Bytes end at 255 and begin again at 0: bright spots turn "
                "dark. Take the larger of both, np.maximum.",
            ),
            Wrong(
                the_darker_one,
                "This takes the darker one: what is drawn in only one of the two frames vanishes.",
            ),
            Wrong(
                colours_joined_first,
                "This takes the larger red, green and blue first, and the brightness of that "
                "colour, "
                "which was on neither screen: red and green make a yellow that is brighter than "
                "both. First the brightness of each screen, then the larger one. (DQN's paper of "
                "2015 "
                "does it your way; ale-py, which your pictures are compared with, does not.)",
            ),
            Wrong(
                colours_weigh_the_same,
                "This is the plain mean of red, green and blue. The eye does not see them equally "
                "bright: 0.299, 0.587, 0.114.",
            ),
            Wrong(
                brightest_colour,
                "This is the largest of all colours. Brightness adds them up, with weights.",
            ),
            Wrong(
                blue_before_red,
                "The weights are turned round: a screen has red first and blue last. (OpenCV is "
                "the "
                "other way round.)",
            ),
            Wrong(
                cut_off_instead_of_rounded,
                "`astype` cuts off what stands after the point. Round first, np.rint; then your "
                "pictures are those of ale-py dot for dot.",
            ),
            Wrong(
                never_rounded,
                "The brightness is right, but neither rounded nor a byte. np.rint rounds; then "
                ".astype(np.uint8).",
            ),
            Wrong(
                the_brighter_screen_as_a_whole,
                "This chooses one of the two screens, the one that is brighter as a whole. Choose "
                "at "
                "each dot: np.maximum.",
            ),
            Wrong(
                not_bytes,
                "The numbers are right, but they are floats. A picture is of bytes, "
                ".astype(np.uint8): the rollouts need an eighth of the memory.",
            ),
            Wrong(
                scaled_already,
                "This divides by 255. Pictures stay bytes until the network sees them; it scales "
                "them itself.",
            ),
        ),
        hints=(
            "Two things are done at each dot: three colours become one brightness, and of two "
            "brightnesses the larger stays. Which comes first?",
            "`luminance` of each screen; or screen @ [0.299, 0.587, 0.114], rounded. Then "
            "np.maximum.",
            "return np.maximum(luminance(before), luminance(after))",
        ),
    ),
    Exercise(
        id="7.4",
        title="bug hunt: rocks that flicker",
        reference=held,
        cases=_held_cases,
        start=held_with_a_bug,
        wrong=(
            Wrong(
                held_with_a_bug,
                "`before` and `after` are the same array, so they are always equal: the last "
                "screen, "
                "twice. The list holds two names for one thing. Try `before is after`.",
            ),
            Wrong(
                last_reward_alone,
                "The screens are right now, but only the last frame's reward is returned. The step "
                "is paid what all its frames pay.",
            ),
            Wrong(
                the_first_screen_and_the_last,
                "These are the first and the last screen of the step. With 4 frames a step they "
                "are "
                "3 frames apart, and what flies is seen in two places. Take the last two.",
            ),
            Wrong(
                the_first_two_screens, "These are the step's first two screens, not its last two."
            ),
            Wrong(
                screens_before_the_frames,
                "Each screen is taken before its frame: the last one, which the step led to, is "
                "never seen. The agent would see everything a frame late.",
            ),
            Wrong(
                screens_turned_round,
                "The two screens are exchanged. Their maximum is the same, but `before` comes "
                "first.",
            ),
            Wrong(one_frame_too_few, "The action is held for one frame too few."),
            Wrong(one_frame_too_many, "The action is held for one frame too many."),
            Wrong(
                always_four_frames,
                "The action is held for 4 frames, however many are asked for. `frames` says how "
                "many.",
            ),
            Wrong(
                pressed_once,
                "The action is pressed in the first frame alone, and then let go. It is to be "
                "held.",
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
    ),
    Exercise(
        id="7.5",
        title="rewards that are clipped",
        reference=clipped,
        cases=_reward_cases,
        wrong=(
            Wrong(
                nothing_clipped,
                "The targets are the same as before. Return a function that limits the rewards, "
                "and "
                "then calls `targets`.",
            ),
            Wrong(
                returns_clipped,
                "This limits the returns. They may well be larger than 1: twenty rewards of 1 are "
                "worth nearly 20. Limited is each single reward.",
            ),
            Wrong(
                critic_clipped_too,
                "This limits what the critic says, too. Its values are sums of many rewards; only "
                "the rewards are limited.",
            ),
            Wrong(
                always_n_step_returns,
                "These are n-step returns, whichever function was given. Call `targets`, not "
                "`n_step_returns`.",
            ),
            Wrong(
                signs_alone,
                "This takes the sign. In games whose rewards are whole numbers that is the same, "
                "and "
                "well-known programs do it; but a reward of 0.5 lies within −1 … 1 and stays.",
            ),
            Wrong(
                losses_forgotten,
                "Negative rewards become 0 here: in Pong, where every point lost is a −1, half of "
                "the lesson is gone. Limit to −1 … 1.",
            ),
            Wrong(
                gains_alone_limited,
                "Only what is above 1 is limited. Below −1 there is a limit, too.",
            ),
            Wrong(
                divided_by_the_largest,
                "This divides by the largest reward of the rollout, so the same reward counts "
                "differently in each rollout, and is not a number where nothing was paid.",
            ),
            Wrong(
                squashed,
                "This squashes rewards smoothly. It is a way to do it, but not the papers': a "
                "reward "
                "of 1 is to stay 1.",
            ),
            Wrong(
                rewards_overwritten,
                "This limits the rewards in place: the rollout's own rewards are changed. Whoever "
                "adds "
                "them up afterwards reports a score that nobody played. `clamp` makes new ones, "
                "`clamp_` does not.",
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
    ),
    Exercise(
        id="7.6",
        title="a life and a game",
        reference=ends,
        cases=_life_cases,
        wrong=(
            Wrong(
                next_games_lives_compared,
                "Where the time is up, the counter after the step belongs to the new game. If "
                "lives "
                "were won in the old one, it falls, though no life was lost: a lost life counts "
                "only "
                "where the time is not up.",
            ),
            Wrong(
                more_lives,
                "This looks for lives that are won: `lives[1:]` is after the step, `lives[:-1]` "
                "before it. A life is lost where the counter falls.",
            ),
            Wrong(
                fewer_lives_alone,
                "With the last life a game is over, and the counter that you see belongs to the "
                "new "
                "game: it has gone *up*. So `over` terminates as well.",
            ),
            Wrong(
                any_change_of_lives,
                "Any change of the counter ends here. A life that is won changes it as well, and "
                "nothing ends by it.",
            ),
            Wrong(
                lives_overlooked,
                "Only the end of the game counts here. With `life_ends`, a lost life is an end to "
                "learn from.",
            ),
            Wrong(
                no_lives_left,
                "This waits until no life is left. Each lost life is an end to learn from; and "
                "games without lives show a 0 all the time.",
            ),
            Wrong(
                the_clock_terminates,
                "A time limit is no ending to learn from: something would have come, and the "
                "return "
                "bootstraps there. It belongs in the second result alone.",
            ),
            Wrong(
                the_clock_outdoes_the_end,
                "Where a game is over and its time is up in the same step, nothing would have "
                "come: "
                "it terminates.",
            ),
            Wrong(
                a_score_for_each_life,
                "This reports a score at each lost life. A game of Breakout has five lives and one "
                "score.",
            ),
            Wrong(
                long_games_never_reported,
                "A game that the clock cut has a score, too. Leave it out, and the best games, "
                "which last longest, are missing in the mean.",
            ),
            Wrong(
                results_exchanged,
                "The two results are exchanged: first what terminates, then what is reported.",
            ),
            Wrong(
                a_step_early,
                "A lost life is seen one step early here. `lives[t]` is the counter before step t, "
                "`lives[t + 1]` the one after it.",
            ),
            Wrong(
                a_step_late,
                "A lost life is seen one step late here. `lives[t]` is the counter before step t, "
                "`lives[t + 1]` the one after it.",
            ),
        ),
        hints=(
            "Take the three ends one by one: a lost life, the game's end, the clock. Which of the "
            "two results do they belong to?",
            "lives[:-1] are the counters before each step, lives[1:] those after it.",
            "The first is ((lives[1:] < lives[:-1]) & ~timed_out) | over, the second over | "
            "timed_out.",
        ),
    ),
    Exercise(
        id="7.7",
        title="frames and updates",
        reference=updates_for,
        cases=_budget_cases,
        wrong=(
            Wrong(
                steps_taken_for_frames,
                "This takes a step for a frame. Each step shows `frame_skip` frames, so the budget "
                "is "
                "spent sooner: such a run has played 4 times as long as the one that it is "
                "compared "
                "with.",
            ),
            Wrong(
                frames_multiplied,
                "This multiplies by `frame_skip`. A step has several frames, so there are fewer "
                "steps "
                "than frames: divide.",
            ),
            Wrong(
                one_environment_counted,
                "This counts the frames of one environment. All of them play, and all of their "
                "frames count.",
            ),
            Wrong(
                an_update_for_each_step,
                "An update comes after `t_max` steps of every environment, not after each.",
            ),
            Wrong(
                steps_not_updates,
                "This is how many steps the budget pays for. An update takes t_max · num_envs of "
                "them.",
            ),
            Wrong(
                an_update_for_each_environment,
                "This counts an update for each environment. They are in step with each other, and "
                "there is one update for all.",
            ),
            Wrong(
                the_last_one_left_out,
                "This rounds down where a part of an update is left: with 121 frames and 40 an "
                "update, one frame would remain that no update has played. Round up, math.ceil.",
            ),
            Wrong(
                rounded_down_on_the_way,
                "This rounds down on the way, to whole steps: a frame that is left over is lost. "
                "Divide by everything first, and round once, at the end.",
            ),
            Wrong(
                one_too_many,
                "Where the budget is spent to the frame, this makes one update more. Round up: "
                "math.ceil leaves whole numbers as they are.",
            ),
            Wrong(
                a_part_of_an_update,
                "There is no part of an update. Round up, math.ceil.",
            ),
            Wrong(always_four, "Not every game is played with 4 frames a step: use `frame_skip`."),
        ),
        hints=(
            "How many steps does an update take, of all environments together? How many frames are "
            "those?",
            "An update plays frame_skip · t_max · num_envs frames.",
            "math.ceil(frames / (frame_skip * t_max * num_envs))",
        ),
    ),
)
