"""Draw images/learned.png, the README's picture, from the records. `python tools/picture.py`"""

from pathlib import Path

import matplotlib.pyplot as plt

from a3c_lib.app import records
from a3c_lib.figures import plots

IMAGE = Path(__file__).resolve().parent.parent / "images" / "learned.png"


def main() -> None:
    left, right = plots.axes(width=11, height=3.6, columns=2)
    runs = records.load("cartpole_entropy").select(entropy_weight=0.01)
    plots.learning_curves(
        {"chapter 03's agent": runs.curves("steps", "episode_return")},
        title="CartPole-v1, learned by five of five seeds",
        ax=left,
    )
    trap = records.load("trap_entropy")
    last = trap.select(steps=max(trap.levels("steps")))
    plots.strip(
        {
            f"β = {beta:g}": last.select(entropy_weight=beta).column("p_far")
            for beta in last.levels("entropy_weight")
        },
        below=0.5,
        title="What an entropy bonus does in a trap",
        x_label="probability of reaching the large reward",
        ax=right,
    )
    IMAGE.parent.mkdir(exist_ok=True)
    plt.savefig(IMAGE, dpi=90, bbox_inches="tight")


if __name__ == "__main__":
    main()
