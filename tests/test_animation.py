"""An agent playing becomes frames, and frames become a moving picture that any reader shows."""

import base64
import re
from functools import partial
from io import BytesIO

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces
from PIL import Image

from a3c_lib.figures.animation import animate
from a3c_lib.figures.watching import PAUSE, play
from a3c_lib.reinforce import TabularPolicy
from a3c_lib.worlds.envs import LEFT, RIGHT, Corridor

CORRIDOR = "a3c_lib/Corridor-v0"
AGENT = (0, 114, 178)


def always(action):
    return lambda observation, state: (torch.tensor([action]), state)


def noise(count, height=40, width=60):
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (height, width, 3), np.uint8) for _ in range(count)]


def cell_of_the_agent(frame):
    return int(np.argwhere((frame[24] == AGENT).all(axis=-1)).mean() // 48)


def decoded(animation):
    """What a viewer shows: pictures and milliseconds."""
    pictures, durations = [], []
    with Image.open(BytesIO(animation.png)) as image:
        for k in range(image.n_frames):
            image.seek(k)
            pictures.append(np.asarray(image.convert("RGB")))
            durations.append(image.info["duration"])
    return pictures, durations


class Counting(gym.Env):
    """Actions count from 3, the reward is the action, and the clock stops it after two steps."""

    metadata = {"render_modes": ["rgb_array"]}
    observation_space, action_space = spaces.Discrete(10), spaces.Discrete(4, start=3)

    def __init__(self, render_mode="rgb_array", picture=None):
        self.render_mode, self.taken, self.closed = render_mode, [], False
        self.picture = np.zeros((10, 20, 3), np.uint8) if picture is None else picture

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return len(self.taken), {}

    def step(self, action):
        self.taken.append(action)
        return len(self.taken), float(action), False, len(self.taken) % 2 == 0, {}

    def render(self):
        return self.picture

    def close(self):
        self.closed = True


# Playing


def test_there_is_a_picture_before_the_first_step_and_one_after_each():
    frames = play(always(RIGHT), CORRIDOR, captions=False)
    assert [cell_of_the_agent(frame) for frame in frames] == [0, 1, 2, 3]
    assert all(frame.shape == (48, 192, 3) and frame.dtype == np.uint8 for frame in frames)


def test_play_ends_after_so_many_steps_or_episodes():
    assert len(play(always(LEFT), CORRIDOR, max_steps=5)) == 1 + 5
    frames = play(always(RIGHT), CORRIDOR, episodes=2, captions=False)
    cells = [cell_of_the_agent(frame) for frame in frames]
    assert cells == [0, 1, 2, *[3] * (1 + PAUSE), 0, 1, 2, 3]


def test_the_same_seed_plays_the_same_game():
    one, same, other = (
        play(always(RIGHT), "a3c_lib/NoisyCorridor-v0", seed=seed, max_steps=9)
        for seed in (1, 1, 2)
    )
    assert all(map(np.array_equal, one, same))
    assert not all(map(np.array_equal, one, other))


def test_the_policy_sees_what_collect_would_show_it_and_carries_its_state():
    seen = []

    def policy(observation, state):
        seen.append((observation.tolist(), state))
        return torch.tensor([2]), state + 1

    env = Counting()
    play(policy, lambda: env, policy_state=0)
    assert seen == [([0], 0), ([1], 1)]
    assert env.taken == [5, 5]  # actions count from the space's start
    assert env.closed


def test_under_the_picture_stand_step_reward_value_and_the_end(monkeypatch):
    said = []
    monkeypatch.setattr(
        "a3c_lib.figures.watching._captioned", lambda image, text: said.append(text) or image
    )
    play(always(RIGHT), CORRIDOR, values=lambda seen: seen * 0.5)
    play(always(0), Counting)
    assert said == [
        "step 0   V 0.00",
        "step 1   reward 0   V 0.50",
        "step 2   reward 0   V 1.00",
        "step 3   reward 1   terminated",
        "step 0",
        "step 1   reward 3",
        "step 2   reward 3   truncated",
    ]


def test_a_caption_hides_nothing_of_the_picture():
    plain = play(always(RIGHT), CORRIDOR, captions=False)
    captioned = play(always(RIGHT), CORRIDOR)
    for frame, picture in zip(captioned, plain, strict=True):
        assert np.array_equal(frame[:48], picture)
        assert (frame[48:] < 128).any()  # letters


def test_small_pictures_get_room_for_the_caption_and_large_ones_become_smaller():
    assert play(always(0), Counting)[0].shape == (28, 180, 3)
    large = partial(Counting, picture=np.zeros((400, 600, 3), np.uint8))
    assert play(always(0), large, captions=False)[0].shape == (213, 320, 3)
    assert play(always(0), large, captions=False, width=600)[0].shape == (400, 600, 3)


def test_letters_are_as_large_as_the_picture_asks_for():
    def height_of_letters(width):
        large = partial(Counting, picture=np.zeros((400, 640, 3), np.uint8))
        said = play(always(0), large, width=width)[0][400 * width // 640 :]
        return np.ptp(np.nonzero((said < 128).any(axis=(1, 2)))[0])

    assert height_of_letters(640) == pytest.approx(2 * height_of_letters(320), abs=2)


@pytest.mark.parametrize(
    "source",
    [CORRIDOR, gym.spec(CORRIDOR), Corridor, lambda: gym.make(CORRIDOR, render_mode="rgb_array")],
    ids=["id", "spec", "class", "function"],
)
def test_environments_come_from_an_id_a_spec_a_class_or_a_function(source):
    assert len(play(always(RIGHT), source)) == 4


def test_an_environment_that_does_not_render_is_refused_and_closed():
    env = Counting(render_mode=None)
    with pytest.raises(ValueError, match="made with render_mode='rgb_array'; this one has None"):
        play(always(0), lambda: env)
    assert env.closed


def test_an_environment_whose_pictures_are_none_is_refused_and_closed():
    env = Counting(picture=[[0]])
    with pytest.raises(ValueError, match=r"an array \(H, W, 3\) of bytes; got list"):
        play(always(0), lambda: env)
    assert env.closed


@pytest.mark.parametrize("name", ["max_steps", "episodes"])
def test_there_is_at_least_one_step_and_one_episode(name):
    with pytest.raises(ValueError, match=f"{name} is at least 1; got 0"):
        play(always(RIGHT), CORRIDOR, **{name: 0})
    with pytest.raises(ValueError, match=f"{name} is a whole number; got 1.5"):
        play(always(RIGHT), CORRIDOR, **{name: 1.5})


def test_a_model_is_not_a_policy():
    with pytest.raises(TypeError, match=r"such as greedy\(model\); got the model itself"):
        play(TabularPolicy(4, 2), CORRIDOR)


# Animating


def test_an_animation_decodes_to_its_frames_for_as_long_as_they_last():
    frames = [np.full((40, 60, 3), 80 * k, np.uint8) for k in range(4)]
    animation = animate(frames, fps=4, hold=0.5)
    pictures, durations = decoded(animation)
    assert [int(picture.mean()) for picture in pictures] == [0, 80, 160, 240]
    assert durations == [250, 250, 250, 750]
    assert animation.frames == 4
    assert animation.size == (60, 40)
    assert animation.seconds == 1.5


def test_equal_frames_are_stored_once_and_shown_as_long_as_all_of_them():
    black, white = (np.full((40, 60, 3), grey, np.uint8) for grey in (0, 255))
    pictures, durations = decoded(animate([black, black, black, white], fps=10, hold=0))
    assert len(pictures) == 2
    assert durations == [300, 100]


def test_a_still_is_the_frame_that_is_asked_for_whatever_stands_before_it():
    black, white = (np.full((40, 60, 3), grey, np.uint8) for grey in (0, 255))
    film = [black, black, white, white, white, black]
    animation = animate(film)
    assert animation.frames == 6
    for k in range(-6, 6):
        with Image.open(BytesIO(animation.still(k).still(0).png)) as image:
            assert np.array_equal(image.convert("RGB"), film[k])


def test_a_width_is_a_number_of_pixels():
    with pytest.raises(ValueError, match="width is at least 1; got 0"):
        animate(noise(1), width=0)


def test_all_frames_share_one_palette_which_takes_a_byte_a_pixel():
    greys = [np.full((40, 60, 3), grey, np.uint8) for grey in (0, 80, 160)]
    with Image.open(BytesIO(animate(greys).png)) as image:
        assert image.mode == "P"


def test_it_is_played_again_and_again():
    with Image.open(BytesIO(animate(noise(2)).png)) as image:
        assert image.info["loop"] == 0


def test_few_colours_stay_as_they_are():
    frames = play(always(RIGHT), CORRIDOR, captions=False)
    pictures, _ = decoded(animate(frames))
    assert all(map(np.array_equal, pictures, frames))


def test_frames_are_left_out_until_it_fits_but_its_length_stays():
    frames = noise(30)
    full = animate(frames, fps=15, hold=0)
    assert full.frames == 30
    small = animate(frames, fps=15, hold=0, max_bytes=len(full.png) // 3)
    pictures, durations = decoded(small)
    assert len(small.png) <= len(full.png) // 3
    assert small.frames == len(pictures) < 12
    assert sum(durations) == pytest.approx(2000, abs=2)
    last = np.asarray(Image.fromarray(frames[-1]).convert("L"), float)
    shown = np.asarray(Image.fromarray(pictures[-1]).convert("L"), float)
    assert np.abs(last - shown).mean() < 25  # the last frame is never left out


def test_a_wide_animation_becomes_320_pixels_wide():
    assert animate(noise(2, 100, 640)).size == (320, 50)


def test_it_stays_as_wide_as_is_asked_for():
    frames = [np.zeros((10, 700, 3), np.uint8)]
    assert animate(frames, width=640).size[0] == 640
    assert animate([np.zeros((10, 500, 3), np.uint8)], width=640).size[0] == 500


def test_five_hundred_steps_of_cartpole_fit():
    frames = play(always(1), "CartPole-v1", episodes=40, max_steps=400)
    assert len(animate(frames, fps=50).png) <= 300_000


def test_a_single_frame_can_be_shown():
    animation = animate(noise(1), fps=2)
    with Image.open(BytesIO(animation.png)) as image:
        assert image.size == (60, 40)
    assert animation.frames == 1
    assert animation.seconds == 1.5


def test_a_notebook_gets_a_png_in_html_and_a_line_of_text(tmp_path):
    from IPython.core.formatters import DisplayFormatter

    animation = animate(noise(3))
    data, _ = DisplayFormatter().format(animation)
    assert set(data) == {"text/html", "text/plain"}
    (png,) = re.findall('base64,([^"]+)', data["text/html"])
    assert base64.b64decode(png) == animation.png
    assert data["text/plain"].startswith("Animation: 3 frames of 60 × 40 pixels, 1.4 s, ")
    animation.save(tmp_path / "x.png")
    assert (tmp_path / "x.png").read_bytes() == animation.png


@pytest.mark.parametrize(
    ("frames", "options", "message"),
    [
        ([], {}, "frames is empty"),
        (noise(2), {"fps": 0}, "fps, frames a second, is positive; got 0"),
        (noise(2), {"fps": float("nan")}, "positive; got nan"),
        (noise(2), {"hold": -1}, "at least 0; got -1"),
        ([np.zeros((2, 2, 3))], {}, r"got shape \(2, 2, 3\) of float64"),
        ([np.zeros((2, 2), np.uint8)], {}, r"got shape \(2, 2\) of uint8"),
        ([np.zeros((2, 2, 4), np.uint8)], {}, r"all of one size; got \[\(2, 2, 4\)\]"),
        ([*noise(1), *noise(1, 41)], {}, "all of one size; got .*41"),
        (noise(9), {"max_bytes": 1000}, r"9 frames take .* even .*max_bytes is 1,000; give fewer"),
    ],
)
def test_what_cannot_be_animated_is_named(frames, options, message):
    with pytest.raises(ValueError, match=message):
        animate(frames, **options)
