"""A plot for each workload: medians as bars, every sample as a dot."""

from collections.abc import Sequence
from pathlib import Path
from statistics import median

import matplotlib as mpl

from bench.records import Book

mpl.use("Agg")

from matplotlib import pyplot as plt

MAIN = {"clients": "slowest s", "fairness": "p99 ms"}
OURS, OTHERS, DOTS = "#2c7fb8", "#b0b0b0", "#333333"


def draw(book: Book, folder: Path) -> Sequence[str]:
    """Write them; their names."""
    names = []
    for workload in book.workloads():
        cases = book.cases(workload)
        heights = [0.35 + 0.28 * len(book.peers(workload, case)) for case in cases]
        figure, rows = plt.subplots(
            len(cases), 1, figsize=(7.5, sum(heights) + 0.55 * len(cases)), squeeze=False, height_ratios=heights
        )
        for axes, case in zip(rows[:, 0], cases, strict=True):
            wanted = MAIN.get(workload, book.figures(workload, case)[0])
            peers = book.peers(workload, case)[::-1]
            samples = [book.samples(workload, case, peer, wanted) or [0.0] for peer in peers]
            colours = [OURS if peer.startswith("regproxy") else OTHERS for peer in peers]
            axes.barh(range(len(peers)), [median(each) for each in samples], color=colours, height=0.7)
            for place, each in enumerate(samples):
                axes.plot(each, [place] * len(each), ".", color=DOTS, markersize=3)
            axes.set_yticks(range(len(peers)), peers, fontsize=8)
            axes.tick_params(axis="x", labelsize=8)
            axes.set_title(f"{case}: {wanted}", fontsize=9, loc="left")
            axes.spines[["top", "right"]].set_visible(False)
        figure.tight_layout()
        figure.savefig(folder / f"{workload}.png", dpi=80)
        plt.close(figure)
        names.append(f"{workload}.png")
    return names
