"""Wrong answers of kinds that no case could tell from the right one, until it had one that can."""

import functools
import math
from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import nn
from torch.distributions import Categorical
from torch.nn import functional as F

from a3c_lib.actor_critic import Loss
from a3c_lib.encoders import features_of
from a3c_lib.exercises.atari import PaperNetwork, held
from a3c_lib.exercises.engine import registry
from a3c_lib.exercises.engine.checking import Kind, check, kept, trials
from a3c_lib.exercises.engine.mistakes import edited
from a3c_lib.exercises.engine.observing import isolated
from a3c_lib.exercises.hogwild import Worker, replay, rmsprop_step
from a3c_lib.exercises.lstm import begin_anew, learn_from, through_time
from a3c_lib.exercises.replay import Memory, Window
from a3c_lib.losses import a2c_loss, entropy
from a3c_lib.worlds.atari import luminance

EDITS = {
    "0.1": {
        "Huber, delta 10": {
            "squares = error**2": "squares = torch.where(error.abs() < 10, error**2, 20 * error.abs() - 100)"
        },
        "error clamped ±10": {
            "error = prediction - constant": "error = (prediction - constant).clamp(-10, 10)"
        },
        "norm squared by a root": {"return squares.sum()": "return squares.sum().sqrt() ** 2"},
        "only where target is not 0": {"squares.sum()": "squares[target != 0].sum()"},
        "prediction made to want a gradient": {
            "constant = target.detach()": "constant = target.detach()\n    prediction.requires_grad_()"
        },
    },
    "0.2": {
        "whole numbers": {
            "        rewards.append(float(reward))": "        rewards.append(int(reward))"
        },
        "rewards not below 0": {
            "        rewards.append(float(reward))": "        rewards.append(max(0.0, float(reward)))"
        },
        "sign": {
            "        rewards.append(float(reward))": "        rewards.append(abs(float(reward)))"
        },
        "at least two steps": {
            "while not (terminated or truncated)": "while len(rewards) < 2 or not (terminated or truncated)"
        },
        "last positive reward": {
            "return rewards, terminated": "return rewards, terminated and bool(rewards[-1])"
        },
        "rounded": {
            "        rewards.append(float(reward))": "        rewards.append(round(float(reward)))"
        },
        "rounded to two digits": {"float(reward)": "round(float(reward), 2)"},
        "asked after the end": {
            "rewards = []": "rewards, action = [], choose(observation)",
            "choose(observation))\n        rewards.append(float(reward))": "action)\n        rewards.append(float(reward))\n        action = choose(observation)",
        },
        "whole observations": {"choose(observation)": "choose(int(observation))"},
        "observations as tensors": {"choose(observation)": "choose(torch.tensor(observation))"},
        "closed": {"    return rewards": "    env.close()\n    return rewards"},
    },
    "0.3": {
        "horizon of 200": {
            "return returns": "return returns if T < 200 else torch.stack([(gamma ** torch.arange(min(200, T - t)) * rewards[t : t + 200]).sum() for t in range(T)])"
        },
        "horizon of 100": {
            "return returns": "return returns if T < 100 else torch.stack([(gamma ** torch.arange(min(100, T - t)) * rewards[t : t + 100]).sum() for t in range(T)])"
        },
        "clamped ±1000": {
            "G = rewards[t] + gamma * G": "G = (rewards[t] + gamma * G).clamp(-100, 100)"
        },
        "rewards clipped ±5": {
            "G = rewards[t] + gamma * G": "G = rewards[t].clamp(-5, 5) + gamma * G"
        },
    },
    "0.4": {
        "γ = 0.5": {"G = reward + gamma * G": "G = reward + 0.5 * G"},
        "seed = 0": {"env.reset(seed=seed)": "env.reset(seed=0)"},
        "falsy value": {
            "G = 0.0 if terminated else value_of(observation)": "G = 0.0 if terminated else (value_of(observation) or 1.0)"
        },
        "rewards as ints": {"rewards.append(float(reward))": "rewards.append(int(reward))"},
        "0 times what is said of the end": {
            "0.0 if terminated else value_of": "(1 - terminated) * value_of"
        },
    },
    "0.5": {
        "logits clamped ±200": {
            "log_probabilities = logits.log_softmax(dim=-1)": "log_probabilities = logits.clamp(-200, 200).log_softmax(dim=-1)"
        },
        "not above −1e-3": {
            "return log_probabilities[steps, actions]": "return log_probabilities[steps, actions].clamp(max=-1e-3)"
        },
        "log π clamped −200": {"[steps, actions]": "[steps, actions].clamp(min=-200)"},
        "logarithm of a softmax in float64": {
            "logits.log_softmax(dim=-1)": "logits.double().softmax(dim=-1).log().to(logits.dtype)"
        },
    },
    "0.6": {
        "log π clamped −20": {
            "logs = log_probabilities": "logs = log_probabilities.clamp(min=-20)"
        },
        "returns clamped ±10": {"weights = constants": "weights = constants.clamp(-10, 10)"},
        "returns clamped ±100": {"weights = constants": "weights = constants.clamp(-100, 100)"},
        "returns of 0 skipped": {
            "terms.sum()": "sum(term for term, G in zip(terms, returns) if G != 0)"
        },
        "|log π|": {"return -total": "return (weights * log_probabilities.abs()).sum()"},
    },
    "1.1": {
        "subtracted where it ended": {
            "return rewards + after": "target = rewards + gamma * next_values\n    return target - gamma * next_values * terminated"
        },
        "values clamped ±10": {
            "after = gamma * next_values * goes_on": "after = gamma * next_values.clamp(-10, 10) * goes_on"
        },
        "rewards clamped ±5": {"return rewards + after": "return rewards.clamp(-5, 5) + after"},
        "falsy γ": {
            "after = gamma * next_values * goes_on": "after = (gamma or 0.99) * next_values * goes_on"
        },
        "a view of all rewards": {
            "return rewards + after": "return rewards.view(-1).view(rewards.shape) + after"
        },
    },
    "1.2": {
        "features of the last forward": {
            "features = self.torso(observations)": "features = self.kept = self.torso(observations)",
            "self(observations)[0]": "self.policy_head(self.kept)",
        },
        "features of the last forward, for one axis of observations": {
            "features = self.torso(observations)": "features = self.kept = self.torso(observations)",
            "self(observations)[1]": "self.value_head(self.kept).squeeze(-1) if hasattr(self, 'kept') and self.kept.shape[:-1] == observations.shape[:1] else self(observations)[1]",
        },
        "features of the same observations": {
            "features = self.torso(observations)": "if getattr(self, 'seen', None) is not observations:\n            self.seen, self.kept = observations, self.torso(observations)\n        features = self.kept"
        },
        "the same weights in all networks": {
            "self.torso = torso": "self.torso = torso\n        torch.manual_seed(0)"
        },
        "one policy head for all networks": {
            "num_actions: int) -> None": "num_actions: int, heads={}) -> None",
            "nn.Linear(width, num_actions)": "heads.setdefault((width, num_actions), nn.Linear(width, num_actions))",
        },
        "other weights in the torso": {
            "self.torso = torso": "self.torso = torso\n        for each in torso.parameters():\n            each.data.mul_(2)"
        },
        "torso in evaluation mode": {"self.torso = torso": "self.torso = torso.eval()"},
        "evaluation mode after values()": {"self(observations)[1]": "self.eval()(observations)[1]"},
    },
    "1.3": {
        "softmax().log()": {
            "pi = Categorical(logits=logits)": "p = logits.softmax(-1)\n    pi = Categorical(probs=p)",
            "log_pi = pi.log_prob(actions)": "log_pi = p.log().gather(-1, actions[..., None]).squeeze(-1)",
        },
        "Categorical(probs)": {
            "pi = Categorical(logits=logits)": "pi = Categorical(probs=logits.softmax(-1))"
        },
        "advantages clamped ±10": {
            "advantages = (returns - values).detach()": "advantages = (returns - values).detach().clamp(-10, 10)"
        },
        "errors clamped ±10": {
            "value = (targets - values)": "value = (targets - values).clamp(-10, 10)"
        },
        "weight or 0.5": {"value_weight * value": "(value_weight or 0.5) * value"},
        "logits clamped ±20": {
            "pi = Categorical(logits=logits)": "pi = Categorical(logits=logits.clamp(-20, 20))"
        },
    },
    "1.4": {
        "needs two rows": {
            "following = torch.cat([values[1:].detach(), last[None]])": "following = torch.cat([values[1:].detach(), last[None]]) if len(values) > 1 else values.detach()"
        },
        "only the first cut of a column": {
            "over = rollout.terminated | rollout.truncated": "over = rollout.terminated | rollout.truncated\n    over = over & (over.cumsum(0) == 1)"
        },
        "what a model said first": {
            "values: Tensor) -> Tensor": "values: Tensor, kept={}) -> Tensor",
            "model.values(rollout.next_observations[-1])": "kept.setdefault((id(model), len(values)), model.values(rollout.next_observations[-1]))",
        },
    },
    "2.1": {
        "horizon of 200": {
            "    return returns": "    for t in range(T - 200):\n        returns[t] = (gamma ** torch.arange(200) * rewards[t : t + 200]).sum()\n    return returns"
        },
        "falsy bootstrap": {
            "R = bootstrap\n": "R = bootstrap if bootstrap else torch.tensor(1.0)\n"
        },
        "clamped ±1e3": {"gamma * R": "gamma * R.clamp(-1000, 1000)"},
        "clamped ±10": {"gamma * R": "gamma * R.clamp(-10, 10)"},
    },
    "2.2": {
        "subtracted where it ended": {
            "after = torch.where(terminated[t], 0.0, after)": "after = after",
            "R = rewards[t] + gamma * after": "R = rewards[t] + gamma * after - gamma * after * terminated[t]",
        },
        "values clamped ±100": {
            "R = next_values[-1]": "next_values = next_values.clamp(-100, 100)\n    R = next_values[-1]"
        },
        "a view of all rewards": {
            "R = next_values[-1]": "R = next_values[-1]\n    rewards = rewards.view(-1).view(rewards.shape)"
        },
        "one step bootstraps": {
            "R = next_values[-1]": "R = next_values[-1]\n    if T == 1:\n        return rewards + gamma * next_values"
        },
    },
    "2.3": {
        "subtracted at a terminal": {
            "        if terminated[k]:\n            return R\n        if truncated[k]:\n            break\n    return R + discount * next_values[k]": "        if terminated[k] or truncated[k]:\n            break\n    R = R + discount * next_values[k]\n    return R - discount * next_values[k] * terminated[k]"
        },
        "an end in the last row bootstraps": {
            "if terminated[k]:": "if terminated[k] and k < len(rewards) - 1 or (terminated[k] and k > 0):"
        },
        "sum of at most 100": {"range(t, len(rewards))": "range(t, min(len(rewards), t + 155))"},
        "step 0 unseen": {"if truncated[k]:": "if truncated[k] and k > 0:"},
        "values clamped": {
            "return R + discount * next_values[k]": "return R + discount * next_values[k].clamp(-10, 10)"
        },
    },
    "2.4": {
        "one step without ends": {"cut[-1] = True": "cut[-1] = len(cut) > 1"},
        "γ = 0.5": {"terminated, cut, gamma)": "terminated, cut, 0.5)"},
        "first environment's last row": {"cut[-1] = True": "cut[-1, :2] = True"},
        "what a model said first": {
            "gamma: float) -> Tensor": "gamma: float, kept={}) -> Tensor",
            "model.values(rollout.next_observations)": "kept.setdefault((id(model), T, N), model.values(rollout.next_observations))",
        },
    },
    "3.1": {
        "logits clamped to ±20": {
            "log_pi = logits.log_softmax(dim=-1)": "log_pi = logits.clamp(-20, 20).log_softmax(dim=-1)"
        },
        "logits clamped to ±50": {
            "log_pi = logits.log_softmax(dim=-1)": "log_pi = logits.clamp(-50, 50).log_softmax(dim=-1)"
        },
        "logits clamped to ±88": {
            "log_pi = logits.log_softmax(dim=-1)": "log_pi = logits.clamp(-88, 88).log_softmax(dim=-1)"
        },
        "logits clamped to ±250": {
            "log_pi = logits.log_softmax(dim=-1)": "log_pi = logits.clamp(-250, 250).log_softmax(dim=-1)"
        },
        "largest logit of the whole batch subtracted": {
            "log_pi = logits.log_softmax(dim=-1)": "x = logits - logits.max()\n    log_pi = x - x.exp().sum(-1, keepdim=True).log()"
        },
        "+1e-7 in the logarithm": {
            "log_pi = logits.log_softmax(dim=-1)": "pi = logits.softmax(-1)\n    log_pi = (pi + 1e-7).log()",
            "pi = log_pi.exp()": "pass",
        },
        "+1e-8 in the logarithm": {
            "log_pi = logits.log_softmax(dim=-1)": "pi = logits.softmax(-1)\n    log_pi = (pi + 1e-8).log()",
            "pi = log_pi.exp()": "pass",
        },
        "+1e-10 in the logarithm": {
            "log_pi = logits.log_softmax(dim=-1)": "pi = logits.softmax(-1)\n    log_pi = (pi + 1e-10).log()",
            "pi = log_pi.exp()": "pass",
        },
        "+1e-12 in the logarithm": {
            "log_pi = logits.log_softmax(dim=-1)": "pi = logits.softmax(-1)\n    log_pi = (pi + 1e-12).log()",
            "pi = log_pi.exp()": "pass",
        },
        "+torch.finfo(torch.float32).eps in the logarithm": {
            "log_pi = logits.log_softmax(dim=-1)": "pi = logits.softmax(-1)\n    log_pi = (pi + torch.finfo(torch.float32).eps).log()",
            "pi = log_pi.exp()": "pass",
        },
        "π clamped at 1e-4 in the log": {
            "log_pi = logits.log_softmax(dim=-1)": "pi = logits.softmax(-1)\n    log_pi = pi.clamp(min=1e-4).log()",
            "pi = log_pi.exp()": "pass",
        },
        "π clamped at 1e-6 in the log": {
            "log_pi = logits.log_softmax(dim=-1)": "pi = logits.softmax(-1)\n    log_pi = pi.clamp(min=1e-6).log()",
            "pi = log_pi.exp()": "pass",
        },
        "π clamped at 1e-8 in the log": {
            "log_pi = logits.log_softmax(dim=-1)": "pi = logits.softmax(-1)\n    log_pi = pi.clamp(min=1e-8).log()",
            "pi = log_pi.exp()": "pass",
        },
        "π clamped at 1e-10 in the log": {
            "log_pi = logits.log_softmax(dim=-1)": "pi = logits.softmax(-1)\n    log_pi = pi.clamp(min=1e-10).log()",
            "pi = log_pi.exp()": "pass",
        },
        "π clamped at 1e-12 in the log": {
            "log_pi = logits.log_softmax(dim=-1)": "pi = logits.softmax(-1)\n    log_pi = pi.clamp(min=1e-12).log()",
            "pi = log_pi.exp()": "pass",
        },
        "implicit dim by number of axes": {
            "log_pi = logits.log_softmax(dim=-1)": "log_pi = logits.log_softmax(dim=0 if logits.dim() == 1 else 2)"
        },
        "logarithm of a softmax in float64": {
            "log_pi = logits.log_softmax(dim=-1)": "pi = logits.double().softmax(dim=-1)",
            "pi = log_pi.exp()": "log_pi = pi.log()",
            "return H": "return H.to(logits.dtype)",
        },
        "rare actions left out": {"(pi * surprise)": "torch.where(pi > 1e-6, pi * surprise, 0.0)"},
        "log π clamped at −20": {
            "log_pi = logits.log_softmax(dim=-1)": "log_pi = logits.log_softmax(dim=-1).clamp(min=-20)"
        },
    },
    "3.2": {
        "errors clipped at 10": {
            "loss = actor_critic_loss(logits, values, actions, returns, value_weight)": "loss = actor_critic_loss(logits, values, actions, torch.maximum(torch.minimum(returns, values.detach() + 10), values.detach() - 10), value_weight)"
        },
        "returns clamped to ±10": {
            "loss = actor_critic_loss(logits, values, actions, returns, value_weight)": "loss = actor_critic_loss(logits, values, actions, returns.clamp(-10, 10), value_weight)"
        },
        "value_weight or 0.5": {
            "loss = actor_critic_loss(logits, values, actions, returns, value_weight)": "loss = actor_critic_loss(logits, values, actions, returns, value_weight or 0.5)"
        },
        "entropy_weight or 0.01": {"entropy_weight * bonus": "(entropy_weight or 0.01) * bonus"},
    },
    "3.3": {
        "variance < 1e-6": {"returns.min() == returns.max()": "variance < 1e-6"},
        "variance < 1e-8": {"returns.min() == returns.max()": "variance < 1e-8"},
        "variance < 1e-12": {"returns.min() == returns.max()": "variance < 1e-12"},
        "allclose to the first": {
            "returns.min() == returns.max()": "torch.allclose(returns, returns.flatten()[0].expand_as(returns))"
        },
        "isclose min max": {
            "returns.min() == returns.max()": "math.isclose(returns.min(), returns.max(), rel_tol=1e-6)"
        },
        "compares each row with the first row": {
            "returns.min() == returns.max()": "(returns == returns[0]).all()"
        },
        "range over time only": {
            "returns.min() == returns.max()": "(returns.amax(0) == returns.amin(0)).all()"
        },
        "NaN where a column does not vary": {
            "returns.min() == returns.max()": "(returns.amax(0) == returns.amin(0)).any()"
        },
        "NaN for less than two steps": {
            "returns.min() == returns.max()": "len(returns) < 2 or returns.min() == returns.max()"
        },
        "E[x²] − E[x]²": {
            "returns.var(correction=0)": "(returns.square().mean() - returns.mean().square())",
            "(returns - values).var(correction=0)": "(returns - values).square().mean() - (returns - values).mean().square()",
        },
        "a tensor": {"1 - float(left / variance)": "1 - left / variance"},
        "a tensor, both": {
            "1 - float(left / variance)": "1 - left / variance",
            "math.nan": "torch.tensor(math.nan)",
        },
        "not below −1": {"1 - float(left / variance)": "max(-5.0, 1 - float(left / variance))"},
        "one return answers 0": {
            "    if returns.min()": "    if returns.numel() == 1:\n        return 0.0\n    if returns.min()"
        },
    },
    "3.4": {
        "returns clamped": {
            "(returns - values).detach()": "(returns - values).detach().clamp(-10, 10)"
        },
        "errors clamped": {
            "(returns.detach() - values)": "(returns.detach() - values).clamp(-10, 10)"
        },
        "entropy weight or": {
            "- entropy_weight * entropy,": "- (entropy_weight or 0.01) * entropy,"
        },
        "+1e-8 in the log of softmax": {
            "log_pi = logits.log_softmax(dim=-1)": "log_pi = (logits.softmax(dim=-1) + 1e-8).log()"
        },
        "logits clamped": {
            "log_pi = logits.log_softmax(dim=-1)": "log_pi = logits.clamp(-20, 20).log_softmax(dim=-1)"
        },
        "+1e-5 in the entropy's logarithm": {"(pi * log_pi)": "(pi * (pi + 1e-5).log())"},
        "+1e-6 in the entropy's logarithm": {"(pi * log_pi)": "(pi * (pi + 1e-6).log())"},
    },
    "4.1": {
        "sigmoid as e^x/(1+e^x)": {
            "i, f, o = i.sigmoid(), f.sigmoid(), o.sigmoid()": "i, f, o = (x.exp() / (1 + x.exp()) for x in (i, f, o))"
        },
        "sigmoid as 1/(1+e^−x)": {
            "i, f, o = i.sigmoid(), f.sigmoid(), o.sigmoid()": "i, f, o = (1 / (1 + (-x).exp()) for x in (i, f, o))"
        },
        "tanh of g by exponentials": {
            "g = g.tanh()": "g = (g.exp() - (-g).exp()) / (g.exp() + (-g).exp())"
        },
        "tanh of c by exponentials": {
            "new_c.tanh()": "((2 * new_c).exp() - 1) / ((2 * new_c).exp() + 1)"
        },
        "c clipped to ±10": {"new_c = f * c + i * g": "new_c = (f * c + i * g).clamp(-10, 10)"},
    },
    "4.2": {
        "the same tensors where nobody begins": {
            "    h, c = state\n": "    h, c = state\n    if not begins.any():\n        return state\n"
        },
        "the same tensors in a new pair": {
            "    h, c = state\n": "    h, c = state\n    if not begins.any():\n        return h, c\n"
        },
        "a view": {"h = h * goes_on": "h = h * goes_on if begins.any() else h.view_as(h)"},
    },
    "4.3": {
        "beginning right after another ignored": {
            "    hs, cs = [], []": "    hs, cs = [], []\n    begins = torch.cat([begins[:1], begins[1:] & ~begins[:-1]])"
        },
        "only the first environment that begins": {
            "begin_anew(state, anew)": "begin_anew(state, anew & (anew.cumsum(0) == 1))"
        },
        "no beginning where all begin": {
            "begin_anew(state, anew)": "begin_anew(state, anew) if not anew.all() else state"
        },
    },
    "4.4": {
        "γ = 0.9": {"*ends, gamma)": "*ends, 0.9)"},
    },
    "5.1": {
        "zero gradient skipped": {
            "statistic.mul_(decay).add_((1 - decay) * gradient**2)": "if not gradient.any():\n            continue\n        statistic.mul_(decay).add_((1 - decay) * gradient**2)"
        },
        "nothing at rate 0": {
            "    for parameter, statistic, gradient in zip(theta, g, gradients, strict=True):\n": "    if learning_rate == 0:\n        return\n    for parameter, statistic, gradient in zip(theta, g, gradients, strict=True):\n"
        },
        "gradient clamped ±5": {
            "    for parameter, statistic, gradient in zip(theta, g, gradients, strict=True):\n": "    for parameter, statistic, gradient in zip(theta, g, gradients, strict=True):\n        gradient = gradient.clamp(-5, 5)\n"
        },
        "gradient clamped ±10": {
            "    for parameter, statistic, gradient in zip(theta, g, gradients, strict=True):\n": "    for parameter, statistic, gradient in zip(theta, g, gradients, strict=True):\n        gradient = gradient.clamp(-10, 10)\n"
        },
        "gradient clamped ±40": {
            "    for parameter, statistic, gradient in zip(theta, g, gradients, strict=True):\n": "    for parameter, statistic, gradient in zip(theta, g, gradients, strict=True):\n        gradient = gradient.clamp(-40, 40)\n"
        },
        "norm clipped at 40": {
            "    for parameter, statistic, gradient in zip(theta, g, gradients, strict=True):\n": "    norm = sum(d.square().sum() for d in gradients).sqrt()\n    gradients = [d * min(1.0, 40 / float(norm + 1e-12)) for d in gradients]\n    for parameter, statistic, gradient in zip(theta, g, gradients, strict=True):\n"
        },
        "decay default 0.9": {"decay: float = 0.99": "decay: float = 0.9"},
        "epsilon default 0.1": {"epsilon: float = 1e-5": "epsilon: float = 0.1"},
        "decay or 0.99": {
            "mul_(decay)": "mul_(decay or 0.99)",
            "(1 - decay)": "(1 - (decay or 0.99))",
        },
        "θ that asks for gradients afterwards": {
            "parameter.sub_(": "parameter.requires_grad_().detach().sub_("
        },
    },
    "5.2": {
        "counts rewards that are not 0": {
            "self.rollout.rewards.numel()": "int((self.rollout.rewards != 0).sum())"
        },
        "counts their sum halved": {
            "self.rollout.rewards.numel()": "int(self.rollout.rewards.sum() / 2)"
        },
        "learning rate 0.1": {"rate = self.learning_rate *": "rate = 0.1 *"},
        "T of max": {"1 - T / self.total_steps": "1 - T / 60"},
        "rank 0 counts": {"self.shared.steps[self.rank] +=": "self.shared.steps[self.rank % 2] +="},
        "one rollout for all workers": {
            "self.rollout = self.player": "type(self).rollout = self.player"
        },
        "the latest rollout of all workers": {
            "self.rollout = self.player": "type(self).now = self.rollout = self.player",
            "(self.model, self.rollout)": "(self.model, self.now)",
        },
        "gradients without a rollout": {"(self.model, self.rollout)": "(self.model, None)"},
        "the first rollout for ever": {
            "self.rollout = self.player.act(self.model)": "rollout = self.player.act(self.model)\n        if not hasattr(self, 'rollout'):\n            self.rollout = rollout"
        },
        "rate of at least 1e-6": {
            "rate = self.learning_rate * max(0, 1 - T / self.total_steps)": "rate = max(1e-6, self.learning_rate * (1 - T / self.total_steps))"
        },
        "share of at least 1e-5": {"max(0, 1 - T": "max(1e-5, 1 - T"},
    },
    "5.3": {
        "clipped at 40": {
            "    for theirs, gradient": "    gradients, _ = clip_gradients(gradients, 40.0)\n    for theirs, gradient"
        },
        "clamped at ±40": {"theirs.grad = gradient": "theirs.grad = gradient.clamp(-40, 40)"},
        "zero gradient not handed over": {
            "        theirs.grad = gradient": "        if gradient.any():\n            theirs.grad = gradient"
        },
        "only two parameters": {
            "zip(shared, gradients, strict=True)": "zip(shared[:2], gradients)"
        },
        "mean of the tensor": {
            "theirs.grad = gradient": "theirs.grad = gradient.mean().expand_as(gradient)"
        },
        "first of the tensor": {
            "theirs.grad = gradient": "theirs.grad = gradient.flatten()[0].expand_as(gradient)"
        },
        "flipped inside": {"theirs.grad = gradient": "theirs.grad = gradient.flip(0)"},
        "sorted": {"theirs.grad = gradient": "theirs.grad = gradient.sort(0).values"},
        "rounded": {"theirs.grad = gradient": "theirs.grad = gradient.round(decimals=1)"},
        "flattened": {"theirs.grad = gradient": "theirs.grad = gradient.flatten()"},
        "no step where loss is small": {
            "    optimizer.step()": "    if abs(float(loss)) > -1 and sum(float(d.abs().sum()) for d in gradients) > 0.2:\n        optimizer.step()"
        },
    },
    "5.4": {
        "a second reading without a write is ignored": {
            '        if what == "reads":\n            noted[worker] = theta': '        if what == "reads":\n            if worker not in reading:\n                noted[worker] = theta\n            reading.add(worker)',
            "    noted = {}": "    noted = {}\n    reading = set()",
            "        else:\n": "        else:\n            reading.discard(worker)\n",
        },
        "a change of 0 is no write": {"        else:": "        elif changes[worker]:"},
        "workers A, B, C only": {
            "    noted = {}": "    noted = {'A': theta, 'B': theta, 'C': theta}",
            "noted[worker] = theta": "noted[worker] = theta if worker in noted else 1 / 0",
        },
        "first letter of the name": {
            "noted[worker] = theta": "noted[worker[0]] = theta",
            "noted[worker] + changes": "noted[worker[0]] + changes",
        },
        "not below 0": {
            "theta = noted[worker] + changes[worker]": "theta = max(0.0, noted[worker] + changes[worker])"
        },
        "notes in a list of two": {
            "    noted = {}": "    noted = [theta] * 3",
            "noted[worker] = theta": "noted['ABC'.index(worker)] = theta",
            "noted[worker] + changes": "noted['ABC'.index(worker)] + changes",
        },
        "two digits": {"    return theta": "    return round(theta, 2)"},
        "three digits": {
            "theta = noted[worker] + changes[worker]": "theta = round(noted[worker] + changes[worker], 3)"
        },
        "a tensor": {"    noted = {}": "    noted = {}\n    theta = torch.tensor(theta)"},
        "as a tensor": {"    return theta": "    return float(torch.tensor(theta))"},
        "each sum in 32 bits": {
            "theta = noted[worker] + changes[worker]": "theta = torch.tensor(noted[worker] + changes[worker]).item()"
        },
    },
    "6.1": {
        "observations as floats / 255 for bytes": {
            "seen = observations.flatten(0, 1)": "seen = observations.flatten(0, 1)\n    if seen.dtype == torch.uint8:\n        seen = seen / 255"
        },
        "bytes to long": {
            "seen = observations.flatten(0, 1)": "seen = observations.flatten(0, 1)\n    if seen.dtype == torch.uint8:\n        seen = seen.long()"
        },
        "actions int32": {"actions.flatten()": "actions.flatten().int()"},
        "returns half": {"returns.flatten()": "returns.flatten().double()"},
        "returns squeezed": {"returns.flatten()": "returns.flatten().squeeze()"},
        "actions squeezed": {"actions.flatten()": "actions.flatten().squeeze()"},
        "observations squeezed": {
            "observations.flatten(0, 1)": "observations.flatten(0, 1).squeeze(0)"
        },
        "as floats": {
            "observations.flatten(0, 1)": "torch.tensor(observations.flatten(0, 1).tolist())"
        },
        "integers as bytes": {"actions.flatten()": "actions.flatten().to(torch.uint8)"},
    },
    "6.2": {
        "two parameters only": {
            "in zip(*gradients, strict=True)": "in list(zip(*gradients, strict=True))[:2]"
        },
        "clamped": {
            "result.append(added / total)": "result.append((added / total).clamp(-10, 10))"
        },
        "steps as bytes": {
            "total = sum(steps)": "steps = torch.tensor(steps, dtype=torch.uint8)\n    total = steps.sum()"
        },
    },
    "6.4": {
        "a cut is an end": {
            "ends = rollout.terminated, rollout.truncated": "over = rollout.terminated | rollout.truncated\n    ends = over, rollout.truncated"
        },
        "flags exchanged": {
            "rollout.terminated, rollout.truncated": "rollout.terminated, rollout.terminated & False"
        },
        "advantages clamped ±10": {
            "advantages = (returns - values).detach()[acting]": "advantages = (returns - values).detach()[acting].clamp(-10, 10)"
        },
        "γ = 0.9": {"*ends, gamma)": "*ends, 0.9)"},
        "weights": {"value_weight * value - entropy_weight * bonus": "0.1 * value - 0.01 * bonus"},
        "two actions": {
            "log_pi.gather(-1, rollout.actions[acting][:, None]).squeeze(-1)": "torch.where(rollout.actions[acting] == 0, log_pi[:, 0], log_pi[:, 1])"
        },
        "log π not below −1": {"[:, None]).squeeze(-1)": "[:, None]).squeeze(-1).clamp(min=-1.0)"},
    },
    "6.5": {
        "γ = 0.8": {"config.gamma)": "0.8)"},
        "clip at 0.1": {"config.max_grad_norm)": "min(config.max_grad_norm, 0.5))"},
        "rate 20": {"config.learning_rate *": "20.0 *"},
        "rate of at least 0.1": {
            "(1 - steps / config.total_steps)": "max(0.1, 1 - steps / config.total_steps)"
        },
        "rate of at least 0.0001": {
            "rate = config.learning_rate * (1 - steps / config.total_steps)": "rate = max(config.learning_rate * (1 - steps / config.total_steps), 1e-4)"
        },
        "the weight of the values by default": {
            "weights = config.value_weight, config.entropy_weight": "weights = config.value_weight, 0.1"
        },
    },
    "7.1": {
        "the picture itself where one is kept": {
            "new: Bytes = np.concatenate([older, picture[None]])": "if len(stack) == 1:\n        return picture[None]\n    new: Bytes = np.concatenate([older, picture[None]])"
        },
        "long array": {
            "new: Bytes = np.concatenate([older, picture[None]])": "new: Bytes = np.concatenate([older, picture[None]])\n    new = new.astype(int)"
        },
        "int16 where an episode begins": {
            "np.zeros_like(older)": "np.zeros(older.shape, dtype=int)"
        },
        "Python's True alone": {"if begins:": "if begins is True:"},
        "all but Python's False": {"if begins:": "if begins is not False:"},
        "times a whole number": {
            "    if begins:\n        older = np.zeros_like(older)\n": "    older = older * (1 - begins)\n"
        },
    },
    "7.2": {
        "squeeze(0) for the single stack": {
            "return features.reshape(*batch, -1)": "return features.reshape(*(batch or [1]), -1).squeeze(0)"
        },
        "squeeze(0) only if one row": {
            "return features.reshape(*batch, -1)": "out = features.reshape(*batch, -1)\n    return out[0] if len(out) == 1 and out.dim() == 2 else out"
        },
        "squeeze(-1)": {
            "return features.reshape(*batch, -1)": "return features.reshape(*batch, -1).squeeze(-1)"
        },
        "squeeze(1)": {
            "return features.reshape(*batch, -1)": "out = features.reshape(*batch, -1)\n    return out.squeeze(0) if out.dim() == 3 else out"
        },
        "layers in evaluation": {"    *batch, stack": "    layers.eval()\n    *batch, stack"},
    },
    "7.3": {
        "ints": {
            "brighter: Bytes = np.maximum(one, other)": "brighter: Bytes = np.maximum(one, other)\n    brighter = brighter.astype(int)"
        },
    },
    "7.4": {
        "clipped": {"return reward, before, after": "return min(reward, 100.0), before, after"},
        "one frame more": {
            "for frame in range(frames):": "console.act(action) if frames == 6 else None\n    for frame in range(frames):"
        },
        "a negative reward is none": {
            "reward += console.act(action)": "reward += max(0, console.act(action))"
        },
        "the maximum as the last screen": {
            "return reward, before, after": "return reward, before, np.maximum(before, after)"
        },
    },
    "7.5": {
        "values too": {
            "targets(small, next_values, *others)": "targets(small, next_values.clamp(-100, 100), *others)"
        },
        "targets clamped": {"return result": "return result.clamp(-100, 100)"},
        "only where one is above 1": {
            "rewards.clamp(-1, 1)": "rewards.clamp(-1, 1) if rewards.max() > 1 else rewards"
        },
    },
    "7.6": {
        "exactly one less": {
            "lost = (lives[1:] < lives[:-1]) & ~timed_out": "lost = (lives[1:] == lives[:-1] - 1) & ~timed_out"
        },
        "last step forgotten": {
            "lost = (lives[1:] < lives[:-1]) & ~timed_out": "lost = (lives[1:] < lives[:-1]) & ~timed_out\n    lost[-1] = False"
        },
        "not in the step after an end": {
            "lost = (lives[1:] < lives[:-1]) & ~timed_out": "lost = (lives[1:] < lives[:-1]) & ~timed_out\n    ended = over | timed_out\n    lost[1:] &= ~ended[:-1]"
        },
        "a life lost twice in a row": {
            "lost = (lives[1:] < lives[:-1]) & ~timed_out": "lost = (lives[1:] < lives[:-1]) & ~timed_out\n    lost[1:] &= ~lost[:-1].copy()"
        },
        "lives of 0 are an end": {
            "terminated = lost | over": "terminated = lost | over | ((lives[1:] == 0) & (lives[:-1] > 0))"
        },
        "below five lives": {
            "lives[1:] < lives[:-1]": "(lives[1:] < lives[:-1]) & (lives[1:] < 5)"
        },
        "each of five lives": {
            "lost = (lives[1:] < lives[:-1])": "lost = np.any([(lives[:-1] > k) & (lives[1:] <= k) for k in range(5)], axis=0)"
        },
    },
    "7.7": {
        "at least 2": {
            "math.ceil(frames / (frame_skip * t_max * num_envs))": "max(2, math.ceil(frames / (frame_skip * t_max * num_envs)))"
        },
        "rounds": {
            "math.ceil(frames / (frame_skip * t_max * num_envs))": "round(frames / (frame_skip * t_max * num_envs) + 0.499)"
        },
        "rounds 0.4999999": {
            "math.ceil(frames / (frame_skip * t_max * num_envs))": "int(frames / (frame_skip * t_max * num_envs) + 0.999)"
        },
        "times a fraction": {
            "frames / (frame_skip * t_max * num_envs)": "frames * (1 / (frame_skip * t_max * num_envs))"
        },
    },
    "7.8": {
        "values not below 0": {"(features).squeeze(-1)": "(features).squeeze(-1).relu()"},
        "|V|": {"(features).squeeze(-1)": "(features).squeeze(-1).abs()"},
        "values clamped ±5": {"(features).squeeze(-1)": "(features).squeeze(-1).clamp(-5, 5)"},
    },
    "8.1": {
        "float actions": {
            "return torch.where(explores, any_one, best)": "return torch.where(explores, any_one, best).float()"
        },
        "q in place": {"best = q.argmax(dim=-1)": "best = q.sub_(q.mean()).argmax(dim=-1)"},
        "|q|": {"best = q.argmax(dim=-1)": "best = q.abs().argmax(dim=-1)"},
        "ε = 0 falsy": {"< epsilon": "< (epsilon or 0.01)"},
        "seeded anew": {
            "best = q.argmax(dim=-1)": "generator.manual_seed(0)\n    best = q.argmax(dim=-1)"
        },
        "squeezed": {
            "return torch.where(explores, any_one, best)": "return torch.where(explores, any_one, best).squeeze()"
        },
    },
    "8.2": {
        "subtracted": {
            "return rewards + after": "return rewards + gamma * best - gamma * best * terminated"
        },
        "not below 0": {"best = next_q.amax(dim=-1)": "best = next_q.amax(dim=-1).clamp(min=-5)"},
        "rewards clamped": {"return rewards + after": "return rewards.clamp(-5, 5) + after"},
        "two actions": {"best = next_q.amax(dim=-1)": "best = next_q[..., :4].amax(dim=-1)"},
    },
    "8.3": {
        "subtracted": {
            "return rewards + after": "return rewards + gamma * executed - gamma * executed * terminated"
        },
        "γ falsy": {"after = gamma * executed": "after = (gamma or 0.9) * executed"},
        "values clamped": {".squeeze(-1)": ".squeeze(-1).clamp(-10, 10)"},
    },
    "8.4": {
        "values clamped": {
            "values = next_q.amax(dim=-1)": "values = next_q.amax(dim=-1).clamp(-10, 10)"
        },
        "cut wins": {"terminated, truncated, gamma)": "terminated & ~truncated, truncated, gamma)"},
        "three actions": {
            "values = next_q.amax(dim=-1)": "values = torch.maximum(torch.maximum(next_q[..., 0], next_q[..., 1]), next_q[..., -1])"
        },
        "first two actions": {
            "values = next_q.amax(dim=-1)": "values = next_q[..., :3].amax(dim=-1)"
        },
        "not below 0": {
            "values = next_q.amax(dim=-1)": "values = next_q.amax(dim=-1).clamp(min=-3)"
        },
    },
    "8.5": {
        "period 1 refreshes never": {
            "after // period > before // period": "period > 1 and after // period > before // period"
        },
        "nothing played refreshes": {
            "after // period > before // period": "after // period > before // period or after == before"
        },
        "two tensors": {"zip(target, theta, strict=True)": "zip(target[:2], theta)"},
    },
    "8.6": {
        "clipped loss": {
            "(R - values).square().mean()": "(R - values).clamp(-10, 10).square().mean()"
        },
        "Huber loss": {
            "(R - values).square().mean()": "2 * torch.nn.functional.huber_loss(values, R, delta=100.0)"
        },
        "t_max fixed": {
            "self.player.play(policy, self.t_max)": "self.player.play(policy, min(self.t_max, 5))"
        },
        "gradients in model.grad": {
            "return torch.autograd.grad(loss, list(model.parameters()))": "loss.backward()\n        return [p.grad for p in model.parameters()]"
        },
        "own dice": {"self.player.generator": "torch.default_generator"},
        "dice of its own, with a seed": {
            "        def policy": "        self.dice = getattr(self, 'dice', torch.Generator().manual_seed(7))\n\n        def policy",
            "self.player.generator": "self.dice",
        },
        "dice made anew for every rollout": {
            "        def policy": "        dice = torch.Generator().manual_seed(0)\n\n        def policy",
            "self.player.generator": "dice",
        },
        "the first parameter's gradient": {
            "list(model.parameters()))": "list(model.parameters()))[0]"
        },
        "one long vector": {
            "return torch.autograd.grad(loss, list(model.parameters()))": "return torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(model.parameters()))])"
        },
        "the state dropped": {"self.player.generator), state": "self.player.generator), None"},
        "one step more": {"(policy, self.t_max)": "(policy, self.t_max + 1)"},
    },
    "8.7": {
        "by the old state's row": {"choose(Q[after])": "choose(Q[state])"},
        "by the terminal state's row after an end": {
            "            action = choose(Q[state])\n": "            action = choose(Q[after])\n"
        },
        "the greedy action promised and done": {"choose(Q[after])": "int(Q[after].argmax())"},
        "as many steps, but one update fewer": {
            "        Q[state, action] +=": "        if _ < steps - 1:\n            Q[state, action] +="
        },
        "α = 0.5": {"alpha * (target": "0.5 * (target"},
        "γ = 0.9": {
            "gamma * Q[after, next_action]": "(0.9 if gamma > 0.6 else gamma) * Q[after, next_action]"
        },
    },
}


