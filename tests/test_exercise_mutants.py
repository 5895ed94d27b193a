"""One token changed in every right answer: no case takes the change for right, but where it is."""

import pytest
from mutants import mutants, survivors

from a3c_lib.exercises.engine import registry
from a3c_lib.exercises.engine.cases import Exercise

EXERCISES = list(registry.all_exercises())

LAST_AXIS = "there are two axes, so that 1 and −1 are the same"
STRICT = "`strict` notices lists of different lengths, which nobody hands over"
SAME_SHAPE = "the two have the same shape"
SYMMETRIC = "what is exchanged is the same either way round"

SURVIVORS = {
    "0.5": {
        "steps = torch.arange(len(actions)) → steps = torch.arange(len(logits))": SAME_SHAPE,
        "log_probabilities = logits.log_softmax(dim=-1) → log_probabilities = logits.log_softmax(dim=1)": LAST_AXIS,
    },
    "2.2": {
        "T = len(rewards) → T = len(next_values)": SAME_SHAPE,
        "returns = torch.zeros_like(rewards) → returns = torch.zeros_like(next_values)": SAME_SHAPE,
    },
    "2.3": {
        "for k in range(t, len(rewards)): → for k in range(t, len(next_values)):": SAME_SHAPE,
    },
    "3.2": {
        "return loss._replace(total=total, entropy=bonus) → return loss._replace(total=total)": (
            "the loss has the same entropy already"
        ),
    },
    "4.1": {
        "i, f, g, o = gates.chunk(4, dim=-1) → i, f, g, o = gates.chunk(4, dim=1)": LAST_AXIS,
    },
    "4.3": {
        "for x, anew in zip(features, begins, strict=True): → for x, anew in zip(features, begins):": STRICT,
        "for x, anew in zip(features, begins, strict=True): → for x, anew in zip(features, begins, strict=False):": STRICT,
    },
    "5.1": {
        "for parameter, statistic, gradient in zip(theta, g, gradients, strict=True): → for parameter, statistic, gradient in zip(theta, g, gradients):": STRICT,
        "for parameter, statistic, gradient in zip(theta, g, gradients, strict=True): → for parameter, statistic, gradient in zip(theta, g, gradients, strict=False):": STRICT,
    },
    "5.2": {
        "rate = self.learning_rate * max(0, 1 - T / self.total_steps) → rate = self.learning_rate * max(1 - T / self.total_steps, 0)": SYMMETRIC,
        "for mine, theirs in zip(self.model.parameters(), self.shared.theta, strict=True): → for mine, theirs in zip(self.model.parameters(), self.shared.theta):": STRICT,
        "for mine, theirs in zip(self.model.parameters(), self.shared.theta, strict=True): → for mine, theirs in zip(self.model.parameters(), self.shared.theta, strict=False):": STRICT,
    },
    "5.3": {
        "optimizer.zero_grad() → pass": "the next hand-over puts new gradients in the old ones' place",
        "optimizer.zero_grad() → optimizer": "the next hand-over puts new gradients in the old ones' place",
        "for theirs, gradient in zip(shared, gradients, strict=True): → for theirs, gradient in zip(shared, gradients):": STRICT,
        "for theirs, gradient in zip(shared, gradients, strict=True): → for theirs, gradient in zip(shared, gradients, strict=False):": STRICT,
    },
    "6.2": {
        "for parts in zip(*gradients, strict=True): → for parts in zip(*gradients):": STRICT,
        "for parts in zip(*gradients, strict=True): → for parts in zip(*gradients, strict=False):": STRICT,
        "added = sum((m * part for m, part in zip(steps, parts, strict=True))) → added = sum((m * part for m, part in zip(parts, steps, strict=True)))": SYMMETRIC,
        "added = sum((m * part for m, part in zip(steps, parts, strict=True))) → added = sum((m * part for m, part in zip(steps, parts)))": STRICT,
        "added = sum((m * part for m, part in zip(steps, parts, strict=True))) → added = sum((m * part for m, part in zip(steps, parts, strict=False)))": STRICT,
    },
    "6.4": {
        "taken = log_pi.gather(-1, rollout.actions[acting][:, None]).squeeze(-1) → taken = log_pi.gather(-1, rollout.actions[acting][:, None]).squeeze(1)": LAST_AXIS,
        "log_pi = logits[acting].log_softmax(dim=-1) → log_pi = logits[acting].log_softmax(dim=1)": LAST_AXIS,
        "taken = log_pi.gather(-1, rollout.actions[acting][:, None]).squeeze(-1) → taken = log_pi.gather(1, rollout.actions[acting][:, None]).squeeze(-1)": LAST_AXIS,
    },
    "7.3": {
        "brighter: Bytes = np.maximum(one, other) → brighter: Bytes = np.maximum(other, one)": SYMMETRIC,
    },
    "8.1": {
        "explores = torch.rand(best.shape, generator=generator) < epsilon → explores = torch.rand(best.shape, generator=generator) <= epsilon": (
            "a random number is hardly ever ε itself"
        ),
        "best = q.argmax(dim=-1) → best = q.argmax(dim=1)": LAST_AXIS,
        "any_one = torch.randint(q.shape[-1], best.shape, generator=generator) → any_one = torch.randint(q.shape[1], best.shape, generator=generator)": LAST_AXIS,
    },
    "8.5": {
        "for mine, theirs in zip(target, theta, strict=True): → for mine, theirs in zip(target, theta):": STRICT,
        "for mine, theirs in zip(target, theta, strict=True): → for mine, theirs in zip(target, theta, strict=False):": STRICT,
    },
    "9.1": {
        "oldest = max(0, self.added - self.rows) → oldest = max(self.added - self.rows, 0)": SYMMETRIC,
        "return range(oldest, max(oldest, behind)) → return range(oldest, max(behind, oldest))": SYMMETRIC,
        "self.size = self.rows + 1 → self.size = self.rows + 2": "a place that nobody needs does no harm",
    },
    "9.2": {
        "values = q.gather(-1, window.actions[:, None]).squeeze(-1) → values = q.gather(-1, window.actions[:, None]).squeeze(1)": LAST_AXIS,
        "values = q.gather(-1, window.actions[:, None]).squeeze(-1) → values = q.gather(1, window.actions[:, None]).squeeze(-1)": LAST_AXIS,
        "R = target(window.after).amax(dim=-1) → R = target(window.after).amax(dim=1)": LAST_AXIS,
    },
    "9.3": {
        "values = q.gather(-1, window.actions[:, None]).squeeze(-1) → values = q.gather(-1, window.actions[:, None]).squeeze(1)": LAST_AXIS,
        "values = q.gather(-1, window.actions[:, None]).squeeze(-1) → values = q.gather(1, window.actions[:, None]).squeeze(-1)": LAST_AXIS,
        "best = model(window.after).argmax(dim=-1) → best = model(window.after).argmax(dim=1)": LAST_AXIS,
        "R = target(window.after).gather(-1, best[:, None]).squeeze(-1) → R = target(window.after).gather(-1, best[:, None]).squeeze(1)": LAST_AXIS,
        "R = target(window.after).gather(-1, best[:, None]).squeeze(-1) → R = target(window.after).gather(1, best[:, None]).squeeze(-1)": LAST_AXIS,
    },
    "10.5": {
        "T = len(rewards) → T = len(next_values)": SAME_SHAPE,
        "returns = torch.zeros_like(rewards) → returns = torch.zeros_like(next_values)": SAME_SHAPE,
    },
    "10.6": {
        "for k in range(t, len(deltas)): → for k in range(t, len(ended)):": SAME_SHAPE,
    },
}


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda each: each.id)
def test_a_change_that_is_called_right_is_right(exercise: Exercise) -> None:
    assert set(survivors(exercise)) == set(SURVIVORS.get(exercise.id, {}))


def test_every_kind_of_token_is_changed() -> None:
    def answer(x, y):
        z = x.clone()
        if not x < 1:
            z = max(y, 2.0)
        return z + f(x, k=True)  # noqa: F821

    changes = {change for change, _ in mutants(answer)}
    assert changes >= {
        "z = x.clone() → z = x",
        "z = x.clone() → z = y.clone()",
        "if not x < 1: → if x < 1:",
        "if not x < 1: → if not x <= 1:",
        "if not x < 1: → if not x < 2:",
        "if not x < 1: → pass",
        "z = max(y, 2.0) → z = max(2.0, y)",
        "z = max(y, 2.0) → pass",
        "return z + f(x, k=True) → return z - f(x, k=True)",
        "return z + f(x, k=True) → return z + f(x, k=False)",
        "return z + f(x, k=True) → return z + f(x)",
    }
