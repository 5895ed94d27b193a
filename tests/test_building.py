"""What BUILDING.md shows runs, and is right."""

import json
import re
import shlex
import sys
from pathlib import Path
from types import SimpleNamespace

import gymnasium as gym
import matplotlib.pyplot as plt
import pytest
import torch

from a3c_lib import (
    ActorCritic,
    QNetwork,
    a3c,
    evaluate,
    make_envs,
    n_step_returns,
    one_step_targets,
    sampled,
)
from a3c_lib.app.cli import main
from a3c_lib.playing import Player
from a3c_lib.training import seeds

TEXT = (Path(__file__).resolve().parent.parent / "BUILDING.md").read_text("utf-8")
_, *SECTIONS = re.split(r"^## ", TEXT, flags=re.MULTILINE)
# heading → [(language, code), …]
PAGE = {
    section.splitlines()[0]: re.findall(r"^```(\w+)\n(.*?)^```", section, re.DOTALL | re.MULTILINE)
    for section in SECTIONS
}
(PPO,) = (heading for heading in PAGE if heading.endswith("PPO"))
MODULES = {
    code.splitlines()[0].removeprefix("# "): code
    for blocks in PAGE.values()
    for _, code in blocks
    if re.match(r"# \w+\.py\n", code)
}


def ran(code, names=None):
    """The names that a reader's code leaves behind."""
    names = {"__name__": "a_notebook"} if names is None else names
    exec(compile(code, "<the page>", "exec"), names)
    return names


def shorter(code):
    """The same, with a few hundred steps."""
    code = re.sub(r"total_steps=[1-9]\d*_000\b", "total_steps=512", code)
    return re.sub(r"evaluate\((model, [^)]*)\)", r"evaluate(\1, episodes=2)", code)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty folder, in which the page's modules are."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    for name, code in MODULES.items():
        Path(name).write_text(code, "utf-8")
    yield tmp_path
    plt.close("all")
    for name in MODULES:
        sys.modules.pop(Path(name).stem, None)


@pytest.fixture(scope="module")
def ppo():
    return ran(PAGE[PPO][0][1])


@pytest.fixture(scope="module")
def with_gru():
    """make(world) → a network with the page's memory."""
    make = ran(PAGE["A memory of your own"][0][1])["GRUActorCritic"]
    return lambda world: make(gym.make(world), width=8)


def test_the_list_of_contents_has_every_section():
    assert re.findall(r"^- \[(.+)\]\(#.+\)$", TEXT, re.MULTILINE) == list(PAGE)


@pytest.mark.parametrize("heading", PAGE)
def test_a_section_runs_by_itself(heading, here):
    names = None
    for language, code in PAGE[heading]:
        if language == "python":
            names = ran(shorter(code), names)
            continue
        for line in code.splitlines():
            program, *arguments = shlex.split(line.replace("50000", "512"))
            assert program == "a3c-lib"
            if arguments[0] == "evaluate":
                arguments += ["--episodes", "2"]
            assert main(arguments) == 0


# PPO


def test_ppo_is_short():
    lines = [line for line in PAGE[PPO][0][1].splitlines() if line.strip()]
    assert len(lines) <= 80
    assert max(map(len, lines)) <= 100


def rows(T, N, seed=0):
    """Rewards, values, next values and two kinds of ends, (T, N) each."""
    dice = torch.Generator().manual_seed(seed)
    numbers = torch.randn(3, T, N, generator=dice, dtype=torch.float64)
    terminated, truncated = torch.rand(2, T, N, generator=dice) < 0.2
    return *numbers, terminated, truncated & ~terminated


def test_gae_is_its_definition(ppo):
    rewards, values, next_values, terminated, truncated = rows(T=9, N=4)
    ended, gamma, lambda_ = terminated | truncated, 0.9, 0.7
    assert terminated.any()
    assert truncated.any()
    advantages = ppo["gae"](rewards, values, next_values, terminated, ended, gamma, lambda_)
    for n in range(4):
        for t in range(9):
            expected, weight = 0.0, 1.0
            for k in range(t, 9):
                after = 0.0 if terminated[k, n] else next_values[k, n]
                expected += weight * (rewards[k, n] + gamma * after - values[k, n])
                weight *= gamma * lambda_
                if ended[k, n]:
                    break
            assert advantages[t, n] == pytest.approx(float(expected))


def test_gae_lies_between_two_targets_of_the_package(ppo):
    """λ = 0: one step. λ = 1: as far as the rollout goes, if next values are the values of what
    comes next."""
    rewards, values, next_values, terminated, truncated = rows(T=9, N=4, seed=1)
    ended = terminated | truncated
    next_values[:-1] = torch.where(ended[:-1], next_values[:-1], values[1:])
    for lambda_, targets in (0.0, one_step_targets), (1.0, n_step_returns):
        returns = targets(rewards, next_values, terminated, truncated, 0.9)
        advantages = ppo["gae"](rewards, values, next_values, terminated, ended, 0.9, lambda_)
        torch.testing.assert_close(advantages, returns - values)


@pytest.mark.parametrize(
    ("ratio", "advantage", "objective", "slope"),
    [
        (1.0, 2.0, 2.0, 2.0),
        (1.1, 2.0, 2.2, 2.0),
        (1.5, 2.0, 2.4, 0.0),  # 1.2 · 2: likelier by more than ε pays nothing more
        (0.5, 2.0, 1.0, 2.0),
        (1.5, -2.0, -3.0, -2.0),
        (0.5, -2.0, -1.6, 0.0),  # 0.8 · −2: rarer by more than ε neither
    ],
)
def test_the_clipped_objective_is_its_definition(ppo, ratio, advantage, objective, slope):
    ratios = torch.tensor([ratio], requires_grad=True)
    came = ppo["clipped_objective"](ratios, torch.tensor([advantage]), 0.2)
    assert came.item() == pytest.approx(objective)
    came.sum().backward()
    assert ratios.grad.item() == pytest.approx(slope)