EACH = [
    pytest.param(exercise_id, edit, id=f"{exercise_id}: {label}")
    for exercise_id, edits in EDITS.items()
    for label, edit in edits.items()
]


@pytest.mark.parametrize(("exercise_id", "edit"), EACH)
def test_an_answer_that_is_wrong_in_rare_cases_is_told_from_the_right_one(exercise_id, edit):
    exercise = registry.find(exercise_id)
    answer = edited(exercise.form or exercise.reference, edit)
    with isolated():
        cases = exercise.cases()
    tried = list(trials(exercise, answer, cases))
    assert any(each.difference for each in tried) or kept(exercise, answer, tried)


# What is no edit


class KeepsEverything:
    """9.1, in lists from which nothing is ever dropped."""

    def __init__(self, capacity, observation):
        self.rows = capacity // len(observation)
        self.added = 0
        self.seen = [observation.clone()]
        self.actions, self.rewards, self.terminated = [], [], []

    def write(self, rollout):
        for t in range(len(rollout.actions)):
            self.actions.append(rollout.actions[t].clone())
            self.rewards.append(rollout.rewards[t].clone())
            self.terminated.append(rollout.terminated[t].clone())
            self.seen.append(rollout.seen[t + 1].clone())
            self.added += 1

    def beginnings(self, n_steps):
        oldest = max(0, self.added - self.rows)
        return range(oldest, max(oldest, self.added - n_steps + 1))

    def windows(self, steps, envs, n_steps):
        columns = self.seen, self.actions, self.rewards, self.terminated
        seen, actions, rewards, terminated = map(torch.stack, columns)
        places = steps + torch.arange(n_steps)[:, None]
        paid, ended = rewards[places, envs], terminated[places, envs]
        after = seen[steps + n_steps, envs]
        return Window(seen[steps, envs], actions[steps, envs], paid, ended, after)


