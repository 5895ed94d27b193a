import gymnasium as gym
import pytest
import torch
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from scripted import Counting

from a3c_lib import a2c
from a3c_lib.networks import ActorCritic
from a3c_lib.playing import Player
from a3c_lib.rollout import Episode, collect, make_envs, sampled, start
from a3c_lib.training import seeds

CATCH, CARTPOLE = "a3c_lib/Catch-v0", "CartPole-v1"


class Coin:
    """A fair one, whatever is seen."""

    def logits(self, observations):
        return torch.zeros(len(observations), 2)


class Remembering(Coin):
    """Adds 1 to its memory in every step."""

    def initial_state(self, num_envs):
        return (torch.zeros(num_envs, 1),)

    def logits(self, observations, state):
        return super().logits(observations), (state[0] + 1,)


def player_in(make_env, num_envs=2, seed=0, model=None):
    return Player(make_envs(make_env, num_envs), seeds(seed, steps=0), model or Coin())


def playing(player, t_max, model=None):
    return player.play(sampled(model or Coin(), player.generator), t_max)


def same(one, other):
    return one.episodes == other.episodes and all(map(torch.equal, one[:-1], other[:-1]))


# ---- one rollout after another ----


def test_a_player_collects_with_dice_of_its_own():
    """Against `collect` by hand: two rollouts, of the seed for environments and that for actions."""
    for_envs, for_actions = seeds(3, steps=40, worker=1)
    player = Player(make_envs(CATCH, 2), (for_envs, for_actions), Coin())
    dice = torch.Generator().manual_seed(int(for_actions.generate_state(1)[0]))
    envs = make_envs(CATCH, 2)
    position = start(envs, for_envs)
    for t_max in 30, 50:
        rollout, position = collect(envs, sampled(Coin(), dice), position, t_max)
        assert same(playing(player, t_max).rollout, rollout)


def test_a_player_goes_on_where_it_stopped():
    parted, whole = player_in(CATCH), player_in(CATCH)
    parts = [playing(parted, t_max).rollout for t_max in (3, 1, 60)]
    together = playing(whole, 64).rollout
    assert torch.equal(parts[0].seen[-1], parts[1].seen[0])
    assert torch.equal(torch.cat([p.actions for p in parts]), together.actions)
    assert torch.equal(torch.cat([p.rewards for p in parts]), together.rewards)
    assert torch.equal(torch.cat([p.observations for p in parts]), together.observations)
    assert sum((p.episodes for p in parts), ()) == together.episodes != ()


def test_an_episode_under_way_is_played_to_its_end():
    player = player_in(lambda: Counting(5), num_envs=1)
    playing(player, 3)
    policy = sampled(Coin(), player.generator)
    rest, next_one = player.play_episode(policy), player.play_episode(policy)
    assert rest.observations[:, 0, 0].tolist() == [3, 4]
    assert next_one.observations[:, 0, 0].tolist() == [10, 11, 12, 13, 14]
    assert rest.episodes == next_one.episodes == (Episode(15.0, length=5, env=0),)


def test_what_is_played_comes_with_the_memory_that_it_began_with():
    player = player_in(lambda: Counting(5), model=Remembering())
    first, second = (playing(player, 3, Remembering()) for _ in range(2))
    assert first.state[0].tolist() == [[0], [0]]
    assert second.state[0].tolist() == [[3], [3]]
    assert player.position.policy_state[0].tolist() == [[1], [1]]  # of the next episode


def test_a_model_without_memory_has_no_state():
    assert playing(player_in(CATCH), 3).state is None


def test_a_step_that_only_resets_is_marked_also_where_the_rollout_before_ended():
    lengths = (2, 3)
    envs = SyncVectorEnv(
        [lambda n=n: Counting(n) for n in lengths], autoreset_mode=AutoresetMode.NEXT_STEP
    )
    player = Player(envs, seeds(0, steps=0), Coin())
    first, second, third = (playing(player, 2).rollout.dummies.tolist() for _ in range(3))
    # Environment 0 resets in steps 2 and 5, environment 1 in step 3.
    assert first == [[False, False], [False, False]]
    assert second == [[True, False], [False, True]]
    assert third == [[False, False], [True, False]]


