import math

import pytest
import torch
from torch import nn

from a3c_lib.training import apply_gradients, gradients_of


def parameter(*numbers):
    return nn.Parameter(torch.tensor(numbers))


def test_a_gradient_is_followed_and_nothing_is_left_behind():
    theta = parameter(1.0, 2.0)
    norm = apply_gradients(torch.optim.SGD([theta], lr=0.1), [theta], [torch.tensor([3.0, 4.0])])
    assert norm == 5
    assert theta.tolist() == pytest.approx([0.7, 1.6])
    assert theta.grad is None


def test_the_same_gradient_twice_is_applied_twice_not_added_up():
    theta = parameter(0.0)
    sgd = torch.optim.SGD([theta], lr=1.0)
    steps = []
    for _ in range(4):
        before = theta.item()
        apply_gradients(sgd, [theta], [torch.tensor([1.0])])
        steps.append(before - theta.item())
    assert steps == [1, 1, 1, 1]


def test_the_limit_holds_for_all_parameters_together():
    a, b = parameter(0.0), parameter(0.0)
    gradients = [torch.tensor([3.0]), torch.tensor([4.0])]
    norm = apply_gradients(torch.optim.SGD([a, b], lr=1.0), [a, b], gradients, max_norm=0.5)
    assert norm == 5
    assert (a.item(), b.item()) == pytest.approx((-0.3, -0.4))
    assert [g.item() for g in gradients] == [3, 4]


def test_a_gradient_below_the_limit_is_not_stretched():
    theta = parameter(0.0)
    apply_gradients(torch.optim.SGD([theta], lr=1.0), [theta], [torch.tensor([0.25])], max_norm=1.0)
    assert theta.item() == -0.25


def test_no_gradient_is_no_step_and_no_division_by_zero():
    theta = parameter(1.0)
    assert apply_gradients(torch.optim.SGD([theta], lr=1.0), [theta], [torch.zeros(1)], 0.5) == 0
    assert theta.item() == 1


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_gradient_that_is_not_finite_changes_nothing(bad):
    theta = parameter(1.0, 2.0)
    adam = torch.optim.Adam([theta])
    with pytest.raises(FloatingPointError, match=f"norm is {bad}"):
        apply_gradients(adam, [theta], [torch.tensor([1.0, bad])])
    assert theta.tolist() == [1, 2]
    assert not adam.state


def test_a_loss_that_is_not_finite_has_no_gradients():
    theta = parameter(0.0)
    with pytest.raises(FloatingPointError, match=r"the loss is -?inf"):
        gradients_of(theta.log().sum(), [theta])


def test_parameters_that_a_loss_does_not_depend_on_get_zeros():
    used, unused = parameter(2.0), parameter(1.0, 1.0)
    gradients = gradients_of(used.square().sum(), [used, unused])
    assert [g.tolist() for g in gradients] == [[4], [0, 0]]
