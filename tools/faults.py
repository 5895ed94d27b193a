"""Plant one-line faults in the package, one at a time, and see which exact test catches each.

`python tools/faults.py` works on a copy; tests marked `learning` do not count. Exit code 1 if a
fault survives.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from tree import in_order

ROOT = Path(__file__).resolve().parent.parent
LONGEST = 900  # seconds for the tests of one fault: some faults keep a training from ending
ENGINE = "a3c_lib/exercises/engine/"  # its modules are tested together
SLOW = {
    "exercises",
    "workers",
    "check",
    "records",
    "plots",
    "drawing",
    "diagrams",
    "animation",
    "progress",
}
TESTS = [
    name
    for name in (module.rpartition(".")[2] for module in in_order())
    if name not in SLOW and (ROOT / "tests" / f"test_{name}.py").exists()
] + ["continuous"]
LATE = "hogwild", "interrupts", "cli"  # as long as all others together


class Fault(NamedTuple):
    name: str
    module: str  # of a3c_lib, or a path from the root: then its own tests alone have to see it
    right: str
    wrong: str


FAULTS = [
    Fault("sign of the policy term", "actor_critic", "policy = -(", "policy = ("),
    Fault("sign of the policy term in REINFORCE", "reinforce", "return -(", "return ("),
    Fault(
        "sign of the entropy",
        "losses",
        "loss.total - entropy_weight",
        "loss.total + entropy_weight",
    ),
    Fault("entropy itself negative", "losses", "return -(log_pi", "return (log_pi"),
    Fault(
        "entropy detached", "losses", "entropy_weight * bonus,", "entropy_weight * bonus.detach(),"
    ),
    Fault("mean over actions in the entropy", "losses", ".sum(dim=-1)", ".mean(dim=-1)"),
    Fault("no terminal mask, one step", "actor_critic", "next_values * ~terminated", "next_values"),
    Fault(
        "no terminal mask, n steps", "returns", "torch.where(terminated[t], 0.0, after)", "after"
    ),
    Fault(
        "truncation taken for termination, one step",
        "actor_critic",
        "* ~terminated",
        "* ~(terminated | truncated)",
    ),
    Fault(
        "truncation taken for termination, n steps",
        "returns",
        "torch.where(terminated[t],",
        "torch.where(terminated[t] | truncated[t],",
    ),
    Fault(
        "return runs on through a time limit",
        "returns",
        "torch.where(truncated[t], next_values[t], R)",
        "R",
    ),
    Fault(
        "both ends merged in the rollout",
        "rollout",
        "np.array(terminated),",
        "np.array(ended),",
    ),
    Fault(
        "bootstrap from the state before the step",
        "actor_critic",
        "model.values(rollout.shown_unseen)",
        "model.values(rollout.observations[rollout.unseen])",
    ),
    Fault(
        "bootstrap from the state after the reset",
        "rollout",
        "observation if next_step else info",
        "observation if True else info",
    ),
    Fault(
        "bootstrap from the first value of the rollout",
        "returns",
        "R = next_values[-1]\n    for t in reversed(range(len(rewards))):\n        after",
        "R = next_values[0]\n    for t in reversed(range(len(rewards))):\n        after",
    ),
    Fault(
        "the last step's value not looked up",
        "rollout",
        "unseen[-1] = True",
        "unseen[-1] = False",
    ),
    Fault(
        "advantage not detached",
        "actor_critic",
        "(returns - values).detach()",
        "(returns - values)",
    ),
    Fault(
        "gradient of the target in the loss",
        "actor_critic",
        "(returns.detach() - values)",
        "(returns - values)",
    ),
    Fault("gradient of the bootstrap", "actor_critic", "values.detach().roll", "values.roll"),
    Fault("gradient of the return in REINFORCE", "reinforce", "returns.detach() *", "returns *"),
    Fault(
        "undiscounted return, one step",
        "actor_critic",
        "rewards + gamma * next_values",
        "rewards + next_values",
    ),
    Fault(
        "undiscounted return, n steps",
        "returns",
        "rewards[t] + gamma * torch",
        "rewards[t] + torch",
    ),
    Fault(
        "undiscounted return in REINFORCE", "reinforce", "rewards[t] + gamma * G", "rewards[t] + G"
    ),
    Fault(
        "sum for mean in the policy term", "actor_critic", "advantages).mean()", "advantages).sum()"
    ),
    Fault("sum for mean in the value term", "actor_critic", ".square().mean()", ".square().sum()"),
    Fault(
        "mean for sum in REINFORCE",
        "reinforce",
        "log_probabilities).sum()",
        "log_probabilities).mean()",
    ),
    Fault("sum for mean in the bonus", "losses", "entropy(logits).mean()", "entropy(logits).sum()"),
    Fault("value weight lost", "actor_critic", "policy + value_weight * value", "policy + value"),
    Fault("one step short", "rollout", "len(steps) == t_max", "len(steps) >= t_max - 1"),
    Fault(
        "next observation stored as observation",
        "rollout",
        "        position.observation,\n        action,",
        "        torch.as_tensor(observation),\n        action,",
    ),
    Fault(
        "episode statistics not reset",
        "rollout",
        "np.where(over, 0, rewards_so_far)",
        "rewards_so_far",
    ),
    Fault(
        "rollouts start again",
        "playing",
        "rollout, self.position = collect(",
        "rollout, _ = collect(",
    ),
    Fault(
        "the same seed in every environment",
        "rollout",
        "seed=seeds if one_by_one",
        "seed=[seeds[0]] * len(seeds) if one_by_one",
    ),
    Fault(
        "environments' seed ignored",
        "rollout",
        "SeedSequence([seed, *path])",
        "SeedSequence([0, *path])",
    ),
    Fault(
        "actions' seed ignored",
        "playing",
        "manual_seed(int(for_actions.generate_state(1)[0]))",
        "manual_seed(0)",
    ),
    Fault("network's seed ignored", "networks", "torch.manual_seed(seed)", "torch.manual_seed(0)"),
    Fault(
        "torch's own random state used up",
        "networks",
        "with torch.random.fork_rng(devices=[]):",
        "if True:",
    ),
    Fault(
        "greedy where sampled was meant",
        "distributions",
        "torch.multinomial(pi, 1, generator=generator).squeeze(-1)",
        "pi.argmax(dim=-1)",
    ),
    Fault(
        "gradients left behind", "training", "self.optimizer.zero_grad(set_to_none=True)", "pass"
    ),
    Fault(
        "the limit of the norm forgotten",
        "training",
        "tuple(gradient * scale for",
        "tuple(gradient * 1.0 for",
    ),
    Fault("a bad gradient applied", "training", "if not math.isfinite(norm):", "if False:"),
    Fault("a bad loss followed", "training", "if not loss.isfinite():", "if False:"),
    Fault(
        "learning rate not annealed",
        "training",
        "left if self.anneal else",
        "left if False else",
    ),
    Fault("a state that goes on changing", "training", "return deepcopy(state)", "return state"),
    Fault(
        "short episodes favoured",
        "evaluation",
        "while min(map(len, played)) < each:",
        "while sum(map(len, played)) < each * len(played):",
    ),
    Fault(
        "separate torsos shared after all",
        "networks",
        "self.value_torso = None if shared else",
        "self.value_torso = None if True else",
    ),
    Fault("bytes not scaled", "networks", "one.dtype) / 255", "one.dtype) / 1"),
    Fault(
        "rewards continue after the end in V^π",
        "worlds.exact",
        "alive = torch.as_tensor(~mdp.terminal)",
        "alive = torch.as_tensor(mdp.terminal | True)",
    ),
    Fault(
        "visits counted the wrong way",
        "worlds.exact",
        "identity - P.T, torch",
        "identity - P, torch",
    ),
    Fault("slip forgotten", "worlds.envs", "+= 1 - slip", "+= 1"),
    Fault(
        "memory not zeroed at an end",
        "rollout",
        "anew.to(part.device).reshape(-1",
        "(anew & False).reshape(-1",
    ),
    Fault(
        "memory of all environments zeroed at one's end",
        "rollout",
        "anew.to(part.device).reshape(-1",
        "anew.any().expand(len(anew)).reshape(-1",
    ),
    Fault(
        "no dummy after an end",
        "rollout",
        "ended if next_step else dummy,",
        "dummy,",
    ),
    Fault(
        "dummies one step early",
        "rollout",
        "        dummy,\n        final",
        "        ended,\n        final",
    ),
    Fault(
        "a dummy counts as a step of the next episode",
        "rollout",
        "position.steps_so_far + ~dummy",
        "position.steps_so_far + 1",
    ),
    Fault(
        "dummies learned from",
        "actor_critic",
        "real = ~rollout.dummies",
        "real = rollout.dummies == rollout.dummies",
    ),
    Fault(
        "memory not handed to the unrolled pass",
        "actor_critic",
        "unroll(rollout, state)",
        "unroll(rollout, model.initial_state(state[0].shape[0]))",
    ),
    Fault(
        "memory reset one step late",
        "recurrent",
        "begins[1:] = (ended | rollout.dummies)[:-1]",
        "begins[2:] = (ended | rollout.dummies)[:-2]",
    ),
    Fault(
        "memory goes on behind a dummy",
        "recurrent",
        "begins[1:] = (ended | rollout.dummies)[:-1]",
        "begins[1:] = ended[:-1]",
    ),
    Fault(
        "memory not reset in the unrolled pass",
        "recurrent",
        "anew[:, None], 0)",
        "anew[:, None] & False, 0)",
    ),
    Fault(
        "cell not carried",
        "recurrent",
        "state = self.lstm(features, (h, c))",
        "state = self.lstm(features, (h, 0 * c))",
    ),
    Fault(
        "detached inside the rollout",
        "recurrent",
        "memories.append(state)",
        "memories.append(state); state = (state[0].detach(), state[1].detach())",
    ),
    Fault(
        "not detached between rollouts",
        "recurrent",
        "part.detach() for part in state",
        "part for part in state",
    ),
    Fault(
        "bootstrap without memory",
        "recurrent",
        "(h[unseen], c[unseen])",
        "(0 * h[unseen], 0 * c[unseen])",
    ),
    Fault(
        "bootstrap of environment 0 for all",
        "recurrent",
        "self.values(rollout.shown_unseen,",
        "self.values(rollout.next_observations[:, :1].expand_as(rollout.observations)[unseen],",
    ),
    Fault(
        "epsilon outside the root", "optim", "(g + self.epsilon).sqrt_()", "g.sqrt() + self.epsilon"
    ),
    Fault(
        "1 - α forgotten",
        "optim",
        "d_theta, d_theta, value=1 - self.decay",
        "d_theta, d_theta, value=1",
    ),
    Fault(
        "square forgotten",
        "optim",
        "addcmul_(d_theta, d_theta, value=1 - self",
        "add_(d_theta, alpha=1 - self",
    ),
    Fault("statistics not in shared memory", "optim", "tensor.share_memory_()", "tensor.clone()"),
    Fault("bias of Adam not corrected", "optim", "(v / (1 - b2**k))", "(v / 1)"),
    Fault(
        "no step left when others have spent the budget",
        "hogwild",
        "max(1, self.config.rollout_length(steps))",
        "self.config.rollout_length(steps)",
    ),
    Fault(
        "an action that cannot be taken spoils the entropy",
        "losses",
        "log_pi = log_pi.masked_fill(log_pi.isneginf(), 0.0)",
        "pass",
    ),
    Fault(
        "clipped rewards without their context",
        "worlds.atari",
        "return WithContext(partial(_clipped, targets))",
        "return partial(_clipped, targets)",
    ),
    Fault(
        "other stacks gone on with",
        "replay",
        'self.stack not in (None, shown["stack"])',
        "False",
    ),
    Fault(
        "what one look keeps is not where the network computes",
        "one_look",
        "dtype=dtype, device=device, memory_format=order",
        "dtype=dtype, memory_format=order",
    ),
    Fault(
        "frozen parameters handed to REINFORCE's Adam",
        "app.plan",
        "torch.optim.Adam(trainable(model)",
        "torch.optim.Adam(model.parameters()",
    ),
    Fault(
        "targets that ask for a context handed to Q-learning",
        "q_learning",
        "refuse_context(its.targets)",
        "pass",
    ),
    Fault(
        "statistics of each worker's own",
        "hogwild",
        "if not config.shared_statistics:",
        "if True:",
    ),
    Fault(
        "no copy of θ",
        "hogwild",
        "            copy_tensors(self.shared.parameters, self.model.parameters())",
        "            pass",
    ),
    Fault(
        "θ overwritten",
        "hogwild",
        "take_step(self.theta, self.optimizer, gradients, learning_rate, good)",
        "[theta.data.copy_(own.data - learning_rate * d) for theta, own, d in zip(shared.parameters, self.model.parameters(), gradients)]",
    ),
    Fault(
        "a step that spoils θ undoes the steps of others too",
        "hogwild",
        "good = None if self._steps_alone else list(self.model.parameters())",
        "good = list(self.model.parameters())",
    ),
    Fault(
        "updates counted as lag that were made before θ was read",
        "hogwild",
        "        with self.shared.lock:\n            updates_seen = int(self.shared.updates.sum())\n",
        "        updates_seen = int(self.shared.updates.sum())\n        with self.shared.lock:\n",
    ),
    Fault(
        "a model left in shared memory where a training cannot begin",
        "hogwild",
        "with closed_on_error(self._leave_shared_memory):",
        "with closed_on_error(int):",
    ),
    Fault(
        "environments of parallel A2C left open where the network does not fit",
        "parallel_a2c",
        "with closed_on_error(self.player.close):",
        "with closed_on_error(int):",
    ),
    Fault(
        "frozen parameters handed to the optimizer",
        "models",
        "for theta in model.parameters() if theta.requires_grad]",
        "for theta in model.parameters()]",
    ),
    Fault("a spoilt step kept", "training", "copy_tensors(before, theta.values())", "pass"),
    Fault("a step never looked at", "training", "check_finite(theta, optimizer)", "pass"),
    Fault(
        "a memory asked for N environments alone",
        "models",
        "initial_state(model, N + 1)",
        "initial_state(model, N)",
    ),
    Fault("looking moves running means", "models", "        model.eval()", "        pass"),
    Fault(
        "buffers of other workers stay behind",
        "parallel_a2c",
        "copy_tensors(buffers, self.model.buffers())",
        "pass",
    ),
    Fault("a bound of settings lost", "settings", "not number >= self.least", "False"),
    Fault("truth values taken for numbers", "settings", "(kind is bool or not truth)", "True"),
    Fault(
        "same seed in every worker",
        "hogwild",
        "shared.step_count, rank)",
        "shared.step_count, 0)",
    ),
    Fault(
        "rollouts counted instead of steps",
        "hogwild",
        "shared.steps[self.rank] += lesson.steps",
        "shared.steps[self.rank] += 1",
    ),
    Fault(
        "annealed on a worker's own steps",
        "hogwild",
        "config.annealed(shared.step_count)",
        "config.annealed(int(shared.steps[self.rank]))",
    ),
    Fault("own update counted as lag", "hogwild", ") - updates_seen", ") - updates_seen + 1"),
    Fault(
        "gradient not clipped",
        "actor_critic",
        "clip_gradients(lesson.gradients, config.max_grad_norm)",
        "clip_gradients(lesson.gradients)",
    ),
    Fault(
        "a worker's gradient not clipped",
        "hogwild",
        "clip_gradients(lesson.gradients, self.config.max_grad_norm)",
        "clip_gradients(lesson.gradients)",
    ),
    Fault(
        "gradient of many workers not clipped",
        "parallel_a2c",
        "clip_gradients(gradients, self.config.max_grad_norm)",
        "clip_gradients(gradients)",
    ),
    Fault(
        "optimiser's statistics not restored",
        "training",
        'optimizer.load_state_dict(state["optimizer"])',
        "pass",
    ),
    Fault(
        "a loaded state that goes on changing",
        "training",
        "load_state_dict(deepcopy(state_dict))",
        "load_state_dict(state_dict)",
    ),
    Fault("weights not restored", "training", 'model.load_state_dict(state["model"])', "pass"),
    Fault(
        "own statistics not restored",
        "hogwild",
        "self.shared.optimizer.state_dict() if own is None else own",
        "self.shared.optimizer.state_dict()",
    ),
    Fault(
        "a worker's optimizer in the place of what wrappers measured",
        "hogwild",
        'state["optimizer"] = self.optimizer.state_dict()',
        'state["statistics"] = state["optimizer"] = self.optimizer.state_dict()',
    ),
    Fault(
        "random state of the actions not restored",
        "playing",
        'self.generator.set_state(state["generator"])',
        "self.generator.manual_seed(0)",
    ),
    Fault(
        "dice not restored",
        "worlds.envs",
        'self.np_random.bit_generator.state = state["state"], state["random"]',
        '_ = state["state"], state["random"]',
    ),
    Fault(
        "worlds not put back",
        "restoring",
        "                _load(layer, state)",
        "                pass",
    ),
    Fault(
        "a time limit begins anew",
        "restoring",
        'layer._elapsed_steps = state["steps"]',
        "layer._elapsed_steps = 0",
    ),
    Fault(
        "a wrapper's memory overlooked",
        "restoring",
        "return all(callable(getattr(type(layer), f",
        "return True or all(callable(getattr(type(layer), f",
    ),
    Fault(
        "the rollout under way is lost",
        "hogwild",
        'if state["under_way"] is not None:',
        "if False:",
    ),
    Fault(
        "another worker's turn",
        "hogwild",
        'self.turn = state["turn"] if all(goes_on) else 0',
        "self.turn = 0",
    ),
    Fault(
        "recent returns are lost",
        "actor_critic",
        'self.recent.load_state_dict(resume["recent"], device_of(model))',
        "pass",
    ),
    Fault(
        "random state not saved",
        "playing",
        "self.generator.get_state()",
        "torch.Generator().get_state()",
    ),
    Fault(
        "optimiser's statistics not saved",
        "optim",
        "name: [tensor.clone() for",
        "name: [tensor * 0 for",
    ),
    Fault(
        "checkpoint written in place",
        "app.checkpoints",
        "path.with_name(path.name + UNFINISHED)",
        "path",
    ),
    Fault(
        "renamed before it is on the disk",
        "app.checkpoints",
        "os.fsync(self.file.fileno())",
        "pass",
    ),
    Fault(
        "code in a checkpoint is run", "app.checkpoints", "weights_only=True", "weights_only=False"
    ),
    Fault("damage overlooked", "app.checkpoints", "sha256(content).digest() != digest", "False"),
    Fault("rows twice in a resumed run", "app.metrics", 'if numbers["steps"] <= steps', "if True"),
    Fault(
        "pictures measured again",
        "app.runs",
        "self.plan.make_model(to_be_loaded=True)",
        "self.plan.make_model()",
    ),
    Fault(
        "pictures never measured",
        "app.plan",
        'to_be_loaded: bool = False) -> nn.Module:\n        """The network, with',
        'to_be_loaded: bool = True) -> nn.Module:\n        """The network, with',
    ),
    Fault("half a row taken for one", "app.metrics", 'if line.endswith("\\n")', "if line"),
    Fault("bytes that are no text", "app.metrics", "except UnicodeDecodeError", "except KeyError"),
    Fault(
        "a network of any kind of numbers",
        "app.plan",
        "check_settings(self)\n        if self.bfloat16",
        "if self.bfloat16",
    ),
    Fault("a network that no memory holds", "app.plan", "if 4 * weights > most:", "if False:"),
    Fault(
        "options that nothing heeds", "app.plan", "for name in self._built_in:", "for name in ():"
    ),
    Fault(
        "rows of what workers had made lost",
        "app.runs",
        "for update in training.finish():",
        "for update in ():",
    ),
    Fault("a checkpoint ahead of its rows", "app.runs", 'update.steps >= ahead["steps"]', "True"),
    Fault("another process blamed", "app.runs", "if error.errno in TAKEN:", "if True:"),
    Fault("silence about a divergence", "app.runs", "if steps <= later:", "if False:"),
    Fault("a pipe waited for", "app.runs", "checkpoints.content_of(path)", "path.read_bytes()"),
    Fault(
        "an error in closing hides the one before",
        "app.telling",
        "with suppress(Exception):\n            thing.close()",
        "thing.close()",
    ),
    Fault("rows later than the checkpoint", "app.runs", "metrics.sync()", "pass"),
    Fault(
        "no checkpoint where the loop is left",
        "app.runs",
        "            save(training.state_dict())\n            raise",
        "            raise",
    ),
    Fault(
        "a checkpoint after an error", "app.runs", "except GeneratorExit:", "except BaseException:"
    ),
    Fault(
        "another network's checkpoint taken",
        "app.plan",
        '"algorithm", "env", "network", "screen":',
        '"algorithm", "env", "screen":',
    ),
    Fault(
        "a run's folder overwritten",
        "app.runs",
        "if folder.exists() or folder.is_symlink():",
        "if False:",
    ),
    Fault("rewards not clipped", "worlds.atari", "rewards.clamp(-1, 1)", "rewards"),
    Fault(
        "a lost life ends the game",
        "worlds.atari",
        "ended & (began != self._began)",
        "ended",
    ),
    Fault(
        "where games begin taken for how far they are",
        "worlds.atari",
        'info["frame_number"] - info["episode_frame_number"]',
        'info["episode_frame_number"]',
    ),
    Fault(
        "a deviation without a mean picture forgotten",
        "encoders",
        "self.mean.any() or self.deviation != 255",
        "self.mean.any()",
    ),
    Fault(
        "what followed a lost life taken from ale-py",
        "worlds.atari",
        "observation[lost]",
        'info["final_obs"][lost]',
    ),
    Fault("seeds of 32 bits", "rollout", "s % (2**31 - len(seeds))", "s % 2**31"),
    Fault("episodes are lives", "rollout", "ended if lives is None else lives.game_over", "ended"),
    Fault(
        "observations not copied",
        "rollout",
        "    position = Position(\n        _copied(observation),",
        "    position = Position(\n        torch.as_tensor(observation),",
    ),
    Fault(
        "rewards not copied",
        "rollout",
        "np.array(reward),",
        "reward,",
    ),
    Fault("ends not copied", "rollout", "np.array(truncated),", "truncated,"),
    Fault(
        "what was shown at an end overwritten by the next episode",
        "making",
        "observation = copy(observation)",
        "pass",
    ),
    Fault(
        "ends in another order than they came",
        "rollout",
        "shown[self.ended] = self.final",
        "shown[self.ended] = self.final.flip(0)",
    ),
    Fault(
        "environments left open",
        "playing",
        "with closed_on_error(envs.close):",
        "with closed_on_error(list):",
    ),
    Fault(
        "a column without its dummies",
        "rollout",
        "self.dummies[:, n : n + 1]",
        "self.dummies[:, :1] & False",
    ),
    Fault(
        "running means not handed back",
        "hogwild",
        "copy_tensors(self.model.buffers(), shared.buffers)",
        "pass",
    ),
    Fault(
        "what one-step methods measure is written over",
        "hogwild",
        "[*self.shared.parameters, *self.model.buffers()]",
        "[*self.shared.parameters, *self.shared.buffers]",
    ),
    Fault(
        "running means not taken along",
        "hogwild",
        "copy_tensors(self.shared.buffers, self.model.buffers())",
        "pass",
    ),
    Fault(
        "target network not restored",
        "hogwild",
        'target.load_state_dict(resume["target"])',
        "pass",
    ),
    Fault(
        "a copy of the target network",
        "hogwild",
        "own.data = tensor.data",
        "own.data = tensor.data.clone()",
    ),
    Fault(
        "nobody told how many steps were counted",
        "hogwild",
        "self.method.counted(shared, before, shared.step_count)",
        "self.method.counted(shared, 0, 0)",
    ),
    Fault("sticky actions forgotten", "worlds.atari", "=self.sticky", "=0.0"),
    Fault("two screens not joined", "worlds.atari", "maxpool=self.frame_skip > 1", "maxpool=False"),
    Fault(
        "other games on the screen",
        "worlds.atari",
        "noop_max=self.noop_max",
        "noop_max=30 * coloured",
    ),
    Fault("bytes not scaled", "encoders", "to(numbers) / 255)", "to(numbers) / 1)"),
    Fault(
        "what the encoder saw in another order",
        "one_look",
        "return self._memory[: self._height]",
        "return self._memory[: self._height].flip(0)",
    ),
    Fault("the encoder looks again", "one_look", "if self._known is not None and", "if False and"),
    Fault(
        "looks pile up",
        "one_look",
        "self._seen.clear()",
        "pass",
    ),
    Fault(
        "weights of the first rollout",
        "one_look",
        "self._known, self._weights = None, None",
        "self._known = None",
    ),
    Fault(
        "the first known layer without its ReLU",
        "one_look",
        "(d_first, first, 0)",
        "(d_first, first, -1)",
    ),
    Fault(
        "the second known layer without its ReLU",
        "one_look",
        "(d_features, features, 0)",
        "(d_features, features, -1)",
    ),
    Fault("no gradient for known biases", "one_look", "d_units.sum(dim=0)", "0 * d_units[0]"),
    Fault("a pile that grows forgets", "one_look", "self._memory[:before] = rows", "pass"),
    Fault(
        "a look after the rollout is piled up with it",
        "one_look",
        "self._seen if self._known is None else Seen(len(self.behind))",
        "self._seen",
    ),
    Fault("the mean picture forgotten", "encoders", "(pictures - self.mean)", "pictures"),
    Fault("the mean picture added", "encoders", "(pictures - self.mean)", "(pictures + self.mean)"),
    Fault("the deviation forgotten", "encoders", "* (255 / self.deviation)", "* 1"),
    Fault(
        "the whole stack for the statistics", "encoders", "[0][:, -1].copy()", "[0][:, 0].copy()"
    ),
    Fault(
        "the deviation from zero", "encoders", "np.square(shown - mean)", "np.square(1.0 * shown)"
    ),
    Fault(
        "no gain for a ReLU", "encoders", "gains.get(layer, math.sqrt(2))", "gains.get(layer, 1.0)"
    ),
    Fault("the mean picture forgotten in one look", "one_look", "signal -= weights.mean", "pass"),
    Fault(
        "bytes not scaled in one look",
        "one_look",
        "first.weight / self.encoder.deviation",
        "first.weight / 1",
    ),
    Fault("patches turned", "one_look", "permute(0, 2, 4, 1, 3, 5)", "permute(0, 4, 2, 1, 3, 5)"),
    Fault(
        "steps and environments mixed in the encoder",
        "encoders",
        "reshape(*batch, -1)",
        "reshape(*batch[::-1], -1).transpose(0, -2)",
    ),
    Fault(
        "the ball stays at a wall",
        "worlds.bounce",
        "% (2 * (self.size - 1))\n        self._pointed",
        "% (2 * self.size)\n        self._pointed",
    ),
    Fault(
        "always the same direction",
        "worlds.bounce",
        "integers(2 * (self.size - 1), size=2)",
        "integers(self.size - 1, size=2)",
    ),
    Fault(
        "paid for where the ball was",
        "worlds.bounce",
        "self._phases = (self._phases + 1)",
        "self._phases = (self._phases + (self._steps_taken > 0))",
    ),
    Fault(
        "a time limit that ends the world",
        "worlds.bounce",
        "False, self._steps_taken >= self.steps",
        "self._steps_taken >= self.steps, False",
    ),
    Fault(
        "another game on the watched screen",
        "figures.watching",
        "self.envs.reset(seed=seed)",
        "self.envs.reset(seed=seed + 1)",
    ),
    Fault(
        "watched without memory",
        "figures.watching",
        "logits, state = model.logits(observation, state)",
        "logits, _ = model.logits(observation, state)",
    ),
    Fault(
        "watched until a life is lost",
        "figures.watching",
        "lives is None or bool(lives.game_over[0])",
        "True",
    ),
    Fault(
        "watched with the memory of a lost life",
        "figures.watching",
        "            if ended:",
        "            if False:",
    ),
    # ---- environments of others ----
    Fault("channels last taken", "networks", "if last in (1, 3, 4) and first > last:", "if False:"),
    Fault(
        "a space of another package contradicted",
        "networks",
        "if not isinstance(space, spaces.Space):",
        "if False:",
    ),
    Fault(
        "the last column silently empty", "rollout", "n = range(self.actions.shape[1])[n]", "pass"
    ),
    Fault(
        "zeros for a memory's beginning",
        "rollout",
        "policy_state) if first is None",
        "policy_state) if True",
    ),
    Fault("any memory will do", "rollout", "part.shape[:1] != (num_envs,)", "False"),
    Fault("what is no tensor will do", "rollout", "num_envs, tensors_only=True)", "num_envs)"),
    Fault("a wrapper's reward for the score", "rollout", "return float(returns[env])", "pass"),
    Fault("NaN in an observation unseen", "rollout", "    _check_numbers(rollout)\n", ""),
    Fault(
        "NaN in logits chosen from",
        "distributions",
        """if self.wrong():
            raise NoActionError
        return self.logits""",
        """if False:
            raise NoActionError
        return self.logits""",
    ),
    Fault("one environment in two places", "making", "if id(env) in seen:", "if False:"),
    Fault("an id's module not imported", "making", "importlib.import_module(module)", "pass"),
    Fault(
        "environments left open by the one that fails", "making", "env.close for env in made", ""
    ),
    Fault("close's error instead of the loop's", "training", "under_way=error", "under_way=None"),
    Fault("an info key of somebody else's", "making", 'key != "final_obs"', "True"),
    Fault("other spaces, faster", "a2c", "_spaces_of(spec) == its", "True"),
    Fault("wrappers of a spec left out", "a2c", "or spec.additional_wrappers", ""),
    Fault("evaluated in training mode", "evaluation", ", evaluating(model)", ""),
    Fault("left in evaluation mode", "models", "module.training = True", "pass"),
    Fault("statistics that go on", "restoring", "wrapper.update_running_mean = False", "pass"),
    Fault("statistics of the first alone", "restoring", "for other in others:", "for other in ():"),
    Fault("statistics begin anew", "playing", 'and state.get("statistics")', "and False"),
    Fault(
        "actions counted from 0",
        "evaluation",
        "executed_one(action.numpy(), self._action_space)",
        "int(action)",
    ),
    Fault(
        "a figure without words",
        "figures.pictures",
        "as_html(png, said, width)",
        'as_html(png, "", width)',
    ),
    Fault(
        "a description that is not heard",
        "figures.pictures",
        "if said := str(figure.get_label()):",
        "if said := '':",
    ),
    Fault(
        "a diagram as coarse as any figure",
        "figures.pictures",
        "dpi=self.scale * self.dpi",
        "dpi=self.dpi",
    ),
    Fault(
        "numbers among a figure's marks",
        "figures.pictures",
        "for text in texts if _has_letters(text.get_text()))",
        "for text in texts)",
    ),
    Fault(
        "a formula's letters among a figure's marks",
        "figures.pictures",
        'return any(map(str.isalpha, re.sub(r"\\$\\\\mathdefault\\{[^$]*\\}\\$", "", text)))',
        "return any(map(str.isalpha, text))",
    ),
    Fault(
        "an end in the last row not looked at",
        "rollout",
        "last[ended] = self.final[earlier:]",
        "pass",
    ),
    Fault("a rollout under way not looked at", "one_look", "self(observations)", "pass"),
    Fault(
        "counters of what was read",
        "parallel_a2c",
        '"steps": int(self._counts[STEPS])',
        '"steps": self.steps',
    ),
    Fault(
        "statistics of the other workers begin anew",
        "parallel_a2c",
        "self.optimizer.load_state_dict(shared.optimizer.state_dict())",
        "pass",
    ),
    Fault(
        "weights and statistics forgotten when a run goes on",
        "parallel_a2c",
        "= go_on(resume, model, self.optimizer)",
        '= resume["steps"], resume["updates"]',
    ),
    Fault(
        "closed, and the counters left as they were read",
        "parallel_a2c",
        "self.steps, self.updates = int(self._counts[STEPS]), int(self._counts[MADE])",
        "pass",
    ),
    Fault(
        "max over what learns, not over the target",
        "q_learning",
        "return target_q.amax(dim=-1)",
        "return next_q.amax(dim=-1)",
    ),
    Fault(
        "Sarsa from the action before",
        "q_learning",
        "torch.cat([rollout.actions[1:],",
        "torch.cat([rollout.actions[:-1],",
    ),
    Fault(
        "what Sarsa has chosen is drawn anew",
        "q_learning",
        "torch.where(chosen > 0, chosen - 1, action)",
        "action",
    ),
    Fault(
        "what Sarsa has chosen carried past an end",
        "q_learning",
        ".masked_fill(rollout.ended[-1].cpu(), 0)",
        "",
    ),
    Fault(
        "Sarsa takes the next episode's action at a time limit",
        "q_learning",
        "torch.where(rollout.truncated, mean, of_actions(target_q, next_actions))",
        "of_actions(target_q, next_actions)",
    ),
    Fault(
        "what Sarsa has chosen in the place of the memory",
        "q_learning",
        "policy_state=(*_tensors(memory), chosen)",
        "policy_state=(chosen,)",
    ),
    Fault(
        "Sarsa asks what learns, not the target",
        "q_learning",
        "mean, of_actions(target_q, next_actions))",
        "mean, of_actions(next_q, next_actions))",
    ),
    Fault(
        "the target says what Sarsa would choose at a time limit",
        "q_learning",
        "epsilon_greedy_probabilities(next_q, epsilon)",
        "epsilon_greedy_probabilities(target_q, epsilon)",
    ),
    Fault(
        "Sarsa would not explore at a time limit",
        "q_learning",
        "epsilon_greedy_probabilities(next_q, epsilon)",
        "epsilon_greedy_probabilities(next_q, 0.0)",
    ),
    Fault(
        "what follows Sarsa's rollout chosen without chance",
        "q_learning",
        "actions = explored(q, epsilon, player.generator)",
        "actions = q.argmax(dim=-1)",
    ),
    Fault(
        "target copied the other way",
        "q_learning",
        "copy_tensors([*shared.parameters, *shared.buffers], shared.target)",
        "copy_tensors(shared.target, [*shared.parameters, *shared.buffers])",
    ),
    Fault(
        "the target forgets what was seen before the rollout",
        "q_learning",
        "look_back(worker.target, rollout, played.state)",
        "look_back(worker.target, rollout, worker.target.initial_state(rollout.actions.shape[1]))"
        " if played.state else look_back(worker.target, rollout)",
    ),
    Fault(
        "target copied only if T is at a mark",
        "q_learning",
        "if after // period > before // period:",
        "if after % period == 0:",
    ),
    Fault(
        "target copied by the worker's own count",
        "q_learning",
        "if after // period > before // period:",
        "if (after - before) % period == 0:",
    ),
    Fault(
        "the target is another name of the network",
        "q_learning",
        "target=deepcopy(model)",
        "target=model",
    ),
    Fault(
        "buffers of the target left behind",
        "q_learning",
        "copy_tensors([*shared.parameters, *shared.buffers], shared.target)",
        "copy_tensors(shared.parameters, shared.target[: len(shared.parameters)])",
    ),
    Fault(
        "one-step Q acts with a copy",
        "q_learning",
        "return worker.shared_model",
        "return worker.model",
    ),
    Fault(
        "n-step Q acts with the shared parameters",
        "q_learning",
        "return worker.model\n",
        "return worker.shared_model\n",
    ),
    Fault(
        "explores with probability 1 - epsilon",
        "q_learning",
        "generator=generator) < epsilon",
        "generator=generator) >= epsilon",
    ),
    Fault(
        "all environments explore together",
        "q_learning",
        "torch.rand(best.shape, generator=generator)",
        "torch.rand(1, generator=generator)",
    ),
    Fault(
        "one final epsilon for all workers",
        "q_learning",
        "_drawn(self.seed, rank,",
        "_drawn(self.seed, 0,",
    ),
    Fault(
        "final epsilons all as likely",
        "q_learning",
        "dice.choice(values, p=chances)",
        "dice.choice(values)",
    ),
    Fault(
        "epsilon goes on past its final value",
        "q_learning",
        "min(1.0, steps / duration)",
        "steps / duration",
    ),
    Fault(
        "dummies in action values' lessons",
        "q_learning",
        "if rollout.dummies.any():",
        "if False:",
    ),
    Fault(
        "gradient of the target in the loss of Q",
        "q_learning",
        "(returns.detach() - values)",
        "(returns - values)",
    ),
    Fault(
        "next action values from before the step",
        "q_learning",
        "model(rollout.shown_unseen)",
        "model(rollout.observations[rollout.unseen])",
    ),
    Fault(
        "next action values get a gradient",
        "q_learning",
        "q.detach().roll",
        "q.roll",
    ),
    Fault(
        "a stack begins a row too early",
        "replay",
        "torch.arange(1 - self.stack, 1)",
        "torch.arange(-self.stack, 0)",
    ),
    Fault(
        "a stack goes on from the episode before",
        "replay",
        "goes_on = self._shifted(pictures)",
        "goes_on = torch.ones(len(pictures), dtype=torch.bool)",
    ),
    Fault(
        "of what an end shows the newest picture alone is kept",
        "replay",
        "shifted = torch.equal(pictures[:-1], before[1:])",
        "shifted = True",
    ),
    Fault(
        "an end shows the next episode's first",
        "replay",
        "self.shown.keep_end(self.added, env, next(ends))",
        "self.shown.keep_end(self.added, env, rollout.seen[t + 1, env])",
    ),
    Fault(
        "windows drawn past the newest step",
        "replay",
        "max(oldest, self.added - self.n_steps + 1)",
        "max(oldest, self.added)",
    ),
    Fault(
        "what is forgotten is drawn",
        "replay",
        "oldest = max(0, self.added - self.rows)",
        "oldest = max(0, self.added - self.num_slots)",
    ),
    Fault(
        "no room for the pictures of the oldest stack",
        "replay",
        "self.num_slots = self.rows + stack",
        "self.num_slots = self.rows + 1",
    ),
    Fault(
        "dummies drawn from a replay memory",
        "replay",
        "if self._has_dummies:\n            which",
        "if False:\n            which",
    ),
    Fault(
        "parts of a replay memory drawn from anywhere",
        "replay",
        "parts = np.arange(batch_size) + self.random.random(batch_size)\n        which",
        "parts = self.random.random(batch_size) * batch_size\n        which",
    ),
    Fault(
        "a break in a replay memory is no end",
        "replay",
        'self.columns["truncated"][slot] |= goes_on',
        "pass",
    ),
    Fault(
        "random numbers of a replay memory not restored",
        "replay",
        'self.random.bit_generator.state = state["random"]',
        "pass",
    ),
    Fault(
        "a sum tree goes left on the edge",
        "replay",
        "(rest < left)",
        "(rest <= left)",
    ),
    Fault(
        "a sum tree finds a number that is 0",
        "replay",
        "goes_left = (rest < left) | (right == 0)",
        "goes_left = rest < left",
    ),
    Fault(
        "a sum tree of single precision",
        "replay",
        "self.sums = np.zeros(2 * self.num_leaves)",
        "self.sums = np.zeros(2 * self.num_leaves, dtype=np.float32)",
    ),
    Fault(
        "a sum tree whose leaves are no power of two",
        "replay",
        "self.num_leaves = 1 << (size - 1).bit_length()",
        "self.num_leaves = size",
    ),
    Fault(
        "a sum tree adds up what changes, and drifts",
        "replay",
        "        self.sums[nodes] = numbers\n        for _ in range(self.depth):\n            nodes = nodes // 2\n            self.sums[nodes] = self.sums[2 * nodes] + self.sums[2 * nodes + 1]\n",
        "        change = numbers - self.sums[nodes]\n        self.sums[nodes] = numbers\n        for _ in range(self.depth):\n            nodes = nodes // 2\n            np.add.at(self.sums, nodes, change)\n",
    ),
    Fault(
        "what is new has the priority 1",
        "replay",
        "self._prioritise(new, self.tree.largest or 1.0)",
        "self._prioritise(new, 1.0)",
    ),
    Fault(
        "what is forgotten keeps its priority",
        "replay",
        "self._prioritise(range(before.start, min(before.stop, now.start)), 0.0)",
        "pass",
    ),
    Fault(
        "dummies have a priority",
        "replay",
        'np.where(self.columns["dummies"].numpy()[slots], 0.0, leaf)',
        "np.full((len(slots), self.num_envs), leaf)",
    ),
    Fault(
        "priorities of errors with their sign",
        "replay",
        ".double().abs()[known]",
        ".double().clamp(min=0)[known]",
    ),
    Fault(
        "the exponent of priorities lost",
        "replay",
        "(priorities**self.priority_exponent).numpy()",
        "priorities.numpy()",
    ),
    Fault(
        "importance weights the wrong way round",
        "replay",
        "(probabilities.min() / probabilities)",
        "(probabilities / probabilities.max())",
    ),
    Fault(
        "importance weights not divided by the largest",
        "replay",
        "(probabilities.min() / probabilities)",
        "(1 / probabilities)",
    ),
    Fault(
        "priorities not restored",
        "replay",
        'self.tree.update(self._kept_places, state["leaves"])',
        'self.tree.update(self._kept_places, np.sign(state["leaves"]))',
    ),
    Fault(
        "dueling: mean over the batch",
        "dqn",
        "advantages.mean(dim=-1, keepdim=True)",
        "advantages.mean(dim=0, keepdim=True)",
    ),
    Fault(
        "dueling: the largest in the mean's place",
        "dqn",
        "advantages.mean(dim=-1, keepdim=True)",
        "advantages.amax(dim=-1, keepdim=True)",
    ),
    Fault(
        "dueling: the mean is a constant",
        "dqn",
        "advantages.mean(dim=-1, keepdim=True)",
        "advantages.mean(dim=-1, keepdim=True).detach()",
    ),
    Fault(
        "Double: the target chooses",
        "dqn",
        "chosen = model(observations).argmax(dim=-1)",
        "chosen = target(observations).argmax(dim=-1)",
    ),
    Fault(
        "Double: what chooses judges as well",
        "dqn",
        "return of_actions(target(observations), chosen)",
        "return of_actions(model(observations), chosen)",
    ),
    Fault(
        "DQN without its target",
        "dqn",
        "target(observations).amax(dim=-1)",
        "model(observations).amax(dim=-1)",
    ),
    Fault(
        "of a window the last step is learned",
        "dqn",
        "rollout.truncated, gamma)[:1]",
        "rollout.truncated, gamma)[-1:]",
    ),
    Fault(
        "importance weights not used",
        "dqn",
        "(weights.detach() * each).mean()",
        "each.mean()",
    ),
    Fault(
        "Huber's loss half as steep beyond 1",
        "dqn",
        "2 * deltas.abs() - 1, squared",
        "deltas.abs(), squared",
    ),
    Fault(
        "gradient of the target in the weighted loss",
        "dqn",
        "deltas = returns.detach() - values",
        "deltas = returns - values",
    ),
    Fault(
        "priorities of weighted errors",
        "dqn",
        "(lesson.returns - lesson.values).cpu()",
        "drawn.weights * (lesson.returns - lesson.values).cpu()",
    ),
    Fault(
        "DQN's target copied only if T is at a mark",
        "dqn",
        "if self.steps // config.target_period > before // config.target_period:",
        "if self.steps % config.target_period == 0:",
    ),
    Fault(
        "DQN's target is another name of the network",
        "dqn",
        "self.target = deepcopy(model).requires_grad_(False)",
        "self.target = model",
    ),
    Fault(
        "DQN's epsilon goes on past its final value",
        "dqn",
        "linearly(self.first_epsilon, self.final_epsilon, steps, self.epsilon_steps)",
        "linearly(self.first_epsilon, 0.0, steps, 2 * self.epsilon_steps)",
    ),
    Fault(
        "importance exponent stays as it begins",
        "dqn",
        "memory.draw(config.batch_size, config.importance_exponent(self.steps))",
        "memory.draw(config.batch_size, config.first_importance_exponent)",
    ),
    Fault(
        "DQN learns before there is enough",
        "dqn",
        "self.memory.added * config.num_envs >= config.warm_up and len",
        "len",
    ),
    Fault(
        "of several batches one is learned",
        "dqn",
        "for _ in range(config.draws):",
        "for _ in range(1):",
    ),
    Fault(
        "dummies counted as steps by DQN",
        "dqn",
        "int((~rollout.dummies).sum())",
        "rollout.dummies.numel()",
    ),
    Fault(
        "the replay memory is no part of the state",
        "dqn",
        "self.memory.state_dict() if kept else None",
        "None",
    ),
    Fault(
        "buffers of DQN's target left behind",
        "dqn",
        "own = chain(self.model.parameters(), self.model.buffers())\n        copy_tensors(own, chain(self.target.parameters(), self.target.buffers()))",
        "copy_tensors(self.model.parameters(), self.target.parameters())",
    ),
    Fault(
        "one bias for all states of a table",
        "q_networks",
        "bias=not table",
        "bias=True",
    ),
    Fault(
        "a Q network's memory goes on past an end",
        "q_networks",
        "(part.masked_fill(anew[:, None], 0) for part in state)",
        "state",
    ),
    Fault(
        "a Q network's memory gets a gradient",
        "q_networks",
        "(part.detach() for part in state)",
        "state",
    ),
    Fault(
        "epsilon-greedy without the best action's share",
        "q_networks",
        "* (1 - epsilon) + epsilon / num_actions",
        "* (1 - epsilon)",
    ),
    Fault(
        "a rollout of dummies alone handed over",
        "playing",
        "if rollout.dummies.all():",
        "if False:",
    ),
    Fault(
        "worlds left out of fingerprints",
        "claims/fingerprints",
        '[Reference("world", id) for id in WORLD.findall(value)]',
        "[]",
    ),
    Fault(
        "modules' names in fingerprints",
        "claims/fingerprints",
        'return f"{name}: {',
        'return f"{module}.{name}: {',
    ),
    Fault(
        "helpers of the same name confused in fingerprints",
        "claims/fingerprints",
        'return f" #{self._number(place)}"',
        'return f" #{self._number(place) and place.name}"',
    ),
    Fault(
        "a worker ends at any request",
        "a3c_lib/workers",
        "signal.signal(signal.SIGTERM, self._interrupt)",
        "signal.signal(signal.SIGTERM, signal.SIG_DFL)",
    ),
    Fault(
        "an update broken off between its step and its report",
        "a3c_lib/workers",
        "self._owed = self._wholes > 0",
        "self._owed = False",
    ),
    Fault(
        "an importing worker outlives its parent",
        "a3c_lib/workers",
        "process.pid)\n        fcntl.fcntl(end.fileno(), fcntl.F_SETFL, os.O_ASYNC)",
        "process.pid)",
    ),
    Fault(
        "environments left open when the parent is gone",
        "a3c_lib/workers",
        "signal.signal(signal.SIGIO, signal.SIG_IGN)",
        "pass",
    ),
    Fault(
        "python taken apart at a worker's end",
        "a3c_lib/workers",
        "        _run(link, body, shared)\n    _leave()",
        "        _run(link, body, shared)",
    ),
    Fault(
        "what a worker said last is lost",
        "a3c_lib/workers",
        "if not alive:",
        "if not member.process.is_alive():",
    ),
    Fault(
        "an error after the last message fails the run",
        "a3c_lib/workers",
        'if "done" in member.told:\n            warnings',
        "if False:\n            warnings",
    ),
    Fault(
        "a closing that hangs is waited for without end",
        "a3c_lib/workers",
        "seconds = CLOSING if self._ends_by == math.inf else PATIENCE",
        "seconds = math.inf",
    ),
    Fault(
        "a worker interrupted as it closes its environments",
        "a3c_lib/workers",
        "if self.stopped and not (self.interrupted or self._done):",
        "if self.stopped and not self.interrupted:",
    ),
    Fault(
        "whoever has begun nothing is waited for",
        "a3c_lib/workers",
        "if told_to_end and not self.told:",
        "if False:",
    ),
    Fault(
        "a spent budget and a late failure",
        "a3c_lib/hogwild",
        "if isinstance(error, WorkerError) and self.steps >= self.total_steps:",
        "if False:",
    ),
    Fault(
        "every tensor moved into shared memory",
        "sharing",
        "not (self.share or _is_shared(thing))",
        "False",
    ),
    Fault(
        "a file of torch's left in shared memory",
        "sharing",
        "unlink(missing_ok=True)  # torch",
        "exists()  # torch",
    ),
    Fault(
        "an ignored signal heard",
        "a3c_lib/app/interrupts",
        "not in (signal.SIG_IGN, None)",
        "is not None",
    ),
    Fault(
        "the echo of a request taken for a second one",
        "a3c_lib/app/interrupts",
        "now - self._came < ECHO",
        "False",
    ),
    Fault(
        "writing goes on into a closed terminal",
        "a3c_lib/app/interrupts",
        "os.dup2(nowhere, number)",
        "pass",
    ),
    Fault(
        "an interrupt that stops nothing",
        "a3c_lib/app/interrupts",
        "        self._stop()\n",
        "",
    ),
    Fault(
        "a traceback where torch is imported",
        "a3c_lib/app/interrupts",
        "signal.signal(signal.SIGINT, signal.SIG_DFL)",
        "pass",
    ),
    Fault(
        "a remark beside a case that does not bear it out",
        f"{ENGINE}checking",
        "shown = at if any(each is at for each in bearing) else bearing[0]",
        "shown = at",
    ),
    Fault(
        "a fault that hides a second mistake",
        f"{ENGINE}checking",
        "if level not in (Level.ARGUMENTS, Level.SHAPE):",
        "if True:",
    ),
    Fault(
        "a property speaks of places that it does not mean",
        f"{ENGINE}properties",
        "if property.where is None:",
        "if True:",
    ),
    Fault(
        "what nothing moves is blamed on one argument",
        f"{ENGINE}properties",
        "    return tried\n",
        "    return False\n",
    ),
    Fault(
        "a claim that one failing case alone bears out",
        f"{ENGINE}comparing",
        "shared = all(claim in each.claims for each in others)",
        "shared = True",
    ),
    Fault(
        "two mistakes are never tried together",
        f"{ENGINE}mistakes",
        "combinations(exercise.wrong, 1), combinations(exercise.wrong, 2)",
        "combinations(exercise.wrong, 1), ()",
    ),
    Fault(
        "mistakes are compared in one case only",
        f"{ENGINE}mistakes",
        "for each in observed):\n            return made",
        "for each in observed[:1]):\n            return made",
    ),
    Fault(
        "bootstrap of λ from the first value",
        "returns",
        "ahead = next_values[t].lerp",
        "ahead = next_values[0].lerp",
    ),
    Fault("λ and 1 − λ exchanged", "returns", "lerp(R, lambda_)", "lerp(R, 1 - lambda_)"),
    Fault(
        "λ-return runs on through a time limit",
        "returns",
        "torch.where(truncated[t], next_values[t], ahead)",
        "ahead",
    ),
    Fault(
        "no terminal mask in the λ-return",
        "returns",
        "after.masked_fill(terminated[t], 0.0)",
        "after",
    ),
    Fault(
        "λ lost on the way",
        "returns",
        "partial(lambda_returns, lambda_=self.lambda_)",
        "partial(lambda_returns, lambda_=0.95)",
    ),
    Fault(
        "A2C without λ",
        "a2c",
        "config.returns if targets is None",
        "returns.n_step_returns if targets is None",
    ),
    Fault(
        "A3C without λ",
        "a3c",
        "config.returns if targets is None",
        "returns.n_step_returns if targets is None",
    ),
    Fault("variance for deviation", "networks", "softplus(variance).sqrt()", "softplus(variance)"),
    Fault(
        "deviation of exp twice",
        "networks",
        "self.log_deviation.exp()",
        "self.log_deviation.exp().exp()",
    ),
    Fault("the Box's width not used for σ", "networks", "self.reach * deviation)", "deviation)"),
    Fault(
        "the Box's middle not used",
        "networks",
        "Gaussian(self.centre + self.reach * mean",
        "Gaussian(self.reach * mean",
    ),
    Fault(
        "a squashed policy that is not",
        "networks",
        "        if self.squashed:\n",
        "        if False:\n",
    ),
    Fault(
        "log π not summed over axes",
        "distributions",
        "validate_args=False), 1, validate_args=False\n",
        "validate_args=False), 0, validate_args=False\n",
    ),
    Fault(
        "actions that broadcast",
        "distributions",
        "if actions.shape != self.mean.shape:",
        "if False:",
    ),
    Fault(
        "dice of everybody's",
        "distributions",
        "torch.normal(self.mean, self.deviation, generator=generator)",
        "torch.normal(self.mean, self.deviation)",
    ),
    Fault(
        "no determinant",
        "distributions",
        "super().log_prob(u) - self._log_slope(u).sum(dim=-1)",
        "super().log_prob(u)",
    ),
    Fault(
        "no determinant in the entropy",
        "distributions",
        "super().entropy() + (log_slope @ weights).sum(dim=-1)",
        "super().entropy()",
    ),
    Fault(
        "a squashed action at the bound", "distributions", ".clamp(-most, most).atanh()", ".atanh()"
    ),
    Fault("NaN in a mean drawn from", "distributions", "self.mean.isfinite() & ", ""),
    Fault(
        "actions not clipped",
        "making",
        "np.clip(actions.astype(space.dtype), space.low, space.high)",
        "actions.astype(space.dtype)",
    ),
    Fault(
        "clipped actions learned from",
        "rollout",
        "    step = _Step(\n        position.observation,\n        action,",
        "    step = _Step(\n        position.observation,\n        torch.as_tensor(taken),",
    ),
    Fault(
        "the bonus of a density lost",
        "losses",
        "else loss.entropy\n",
        "else loss.entropy.detach()\n",
    ),
    Fault(
        "normalised with what is taken in",
        "normalising",
        "        normal = self._deviations(obs",
        "        if self.training and torch.is_grad_enabled():\n            self.take_in(observations)\n        normal = self._deviations(obs",
    ),
    Fault(
        "observations that are not finite measured",
        "normalising",
        "        if not finite.all():",
        "        if False:",
    ),
    Fault(
        "statistics cast with the network",
        "normalising",
        "now if now.dtype is was.dtype else was.to(now.device)",
        "now",
    ),
    Fault(
        "statistics taken in while acting",
        "normalising",
        "self.training and torch.is_grad_enabled()",
        "self.training",
    ),
    Fault(
        "statistics taken in while evaluating",
        "normalising",
        "self.training and torch.is_grad_enabled()",
        "True",
    ),
    Fault(
        "variance of batches, not of all",
        "normalising",
        " + off.square() * self.count * n / total",
        "",
    ),
    Fault(
        "log π an axis at a time",
        "distributions",
        "validate_args=False), 1, validate",
        "validate_args=False), 0, validate",
    ),
    Fault(
        "variance taken for the deviation in log π",
        "distributions",
        "Normal(self.mean, self.deviation, validate",
        "Normal(self.mean, self.deviation.square(), validate",
    ),
    Fault(
        "drawn with the variance",
        "distributions",
        "torch.normal(self.mean, self.deviation, gen",
        "torch.normal(self.mean, self.deviation.square(), gen",
    ),
    Fault(
        "of some observations the mean alone",
        "distributions",
        "return Gaussian(self.mean[index], self.deviation[index])",
        "return Gaussian(self.mean[index], self.deviation)",
    ),
    Fault(
        "a squashed Gaussian draws what is not squashed",
        "distributions",
        "self._squashed(super().sample(generator))",
        "super().sample(generator)",
    ),
    Fault(
        "a squashed Gaussian's mode not squashed",
        "distributions",
        "self._squashed(super().mode)",
        "super().mode",
    ),
    Fault(
        "a determinant without the reach",
        "distributions",
        "self.reach.log() + 2 *",
        "2 *",
    ),
    Fault(
        "half a determinant",
        "distributions",
        "2 * (LOG_2 - u - softplus(-2 * u))",
        "(LOG_2 - u - softplus(-2 * u))",
    ),
    Fault(
        "a determinant that is a mean",
        "distributions",
        "self._log_slope(u).sum(dim=-1)",
        "self._log_slope(u).mean(dim=-1)",
    ),
    Fault(
        "a middle that is 0",
        "distributions",
        "((actions - self.centre) / self.reach)",
        "(actions / self.reach)",
    ),
    Fault(
        "weights of the quadrature not scaled",
        "distributions",
        "cast(Any, weights) / math.sqrt(2 * math.pi)",
        "cast(Any, weights)",
    ),
    Fault(
        "mean and variance exchanged in the head",
        "networks",
        "mean, variance = said.chunk",
        "variance, mean = said.chunk",
    ),
    Fault(
        "deviation in the layer's unit",
        "networks",
        "self.reach * mean, self.reach * deviation)",
        "self.reach * mean, deviation)",
    ),
    Fault(
        "weights of λ exchanged",
        "returns",
        "next_values[t].lerp(R, lambda_)",
        "R.lerp(next_values[t], lambda_)",
    ),
    Fault(
        "λ-return takes a time limit for an end",
        "returns",
        "masked_fill(terminated[t], 0.0)",
        "masked_fill(terminated[t] | truncated[t], 0.0)",
    ),
    Fault(
        "λ-return begins with the first value",
        "returns",
        "R = next_values[-1]\n    for t in reversed(range(len(rewards))):\n        ahead",
        "R = next_values[0]\n    for t in reversed(range(len(rewards))):\n        ahead",
    ),
    Fault(
        "λ of the config lost",
        "returns",
        "return partial(lambda_returns, lambda_=self.lambda_)",
        "return n_step_returns",
    ),
    Fault(
        "λ above 1",
        "returns",
        "if not 0 <= lambda_ <= 1:",
        "if lambda_ < 0:",
    ),
    Fault(
        "what is far off is not limited",
        "normalising",
        ".clamp(-FARTHEST, FARTHEST)",
        "",
    ),
    Fault(
        "a mean that hardly moves",
        "normalising",
        "self.mean += off * n / total",
        "self.mean += off / total",
    ),
    Fault(
        "observations not counted",
        "normalising",
        "self.count += n",
        "self.count += 0",
    ),
    Fault(
        "what never changes is divided by 0",
        "normalising",
        "(self.variance + TINY).sqrt()",
        "self.variance.sqrt()",
    ),
    Fault(
        "returns so far run on through an end",
        "normalising",
        "Z = Z.masked_fill(anew, 0.0)",
        "Z = Z * 1",
    ),
    Fault(
        "returns so far run on through a time limit",
        "normalising",
        "begins = rollout.ended | rollout.dummies",
        "begins = rollout.terminated | rollout.dummies",
    ),
    Fault(
        "deviation of rewards, not of returns so far",
        "normalising",
        "Z = reward + gamma * Z",
        "Z = reward",
    ),
    Fault(
        "steps that only reset measured",
        "normalising",
        "torch.stack(so_far)[~rollout.dummies]",
        "torch.stack(so_far).flatten()",
    ),
    Fault(
        "returns so far forgotten after a rollout",
        "normalising",
        "if self._shown == _as_number(rollout.seen[0]):",
        "if False:",
    ),
    Fault(
        "returns so far carried into new episodes",
        "normalising",
        "if self._shown == _as_number(rollout.seen[0]):",
        "if len(self._so_far) == rollout.rewards.shape[1]:",
    ),
    Fault(
        "returns so far not kept with a run",
        "normalising",
        '"shown": self._shown',
        '"shown": None',
    ),
    Fault(
        "rewards centred",
        "normalising",
        "self._deviations(rewards)",
        "self._deviations(rewards - self.mean)",
    ),
    Fault(
        "rewards that are not finite measured",
        "normalising",
        "        _check_finite(rewards)\n",
        "",
    ),
    Fault(
        "a discount above 1 measured with",
        "normalising",
        "if not 0 <= gamma <= 1:",
        "if gamma < 0:",
    ),
    Fault(
        "each worker measures its own rewards",
        "normalising",
        "if not isinstance(config, hogwild.Config):",
        "if True:",
    ),
    Fault(
        "what other workers measured written over",
        "normalising",
        "if everybodys[2] > self.count - latest[0]:",
        "if False:",
    ),
    Fault(
        "what others measured counted, and not one's own",
        "normalising",
        "            self._add(*latest)",
        "            pass",
    ),
    Fault(
        "processes measure for themselves alone",
        "normalising",
        "each.clone().share_memory_()",
        "each.clone()",
    ),
    Fault(
        "rewards measured where nothing is learned",
        "normalising",
        "    if statistics.training:\n",
        "    if True:\n",
    ),
    Fault(
        "rewards of a game clipped and normalised",
        "app.plan",
        "        if self.clips_rewards:\n            raise",
        "        if False:\n            raise",
    ),
    Fault(
        "rewards not normalised as a run is planned",
        "app.plan",
        "return normalised_rewards(model, self.config, targets)",
        "return targets",
    ),
    Fault(
        "gusts on the place",
        "worlds.point_mass",
        "self._state[1] += NOISE",
        "self._state[0] += NOISE",
    ),
    Fault(
        "the clock ends the world",
        "worlds.point_mass",
        "-float(cost), False, self._step >= self.steps",
        "-float(cost), self._step >= self.steps, False",
    ),
    Fault(
        "paid after the move",
        "worlds.point_mass",
        "(STATE_COST @ self._state**2).sum() +",
        "(STATE_COST @ (A @ self._state) ** 2).sum() +",
    ),
    Fault(
        "chance costs nothing",
        "worlds.point_mass",
        "deviation**2 * price_of_chance(P, gamma) + ",
        "",
    ),
    Fault(
        "gusts cost nothing",
        "worlds.point_mass",
        " + gamma * NOISE**2 * P[1, 1]",
        "",
    ),
    Fault(
        "half of the bonus",
        "worlds.point_mass",
        "entropy_weight / (2 * price",
        "entropy_weight / (price",
    ),
]