def test_ppo_learns_the_steps_that_count_once_a_pass(ppo, monkeypatch):
    """Each of 3 · 5 steps is in one of a pass's batches."""
    asked = []
    losses = ppo["PPO"].losses
    monkeypatch.setattr(
        ppo["PPO"],
        "losses",
        lambda self, *columns: asked.append(columns[0]) or losses(self, *columns),
    )
    config = ppo["Config"](total_steps=15, t_max=5, num_envs=3, passes=2, batch_size=4)
    model = ActorCritic.for_env(gym.make("CartPole-v1"), seed=0)
    with ppo["PPO"](model, "CartPole-v1", config) as training:
        (update,) = training
    assert [len(batch) for batch in asked] == [4, 4, 4, 3] * 2
    first, second = (torch.cat(asked[i : i + 4]).unique(dim=0) for i in (0, 4))
    assert len(first) == 15
    assert torch.equal(first, second)
    assert update.steps == 15


@pytest.mark.learning
def test_ppo_learns_cartpole(ppo):
    """By a wide margin: a policy that learned nothing gets some 20."""
    model = ActorCritic.for_env(gym.make("CartPole-v1"), seed=0)
    config = ppo["Config"](total_steps=20_000, learning_rate=3e-3, gamma=0.98, lambda_=0.8, seed=0)
    with ppo["PPO"](model, "CartPole-v1", config) as training:
        list(training)
    assert evaluate(model, "CartPole-v1", episodes=20).mean > 150


# A memory


def test_a_memory_remembers_the_same_when_it_acts_and_when_it_learns(with_gru):
    """Through the ends of episodes, and from one rollout to the next."""
    model = with_gru("a3c_lib/TMaze-v0")
    with torch.no_grad():
        model.first += torch.linspace(-1, 1, 8)
    player = Player(make_envs("a3c_lib/TMaze-v0", 2), seeds(0, 0), model)
    acted = []

    def policy(observation, state):
        logits, state = model.logits(observation, state)
        acted.append(logits)
        return logits.argmax(dim=-1), state

    policy.initial_state = model.initial_state
    for _ in range(2):
        acted.clear()
        played = player.play(policy, t_max=10)
        assert played.rollout.ended.any()
        logits, values, next_values = model.unroll(played.rollout, played.state)
        torch.testing.assert_close(logits, torch.stack(acted))
        goes_on = ~played.rollout.ended[:-1]
        assert torch.equal(next_values[:-1][goes_on], values[1:][goes_on])
        assert not next_values.requires_grad


def test_where_episodes_begin_is_learned(with_gru):
    model = with_gru("a3c_lib/TMaze-v0")
    player = Player(make_envs("a3c_lib/TMaze-v0", 2), seeds(0, 0), model)
    played = player.play(sampled(model, player.generator), t_max=10)
    logits, _, _ = model.unroll(played.rollout, played.state)
    (slope,) = torch.autograd.grad(logits.square().sum(), [model.first])
    assert slope.abs().max() > 0


def test_a3c_takes_that_memory(with_gru):
    model = with_gru("a3c_lib/TMaze-v0")
    config = a3c.Config(total_steps=100, num_workers=2, schedule="round-robin")
    with a3c.train(model, "a3c_lib/TMaze-v0", config) as training:
        assert [update.worker for update in training] == [0, 1, 0, 1, 0]


# A method for asynchronous workers


def test_the_method_learns_what_its_name_says():
    """r + γ r′ + … + γⁿ Σ_a π(a) Q(o⁽ⁿ⁾, a), with ε for the actions that are explored."""
    code = PAGE["A method for asynchronous workers"][0][1].split("\nmodel = ")[0]
    method = ran(code)["NStepSarsa"](gamma=0.5, epsilon=0.2)
    world = "a3c_lib/Corridor-v0"
    model = QNetwork.for_env(gym.make(world), hidden=())
    with torch.no_grad():  # a table
        model.head.weight.copy_(torch.tensor([[5.0, 6.0, 1.0, 0.0], [7.0, 8.0, 3.0, 0.0]]))
    worker = SimpleNamespace(model=model, player=Player(make_envs(world), seeds(0, 0), model))
    right = torch.ones(1, dtype=torch.int64)
    lesson = method.lesson(worker, worker.player.play(lambda o, state: (right, state), t_max=2))
    last = 0.1 * 1.0 + 0.9 * 3.0  # in cell 2, the larger one with probability 1 − ε/2
    assert lesson.returns.tolist() == pytest.approx([0.25 * last, 0.5 * last])
    assert lesson.values.tolist() == [7.0, 8.0]


# Lines of JSON


def test_every_line_is_json(here):
    """Also where no episode ended: its mean return is NaN, of which JSON knows nothing."""
    ((_, code),) = PAGE["Updates as lines of JSON"]
    ran(shorter(code).replace("CartPole-v1", "MountainCar-v0"))

    def refuse(constant):
        raise ValueError(f"{constant} is no JSON")

    lines = Path("updates.jsonl").read_text().splitlines()
    rows = [json.loads(line, parse_constant=refuse) for line in lines]
    assert [row["updates"] for row in rows] == [1, 2, 3, 4]
    assert all(row["episode_return"] is None for row in rows)