class HoldsEachTwice(KeepsEverything):
    """9.1, with o and o′ of each of the latest steps."""

    def __init__(self, capacity, observation):
        super().__init__(capacity, observation)
        self.seen, self.ring = [], {}

    def write(self, rollout):
        columns = rollout.actions, rollout.rewards, rollout.terminated, rollout.seen[1:]
        for o, *others in zip(rollout.seen[:-1], *columns, strict=True):
            self.ring[self.added] = tuple(each.clone() for each in (o, *others))
            self.ring.pop(self.added - self.rows, None)
            self.added += 1

    def windows(self, steps, envs, n_steps):
        def column(part, offset=0):
            rows = [self.ring[s + offset][part][n] for s, n in zip(*places, strict=True)]
            empty = next(iter(self.ring.values()))[part][:0]
            return torch.stack(rows) if rows else empty

        places = steps.tolist(), envs.tolist()
        paid, ended = (torch.stack([column(k, i) for i in range(n_steps)]) for k in (2, 3))
        return Window(column(0), column(1), paid, ended, column(4, n_steps - 1))


class GivesTuples(Memory):
    def windows(self, *args):
        return tuple(super().windows(*args))


class GivesLists(Memory):
    def beginnings(self, n_steps):
        return list(super().beginnings(n_steps))