def test_a_rollout_in_which_everything_only_resets_is_played_again():
    """From it nothing could be learned: the mean over no steps is no number."""
    envs = SyncVectorEnv([lambda: Counting(2)] * 2, autoreset_mode=AutoresetMode.NEXT_STEP)
    player = Player(envs, seeds(0, steps=0), Coin())
    rollouts = [playing(player, 1).rollout for _ in range(5)]
    assert not any(rollout.dummies.any() for rollout in rollouts)
    assert [rollout.seen[0, 0].item() for rollout in rollouts] == [0, 1, 10, 11, 20]


def test_one_environment_that_resets_late_teaches_at_every_step():
    model = ActorCritic.for_env(gym.make(CARTPOLE), seed=0)
    config = a2c.Config(total_steps=60, num_envs=1, t_max=1)
    with a2c.train(model, CARTPOLE, config) as training:
        history = list(training)
    assert [update.steps for update in history] == list(range(1, 61))
    assert any(update.episodes for update in history)


def test_no_step_is_a_dummy_where_an_end_and_a_reset_are_one_step():
    assert not playing(player_in(lambda: Counting(2)), 5).rollout.dummies.any()


# ---- state ----


def test_a_player_goes_on_from_its_state_bit_for_bit():
    player, other = player_in(CATCH), player_in(CATCH, seed=1)
    playing(player, 5)
    state = player.state_dict()
    assert other.load_state_dict(state)
    assert same(playing(other, 60).rollout, playing(player, 60).rollout)


def test_where_a_world_cannot_be_put_back_new_episodes_begin_with_the_dice_of_the_state():
    player, other = player_in(CARTPOLE), player_in(CARTPOLE, seed=1)
    playing(player, 5)
    state, begun = player.state_dict(), other.position
    assert state["world"] is None
    assert not other.load_state_dict(state)
    assert other.position is begun
    assert torch.equal(playing(other, 9).rollout.actions, playing(player, 9).rollout.actions)


def test_worlds_of_another_number_begin_new_episodes():
    player, other = player_in(CATCH, num_envs=3), player_in(CATCH, num_envs=2)
    assert not other.load_state_dict(player.state_dict())
    assert playing(other, 4).rollout.rewards.shape == (4, 2)


# ---- closing ----


class ClosesOnce(SyncVectorEnv):
    def __init__(self, mode=AutoresetMode.SAME_STEP):
        super().__init__([lambda: gym.make(CARTPOLE)], autoreset_mode=mode)
        self.times = 0

    def close_extras(self, **options):
        self.times += 1
        super().close_extras(**options)


def test_closing_twice_is_closing_once():
    envs = ClosesOnce()
    player = Player(envs, seeds(0, steps=0), Coin())
    assert not player.closed
    player.close()
    player.close()
    assert player.closed
    assert envs.times == 1


def test_environments_that_cannot_be_played_in_are_not_left_open():
    envs = ClosesOnce(AutoresetMode.DISABLED)
    with pytest.raises(ValueError, match="need environments that reset themselves"):
        Player(envs, seeds(0, steps=0), Coin())
    assert envs.closed


def test_nor_are_those_of_a_model_that_fails():
    class Failing(Coin):
        def initial_state(self, num_envs):
            raise KeyError("no memory")

    envs = ClosesOnce()
    with pytest.raises(KeyError):
        Player(envs, seeds(0, steps=0), Failing())
    assert envs.closed


def test_a_player_knows_that_it_is_closed_where_its_environments_do_not():
    class Silent(ClosesOnce):
        def close(self, **options):
            self.times += 1

    envs = Silent()
    player = Player(envs, seeds(0, steps=0), Coin())
    player.close()
    player.close()
    assert player.closed
    assert not envs.closed
    assert envs.times == 1


def test_an_error_of_closing_does_not_hide_why_they_cannot_be_played_in():
    class Unclosable(ClosesOnce):
        def close_extras(self, **options):
            raise OSError("the simulator does not answer")

    envs = Unclosable(AutoresetMode.DISABLED)
    with pytest.raises(ValueError, match="need environments that reset themselves") as caught:
        Player(envs, seeds(0, steps=0), Coin())
    assert "does not answer" in caught.value.__notes__[0]
    envs.closed = True  # so that nothing tries again