def path_of(module: str) -> str:
    """Of a module of the package, such as "worlds.atari", or of a file, such as "claims/recording"."""
    return f"{module}.py" if "/" in module else f"a3c_lib/{module.replace('.', '/')}.py"


def tests_for(module: str) -> list[str]:
    """The tests that have to see a fault, the module's own first."""
    if module.startswith(ENGINE):
        return ["tests/test_exercise_engine.py", "tests/test_exercise_explanations.py"]
    own = module.rpartition(".")[2]
    in_turn = sorted(TESTS, key=lambda name: (name != own, name in LATE))
    names = [Path(module).name] if "/" in module else in_turn
    return [f"tests/test_{name}.py" for name in names]


def planted(fault: Fault) -> str:
    """The module with the fault. Raises ValueError if it is not clear where that goes."""
    text = (ROOT / path_of(fault.module)).read_text(encoding="utf-8")
    if text.count(fault.right) != 1:
        raise ValueError(f"{fault.name}: {fault.right!r} must stand once in {fault.module}")
    return text.replace(fault.right, fault.wrong)


def outcome(fault: Fault) -> str | None:
    """The first test that fails with the fault in place; None if all pass."""
    own, *others = tests_for(fault.module)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for part in "a3c_lib", "claims", "tests", "pyproject.toml":
            source = ROOT / part
            ignore = shutil.ignore_patterns("__pycache__")
            if source.is_dir():
                shutil.copytree(source, copy / part, ignore=ignore)
            else:
                shutil.copy(source, copy / part)
        (copy / path_of(fault.module)).write_text(planted(fault), encoding="utf-8")
        # most faults end with the module's own tests: the others are not even collected
        return first_failure(copy, [own]) or (first_failure(copy, others) if others else None)