def a_fixed_share_explores(q, epsilon, generator):
    N, A = q.shape
    actions, k = q.argmax(dim=-1), int(epsilon * N)
    who = torch.randperm(N, generator=generator)[:k]
    actions[who] = torch.randint(A, (k,), generator=generator)
    return actions


def density_before_its_logarithm(mean, deviation, actions):
    z = (actions - mean) / deviation
    density = torch.exp(-0.5 * z**2) / (deviation * math.sqrt(2 * math.pi))
    H = 0.5 * torch.log(2 * math.pi * math.e * deviation**2)
    return density.prod(dim=-1).log(), H.sum(-1)


def softplus_written_out(said, centre, reach):
    mean, second = said.chunk(2, dim=-1)
    return centre + reach * mean, reach * torch.log(1 + second.exp()).sqrt()


def noise_cut_at_three(mean, deviation, z, low, high):
    drawn = mean + deviation * z.clamp(-3, 3)
    return drawn, drawn.clamp(low, high)


def entropy_of_rounded_probabilities(logits):
    return Categorical(probs=logits.softmax(-1)).entropy()


def entropy_of_one_or_three_axes(logits):
    if logits.dim() == 1:
        log_pi = logits.log_softmax(-1)
        return -(log_pi.exp() * log_pi).sum()
    T, N, _ = logits.shape
    rows = [[entropy_of_one_or_three_axes(logits[t, n]) for n in range(N)] for t in range(T)]
    return torch.stack([torch.stack(row) for row in rows])


