import math

import pytest
import torch
from torch import nn

from a3c_lib.training import RolloutConfig, TorchOptimizer, clip_gradients, gradients_of


def parameter(*numbers):
    return nn.Parameter(torch.tensor(numbers))


# ---- a step ----


def test_a_gradient_is_followed_and_nothing_is_left_behind():
    theta = parameter(1.0, 2.0)
    TorchOptimizer(torch.optim.SGD([theta])).step([torch.tensor([3.0, 4.0])], 0.1)
    assert theta.tolist() == pytest.approx([0.7, 1.6])
    assert theta.grad is None


def test_the_same_gradient_twice_is_applied_twice_not_added_up():
    theta = parameter(0.0)
    sgd = TorchOptimizer(torch.optim.SGD([theta]))
    steps = []
    for _ in range(4):
        before = theta.item()
        sgd.step([torch.tensor([1.0])], 1.0)
        steps.append(before - theta.item())
    assert steps == [1, 1, 1, 1]


def test_the_learning_rate_is_the_steps_own_and_holds_for_every_group():
    a, b = parameter(0.0), parameter(0.0)
    sgd = TorchOptimizer(torch.optim.SGD([{"params": [a]}, {"params": [b]}], lr=5.0))
    for learning_rate in 1.0, 0.5:
        sgd.step([torch.tensor([1.0]), torch.tensor([2.0])], learning_rate)
    assert (a.item(), b.item()) == (-1.5, -3.0)


def test_a_gradient_too_few_is_refused():
    a, b = parameter(0.0), parameter(0.0)
    with pytest.raises(ValueError, match="shorter"):
        TorchOptimizer(torch.optim.SGD([a, b])).step([torch.tensor([1.0])], 1.0)


def test_one_of_torchs_optimizers_goes_on_from_its_state_and_leaves_that_alone():
    thetas = parameter(0.0), parameter(0.0)
    one, other = (TorchOptimizer(torch.optim.Adam([theta])) for theta in thetas)
    one.step([torch.tensor([3.0])], 0.0)
    other.load_state_dict(one.state_dict())
    for optimizer in one, other:
        optimizer.step([torch.tensor([1.0])], 0.1)
    assert thetas[0].item() == thetas[1].item() != 0


# ---- a gradient ----


def clipped(*numbers, max_norm):
    gradients, norm = clip_gradients([torch.tensor([each]) for each in numbers], max_norm)
    return [gradient.item() for gradient in gradients], norm


def test_the_limit_holds_for_all_parameters_together():
    gradients, norm = clipped(3.0, 4.0, max_norm=0.5)
    assert norm == 5
    assert gradients == pytest.approx([0.3, 0.4])


def test_the_gradients_that_are_handed_over_stay_as_they_were():
    gradients = [torch.tensor([3.0]), torch.tensor([4.0])]
    clip_gradients(gradients, max_norm=0.5)
    assert [g.item() for g in gradients] == [3, 4]


def test_a_gradient_below_the_limit_is_not_stretched():
    assert clipped(0.25, max_norm=1.0) == ([0.25], 0.25)


def test_without_a_limit_nothing_is_clipped():
    assert clip_gradients([torch.tensor([3e10])])[0][0].item() == torch.tensor(3e10).item()


def test_no_gradient_is_no_step_and_no_division_by_zero():
    assert clipped(0.0, 0.0, max_norm=0.5) == ([0, 0], 0)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_gradient_that_is_not_finite_is_refused(bad):
    with pytest.raises(FloatingPointError, match=f"norm is {bad}"):
        clipped(1.0, bad, max_norm=0.5)


def test_a_loss_that_is_not_finite_has_no_gradients():
    theta = parameter(0.0)
    with pytest.raises(FloatingPointError, match=r"the loss is -?inf"):
        gradients_of(theta.log().sum(), [theta])


def test_parameters_that_a_loss_does_not_depend_on_get_zeros():
    used, unused = parameter(2.0), parameter(1.0, 1.0)
    gradients = gradients_of(used.square().sum(), [used, unused])
    assert [g.tolist() for g in gradients] == [[4], [0, 0]]


# ---- a config ----


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"total_steps": 0}, "total_steps is at least 1; got 0"),
        ({"gamma": -0.1}, "gamma is at least 0; got -0.1"),
        ({"learning_rate": math.nan}, "learning_rate is positive; got nan"),
        ({"seed": -1}, "seed is at least 0; got -1"),
        ({"t_max": 0}, "t_max is at least 1; got 0"),
        ({"num_envs": 0}, "num_envs is at least 1; got 0"),
        ({"max_grad_norm": 0.0}, "max_grad_norm is positive; got 0.0"),
    ],
)
def test_a_config_that_cannot_be_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        RolloutConfig(**options)


def test_the_last_rollout_is_as_long_as_the_budget_asks_for():
    config = RolloutConfig(total_steps=61, t_max=20, num_envs=3)
    assert [config.rollout_length(steps) for steps in (0, 1, 4, 58, 60)] == [20, 20, 19, 1, 1]


def test_the_learning_rate_comes_down_in_a_line_and_not_below_zero():
    config = RolloutConfig(total_steps=100, learning_rate=0.5)
    assert [config.annealed(steps) for steps in (0, 25, 100, 120)] == [0.5, 0.375, 0, 0]
    assert RolloutConfig(total_steps=100, anneal=False, learning_rate=0.5).annealed(99) == 0.5
