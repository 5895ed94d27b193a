"""Draw the README's pictures from the records: `python tools/picture.py`

images/pong.gif is the kept agent of chapter 07 at play, images/learned.png what two chapters show.
"""

import io
from pathlib import Path

import matplotlib.pyplot as plt
from PIL import Image

from a3c_lib.app import records
from a3c_lib.app.runs import Run
from a3c_lib.figures import plots
from a3c_lib.figures.animation import animate
from a3c_lib.figures.watching import beside, watch

IMAGES = Path(__file__).resolve().parent.parent / "images"


def main() -> None:
    IMAGES.mkdir(exist_ok=True)
    film(IMAGES / "pong.gif")
    curves(IMAGES / "learned.png")


def film(path: Path) -> None:
    """Ten seconds of Pong, with the agent's value and its actions' probabilities beside them."""
    run = Run.open(records.path("games/pong"))
    watched = watch(run.model(), run.plan.world(), seed=4, max_steps=150)
    film = animate(beside(watched), fps=15)
    Image.open(io.BytesIO(film.png)).save(path, save_all=True, loop=0, optimize=True)


def curves(path: Path) -> None:
    left, right = plots.axes(width=11, height=3.6, columns=2)
    plots.learning_curves(
        {
            name: records.load(f"games/{series}").curves("minutes", "score")
            for name, series in (("A2C", "pong"), ("A3C", "pong_a3c"))
        },
        title="Pong from pixels, on two cores",
        x_label="minutes",
        y_label="score, latest 100 games",
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
    plt.savefig(path, dpi=90, bbox_inches="tight")


if __name__ == "__main__":
    main()