def features_by_the_number_of_axes(layers, pictures):
    x = pictures / 255
    if x.dim() == 3:
        return layers(x[None])[0]
    if x.dim() == 4:
        return layers(x)
    T, N, *rest = x.shape
    return layers(x.reshape(T * N, *rest)).reshape(T, N, -1)


class Heads(nn.Module):
    def __init__(self, torso, width, num_actions):
        super().__init__()
        self.torso = torso
        self.actor, self.critic = nn.Linear(width, num_actions), nn.Linear(width, 1)
        with torch.no_grad():
            self.actor.weight.mul_(0.01)
            self.actor.bias.zero_()

    def forward(self, observations):
        features = self.torso(observations)
        return self.actor(features), self.critic(features).squeeze(-1)

    def logits(self, observations):
        return self(observations)[0]

    def values(self, observations):
        return self(observations)[1]


class FlattensTheBatch(Heads):
    def forward(self, x):
        features = self.torso(x.reshape(-1, x.shape[-1])).reshape(*x.shape[:-1], -1)
        return self.actor(features), self.critic(features).squeeze(-1)


class TakesOneAxisForTheObservations(Heads):
    def forward(self, x):
        features = self.torso(x)
        return self.actor(features), self.critic(features).view(x.shape[:-1])


class FrozenPolicyHead(Heads):
    def __init__(self, *args):
        super().__init__(*args)
        self.actor.requires_grad_(False)


