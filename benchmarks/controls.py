"""What LP-FT, layer decay, re-initialisation and R-Drop do to a recipe, over three seeds.

    python benchmarks/controls.py configs/poem_sentiment.yaml runs/controls/poem_sentiment

Each variant changes one setting of the config and is trained with every seed, in a
process of its own. Runs that are finished are not run again, so that a comparison that
was cut off goes on where it stopped. Prints the table of docs/controls.md: mean over
the seeds, with the lowest and the highest.

Arguments after the folder go to every run, as in `--set data.train=mine.csv`.
"""

import json
import statistics
import subprocess
import sys
from pathlib import Path

VARIANTS = {
    "as it is": [],
    "LP-FT": ["unfreezing=lp_ft"],
    "layer decay 0.9": ["optimizer.layer_decay=0.9"],
    "top block re-initialised": ["backbone.reinitialize_blocks=1"],
    "R-Drop": ["regularizers=[r_drop]"],
}
SEEDS = (0, 1, 2)


def run(config: str, folder: Path, changes: list[str], arguments: list[str]) -> dict:
    """Train once, unless the folder holds the finished run, and return the figures of the test rows."""
    status = folder / "status.json"
    if not status.is_file() or json.loads(status.read_text())["status"] != "finished":
        overrides = [part for change in [*changes, f"run.directory={folder}"] for part in ("--set", change)]
        command = [sys.executable, "-m", "tfft", "train", config, *arguments, *overrides]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return json.loads((folder / "evaluation" / "test.json").read_text())


def spread(values: list[float]) -> str:
    """Return the mean and, in brackets, the lowest and the highest."""
    return f"{statistics.mean(values):.4f} ({min(values):.4f} to {max(values):.4f})"


def main(config: str, folder: str, *arguments: str) -> None:
    """Run all that is missing and print the table."""
    found: dict[str, list[dict]] = {}
    # Seed by seed, so that a comparison that is cut off has all variants of some seeds.
    for seed in SEEDS:
        for name, changes in VARIANTS.items():
            place = Path(folder) / f"{name.replace(' ', '_')}-{seed}"
            figures = run(config, place, [*changes, f"training.seed={seed}"], list(arguments))
            found.setdefault(name, []).append(figures)
            print(f"seed {seed}, {name}: accuracy {figures['accuracy']:.4f}", file=sys.stderr, flush=True)
    print("| variant | test accuracy | macro F1 | loss |\n|---|---|---|---|")
    for name, figures in found.items():
        columns = [spread([figure[key] for figure in figures]) for key in ("accuracy", "f1_macro", "loss")]
        print(f"| {name} | {' | '.join(columns)} |")


if __name__ == "__main__":
    main(*sys.argv[1:])