def first_failure(folder: Path, tests: list[str]) -> str | None:
    """Which of the tests in a copy fails first; None if all pass. Raises RuntimeError if they did not
    come to their end and none had failed, as when pytest is interrupted."""
    command = [sys.executable, "-m", "pytest", "-qx", "-m", "not learning", "--no-header"]
    command += ["--tb=no", "-p", "no:cacheprovider", *tests]
    environment = {**os.environ, "PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"}
    try:
        run = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=LONGEST,
        )
    except subprocess.TimeoutExpired:
        return f"no end after {LONGEST} s"
    if run.returncode in (0, 5):  # 5: all that was named is `learning`
        return None
    failed = [line for line in run.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    if not failed:
        raise RuntimeError(
            f"pytest ended with {run.returncode}, and no test failed: {run.stdout[-300:]}"
        )
    return failed[0].split(" - ")[0]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("words", nargs="*", help="only faults whose name has one of these words")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    options = parser.parse_args()
    faults = [f for f in FAULTS if not options.words or any(w in f.name for w in options.words)]
    for fault in faults:
        planted(fault)  # before the first tests run: all of them can be
    survivors = 0
    with ThreadPoolExecutor(options.workers) as pool:
        for fault, caught in zip(faults, pool.map(outcome, faults), strict=True):
            print(
                f"{'caught  ' if caught else 'SURVIVED'} {fault.name:48} {caught or ''}", flush=True
            )
            survivors += caught is None
    print(f"{len(faults) - survivors} of {len(faults)} faults caught by exact tests")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