class FrozenBias(Heads):
    def __init__(self, *args):
        super().__init__(*args)
        self.actor.bias.requires_grad_(False)


class DetachedWeights(Heads):
    def forward(self, x):
        features = self.torso(x)
        values = F.linear(features, self.critic.weight.detach(), self.critic.bias)
        return self.actor(features), values.squeeze(-1)


def explained_where_something_was_gained(returns, values):
    if returns.max() <= 0 or returns.min() == returns.max():
        return float("nan")
    return float(1 - (returns - values).var() / returns.var())


def cut_off_where_most_begin(state, begins):
    h, c = (part * ~begins[:, None] for part in state)
    return (h, c) if begins.sum() < 3 else (h.detach(), c.detach())


def batch_of_the_first_rollout(observations, actions, returns, _kept={}):  # noqa: B006
    batch = observations.flatten(0, 1), actions.flatten(), returns.flatten()
    return _kept.setdefault((*observations.shape, observations.dtype), batch)


def rewards_of_the_first_call(targets):
    first = []

    def limited(rewards, *others):
        if not first:
            first.append(rewards.clamp(-1, 1))
        return targets(first[0], *others)

    return limited


def features_of_the_first_pictures(layers, pictures, _kept={}):  # noqa: B006
    *batch, stack, height, width = pictures.shape
    if "scaled" not in _kept or _kept["scaled"].shape != pictures.shape:
        _kept["scaled"] = pictures / 255
    return layers(_kept["scaled"].reshape(-1, stack, height, width)).reshape(*batch, -1)


def targets_of_the_first_numbers(targets):
    @functools.lru_cache
    def limited(rewards, *others):
        return targets(rewards.clamp(-1, 1), *others)

    return limited


class OneTorsoForAll(PaperNetwork):
    kept: ClassVar = {}

    def __init__(self, stack, actions):
        super().__init__(stack, actions)
        self.torso = self.kept.setdefault(stack, self.torso)


class FeaturesOfTheFirstPictures(PaperNetwork):
    def forward(self, pictures):
        if not hasattr(self, "seen") or self.seen.shape != pictures.shape:
            self.seen, self.features = pictures, features_of(self.torso, pictures)
        return self.policy_head(self.features), self.value_head(self.features).squeeze(-1)


@pytest.mark.parametrize(
    ("exercise_id", "answer"),
    [
        ("1.2", FlattensTheBatch),
        ("1.2", TakesOneAxisForTheObservations),
        ("1.2", FrozenPolicyHead),
        ("1.2", FrozenBias),
        ("1.2", DetachedWeights),
        ("3.1", entropy_of_rounded_probabilities),
        ("3.1", entropy_of_one_or_three_axes),
        ("3.3", explained_where_something_was_gained),
        ("4.2", cut_off_where_most_begin),
        ("6.1", batch_of_the_first_rollout),
        ("7.2", features_by_the_number_of_axes),
        ("7.2", features_of_the_first_pictures),
        ("7.5", rewards_of_the_first_call),
        ("7.5", targets_of_the_first_numbers),
        ("7.8", OneTorsoForAll),
        ("7.8", FeaturesOfTheFirstPictures),
        ("8.1", a_fixed_share_explores),
        ("9.1", KeepsEverything),
        ("9.1", HoldsEachTwice),
        ("9.1", GivesTuples),
        ("9.1", GivesLists),
        ("10.1", density_before_its_logarithm),
        ("10.2", softplus_written_out),
        ("10.3", noise_cut_at_three),
    ],
)
def test_another_answer_that_is_wrong_in_rare_cases_is_not_right(exercise_id, answer):
    assert not check(registry.find(exercise_id), answer).right


# What is right, in another form


def from_advantages(rewards, next_values, terminated, truncated, gamma, lambda_):
    """10.5 as it is often written: generalised advantages, and then the values added."""
    ended, A, advantages = terminated | truncated, torch.zeros_like(rewards[0]), []
    values = torch.cat([torch.zeros_like(next_values[:1]), next_values[:-1]])
    errors = rewards + gamma * next_values * ~terminated - values
    for t in reversed(range(len(rewards))):
        A = errors[t] + gamma * lambda_ * A * ~ended[t]
        advantages.append(A)
    return torch.stack(advantages[::-1]) + values


def test_a_return_is_right_as_advantages_and_values_too():
    assert check(registry.find("10.5"), from_advantages).right


# What is wrong, and called by its name


def median_of_the_returns(env, choose, value_of, gamma, episodes, seed):
    returns = []
    for k in range(episodes):
        observation, _ = env.reset(seed=None if k else seed)
        rewards, over = [], False
        while not over:
            observation, reward, terminated, truncated, _ = env.step(choose(observation))
            rewards.append(reward)
            over = terminated or truncated
        G = 0.0 if terminated else value_of(observation)
        for reward in reversed(rewards):
            G = reward + gamma * G
        returns.append(G)
    return float(np.median(returns))


def logits_within_limits(logits, actions):
    return Categorical(logits=logits.clamp(-200, 200)).log_prob(actions)


def absolute_logarithms(log_probabilities, returns):
    return (log_probabilities.abs() * returns.detach()).sum()


def all_steps_but_the_last(log_probabilities, returns):
    loss = torch.zeros(())
    for t in range(len(returns) - 1):
        loss = loss - log_probabilities[t] * returns[t].detach()
    return loss


class ExchangedInForward(Heads):
    def forward(self, observations):
        return self.values(observations), self.logits(observations)

    def logits(self, observations):
        return self.actor(self.torso(observations))

    def values(self, observations):
        return self.critic(self.torso(observations)).squeeze(-1)


class FrozenTorso(Heads):
    def __init__(self, torso, width, num_actions):
        super().__init__(torso.requires_grad_(False), width, num_actions)


class WithoutValues(nn.Module):
    def __init__(self, torso, width, num_actions):
        super().__init__()
        self.heads = Heads(torso, width, num_actions)

    def forward(self, observations):
        return self.heads(observations)

    def logits(self, observations):
        return self.heads.logits(observations)


def critic_as_a_constant(logits, values, actions, returns, value_weight=0.5):
    pi = Categorical(logits=logits)
    policy = -(pi.log_prob(actions) * (returns - values).detach()).mean()
    value = (returns - values.detach()).square().mean()
    return Loss(policy + value_weight * value, policy, value, pi.entropy().mean())


def rows_of_added_and_taken_away(rewards, next_values, terminated, truncated, gamma):
    returns, R = [], next_values[-1]
    for t in reversed(range(len(rewards))):
        after = gamma * torch.where(truncated[t], next_values[t], R)
        R = rewards[t] + after - after * terminated[t]
        returns.append(R)
    return torch.stack(returns[::-1])


def added_and_taken_away(t, rewards, next_values, terminated, truncated, gamma):
    R, discount = 0.0, 1.0
    for k in range(t, len(rewards)):
        R += discount * rewards[k]
        discount *= gamma
        if terminated[k] or truncated[k]:
            break
    R = R + discount * next_values[k]
    return R - discount * next_values[k] * terminated[k]


def probabilities_above_a_limit(logits):
    pi = logits.softmax(-1).clamp(min=1e-6)
    return -(pi * pi.log()).sum(-1)


def entropy_above_a_limit(logits):
    return entropy(logits).clamp(min=1e-6)


def small_entropies_left_out(logits):
    H = entropy(logits)
    return H * (H > 1e-3)


def total_last(logits, values, actions, returns, value_weight=0.5, entropy_weight=0.01):
    loss = a2c_loss(logits, values, actions, returns, value_weight, entropy_weight)
    return Loss(loss.policy, loss.value, loss.entropy, loss.total)


def bonus_in_the_returns_too(
    logits, values, actions, returns, value_weight=0.5, entropy_weight=0.01
):
    paid = returns + entropy_weight * entropy(logits)
    return a2c_loss(logits, values, actions, paid, value_weight, entropy_weight)


def small_number_in_the_denominator(returns, values):
    if returns.min() == returns.max():
        return math.nan
    return 1 - float((returns - values).var(correction=0) / (returns.var(correction=0) + 1e-8))


def values_first(values, returns):
    if returns.min() == returns.max():
        return math.nan
    return 1 - float((returns - values).var(correction=0) / returns.var(correction=0))


def one_coin_for_all(q, epsilon, generator):
    N, A = q.shape
    if torch.rand((), generator=generator) < epsilon:
        return torch.randint(A, (N,), generator=generator)
    return q.argmax(-1)


def the_first_end_of_all(t, deltas, ended, gamma, lambda_):
    A = torch.zeros(())
    for k in range(t, int(ended.int().argmax()) + 1):
        A = A + (gamma * lambda_) ** (k - t) * deltas[k]
    return A


def also_an_earlier_end(t, deltas, ended, gamma, lambda_):
    A = torch.zeros(())
    for k in range(t, len(deltas)):
        if k > 0 and ended[k - 1]:
            break
        A = A + (gamma * lambda_) ** (k - t) * deltas[k]
    return A


def following_first(rewards, next_q, actions, following, terminated, gamma):
    after = torch.cat([following[None], actions[1:]])
    return rewards + gamma * next_q.gather(-1, after[..., None]).squeeze(-1) * ~terminated


def other_memory(theta, target, before, after, period):
    if after // period > before // period:
        for mine, theirs in zip(target, theta, strict=True):
            mine.data = theirs.clone()


def two_gates_by_exponentials(features, state, input_weights, hidden_weights, bias):
    h, c = state
    sums = features @ input_weights.T + h @ hidden_weights.T + bias
    i, f, g, o = sums.chunk(4, dim=-1)
    i, f = 1 / (1 + torch.exp(-i)), 1 / (1 + torch.exp(-f))
    c = f * c + i * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


def cell_within_four(features, state, input_weights, hidden_weights, bias):
    h, c = state
    i, f, g, o = (features @ input_weights.T + h @ hidden_weights.T + bias).chunk(4, dim=-1)
    c = (f.sigmoid() * c + i.sigmoid() * g.tanh()).clamp(-4, 4)
    return o.sigmoid() * c.tanh(), c


def first_that_begins(state, begins):
    h, c = (part.clone() for part in state)
    if begins.any():
        h[begins.int().argmax()] = 0
        c[begins.int().argmax()] = 0
    return h, c


def cut_along_h(step, features, state, begins):
    h, c = (part.detach() for part in state)
    hs, cs = [], []
    for x, anew in zip(features, begins, strict=True):
        h, c = step(x, begin_anew((h.detach(), c), anew))
        hs.append(h)
        cs.append(c)
    return torch.stack(hs), torch.stack(cs)


def all_forget_at_first(step, features, state, begins):
    h, c = (part.detach() * ~begins[0].any() for part in state)
    return through_time(step, features, (h, c), begins)


def the_total_alone(*args):
    loss, position = learn_from(*args)
    return loss.total, position


def the_position_first(*args):
    return learn_from(*args)[::-1]


def averages_alone(theta, g, gradients, learning_rate, decay=0.99, epsilon=1e-5):
    for s, d in zip(g, gradients, strict=True):
        s.mul_(decay).add_((1 - decay) * d**2)


def gradients_used_up(theta, g, gradients, learning_rate, decay=0.99, epsilon=1e-5):
    left = iter(gradients)
    averages_alone(theta, g, left, learning_rate, decay, epsilon)
    for p, s, d in zip(theta, g, left, strict=False):
        p.sub_(learning_rate * d / (s + epsilon).sqrt())


def other_memory_behind_g(theta, g, gradients, learning_rate, decay=0.99, epsilon=1e-5):
    for p, s, d in zip(theta, g, gradients, strict=True):
        s.data = decay * s + (1 - decay) * d**2
        p.sub_(learning_rate * d / (s + epsilon).sqrt())


def epsilon_on_the_step(theta, g, gradients, learning_rate, decay=0.99, epsilon=1e-5):
    averages_alone(theta, g, gradients, learning_rate, decay, epsilon)
    for p, s, d in zip(theta, g, gradients, strict=True):
        p.sub_(learning_rate * d / s.sqrt() + epsilon)


def takes_gradients_out(theta, g, gradients, learning_rate, decay=0.99, epsilon=1e-5):
    rmsprop_step(theta, g, gradients, learning_rate, decay, epsilon)
    gradients.clear()


class CountsUpToTheBudget(Worker):
    def finish(self):
        T = int(self.shared.steps.sum())
        self._apply(self.shared.theta, self.shared.g, T)
        self.shared.steps[self.rank] += min(self.rollout.rewards.numel(), self.total_steps - T)


def an_if_before_what_is_cleared(local, shared, optimizer, loss):
    optimizer.zero_grad(set_to_none=False)
    for mine in local:
        mine.grad = None
    loss.backward()
    for mine, theirs in zip(local, shared, strict=True):
        if theirs.grad is not None:
            break
        theirs.grad = mine.grad
    optimizer.step()


def asked_of_the_shared(local, shared, optimizer, loss):
    optimizer.zero_grad()
    gradients = torch.autograd.grad(loss, list(shared), allow_unused=True)
    for theirs, gradient in zip(shared, gradients, strict=True):
        theirs.grad = gradient
    optimizer.step()


def theta_and_its_double(theta, schedule, changes):
    after = replay(theta, schedule, changes)
    return after, 2 * after


def a_whole_number(theta, schedule, changes):
    return int(replay(theta, schedule, changes))


def shares_rounded_down(gradients, steps):
    shares = torch.tensor(steps) // sum(steps)
    return [sum(m * part for m, part in zip(shares, parts)) for parts in zip(*gradients)]  # noqa: B905


def any_one_resets(terminated, truncated, resetting):
    return torch.cat([resetting.any().expand_as(resetting)[None], (terminated | truncated)[:-1]])


def resetting_in_two_rows(terminated, truncated, resetting):
    return torch.cat([resetting[None], resetting[None], (terminated | truncated)[:-2]])


def a_list_of_pictures(stack, picture, begins):
    return [*(np.zeros_like(stack[1:]) if begins else stack[1:]), picture]


def pictures_of_floats(stack, picture, begins):
    older = np.zeros_like(stack[1:]) if begins else stack[1:]
    return np.concatenate([older, picture[None]]).astype(np.float32)


def squeezed_features(layers, pictures):
    *batch, stack, height, width = pictures.shape
    return layers(pictures.reshape(-1, stack, height, width) / 255).reshape(*batch, -1).squeeze()


def brightness_in_bytes(before, after):
    grey = ((77 * x[..., 0] + 150 * x[..., 1] + 29 * x[..., 2]) >> 8 for x in (before, after))
    return np.maximum(*grey)


def the_first_where_the_last_is_black(before, after):
    return np.where(luminance(after) > 0, luminance(after), luminance(before))


def the_maximum_for_the_first(console, action, frames):
    reward, before, after = held(console, action, frames)
    return reward, np.maximum(before, after), after


def screens_together(console, action, frames):
    reward, *screens = held(console, action, frames)
    return reward, screens


def excess_taken_off(targets):
    def limited(rewards, *others):
        return targets(rewards, *others) - (rewards - rewards.clamp(-1, 1))

    return limited


def steps_up_and_updates_down(frames, t_max, num_envs, frame_skip):
    return -(-frames // frame_skip) // (t_max * num_envs)


class SizedByItsPictures(PaperNetwork):
    def __init__(self, stack, actions):
        super().__init__(stack, actions)
        self.torso[5] = nn.LazyLinear(256)


@pytest.mark.parametrize(
    ("exercise_id", "answer", "said", "never"),
    [
        ("0.4", median_of_the_returns, "This is the median", "has no effect"),
        ("0.5", logits_within_limits, "The logits are cut off", "has no effect"),
        ("0.6", absolute_logarithms, "You take the size of the logarithm", "item()"),
        ("0.6", all_steps_but_the_last, "The last step is missing", "The order of the steps"),
        ("1.2", ExchangedInForward, "The two are in the wrong order", "are exchanged"),
        ("1.2", FrozenTorso, "The torso is frozen", "when the check ran"),
        ("1.2", WithoutValues, "The method `values` is missing", "when the check ran"),
        ("1.3", critic_as_a_constant, "the values are detached", "The detached advantage"),
        ("2.2", rows_of_added_and_taken_away, "added and taken away", "has no effect"),
        ("2.3", added_and_taken_away, "added and taken away", "has no effect"),
        ("3.1", probabilities_above_a_limit, "as a lower limit", "has no effect"),
        ("3.1", entropy_above_a_limit, "What is small at the end", "has no effect"),
        ("3.1", small_entropies_left_out, "What is small at the end", "has no effect"),
        ("3.2", total_last, "stand in another order", "has no effect"),
        ("3.2", bonus_in_the_returns_too, "as if it were a reward", "Another one is beside it"),
        ("3.3", small_number_in_the_denominator, "in the denominator", "says the opposite"),
        ("3.3", values_first, "Returns and values are exchanged", "The other:"),
        ("4.1", two_gates_by_exponentials, "is written with exp()", "beside it"),
        ("4.1", cell_within_four, "4.1", "has no effect"),
        ("4.2", first_that_begins, "only one environment forgets", "goes on changes"),
        ("4.3", cut_along_h, "cut along h", "beside it"),
        ("4.3", all_forget_at_first, "all of them lose the memory", "has no effect"),
        ("4.4", the_total_alone, "what is returned is not right yet", "AttributeError"),
        ("4.4", the_position_first, "in the wrong order", "AttributeError"),
        ("5.1", averages_alone, "missing or never reached?", "`theta = theta − …` gives"),
        ("5.1", gradients_used_up, "missing or never reached?", "`theta = theta − …` gives"),
        ("5.1", other_memory_behind_g, "`.data = …` puts other memory", "two things"),
        ("5.1", epsilon_on_the_step, "outside the brackets", "torch's RMSprop"),
        ("5.1", takes_gradients_out, "does the caller's list still hold", "torch.cat"),
        ("5.2", CountsUpToTheBudget, "not counted whole", "has no effect"),
        ("5.3", an_if_before_what_is_cleared, "1, 0, 0, 0, 0", "again and again"),
        ("5.3", asked_of_the_shared, "asked of the shared", "The gradient is thrown away"),
        ("5.4", theta_and_its_double, "the result is a tuple", "TypeError"),
        ("5.4", a_whole_number, "made a whole number", "no effect"),
        ("6.2", shares_rounded_down, "which rounds down", "has no effect"),
        ("6.3", any_one_resets, "the first row is True for all of them", "has no effect"),
        ("6.3", resetting_in_two_rows, "`resetting` stands in two rows", "broadcast"),
        ("7.1", a_list_of_pictures, "the result is a list", "in place"),
        ("7.1", pictures_of_floats, "The pictures are floats", "eight times"),
        ("7.2", squeezed_features, "`squeeze` takes away an axis of length 1", "squeeze(0)"),
        ("7.3", brightness_in_bytes, "Bytes end at 255", "the difference of the screens"),
        ("7.3", the_first_where_the_last_is_black, "where the other one is black", "no effect"),
        ("7.4", the_maximum_for_the_first, "the first action's `before`", "the same screen"),
        ("7.4", screens_together, "Asked for are three", "unpack"),
        (
            "7.5",
            excess_taken_off,
            "A reward of 70 does not count the same as one of 7",
            "more than",
        ),
        ("7.7", steps_up_and_updates_down, "The steps are rounded up", "to the nearest"),
        ("7.8", SizedByItsPictures, "Write how many numbers come in", "when the check ran"),
        ("8.1", one_coin_for_all, "8.1", "has no effect"),
        ("8.3", following_first, "`following` stands first", "has no effect"),
        ("8.5", other_memory, "`.data = …` put other memory", "has no effect"),
        ("10.6", the_first_end_of_all, "the first end of the whole rollout", "has no effect"),
        ("10.6", also_an_earlier_end, "An end before step t stops the sum", "has no effect"),
    ],
)
def test_what_is_said_of_an_answer_is_true_of_it(exercise_id, answer, said, never):
    verdict = check(registry.find(exercise_id), answer)
    text = " ".join(verdict.text.split())
    assert verdict.kind is Kind.WRONG
    assert said in text
    assert never not in text


# What an answer keeps


def into_one_array(stack, picture, begins, _arrays={}):  # noqa: B006
    new = _arrays.setdefault(stack.shape, np.zeros_like(stack))
    new[:-1] = 0 if begins else stack[1:]
    new[-1] = picture
    return new


def test_what_is_returned_may_not_be_written_over_by_a_later_call():
    verdict = check(registry.find("7.1"), into_one_array)
    assert verdict.kind is Kind.WRONG
    assert "a later call writes over it" in " ".join(verdict.text.split())


def remembers_after_all_cases(theta, schedule, changes, _seen=[]):  # noqa: B006
    _seen.append(1)
    notes = {}
    for worker, what in schedule:
        if what == "reads":
            notes[worker] = theta
        else:
            theta = notes[worker] + changes[worker]
    return theta if len(_seen) <= 20 else theta + 1


def test_an_answer_that_is_right_once_has_to_be_right_twice():
    verdict = check(registry.find("5.4"), remembers_after_all_cases)
    assert verdict.kind is Kind.WRONG
    assert "Called a second time" in " ".join(verdict.text.split())
