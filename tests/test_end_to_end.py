"""The whole story with a real pretrained backbone, as the command line tells it."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn import metrics

ROOT = Path(__file__).resolve().parents[1]

pytestmark = pytest.mark.slow


def tfft(*arguments, **options):
    done = subprocess.run(
        [sys.executable, "-m", "tfft", *map(str, arguments)],
        cwd=ROOT, capture_output=True, text=True, check=False, **options,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def export(tmp_path_factory):
    """The embedded example, its backbone frozen so that it takes seconds."""
    run = tmp_path_factory.mktemp("support") / "run"
    settings = ("freeze=all", "optimizer.head_learning_rate=1e-2", "training.epochs=20")
    sets = [word for setting in (*settings, f"run.directory={run}") for word in ("--set", setting)]
    return Path(tfft("train", "configs/support_intents.yaml", *sets).strip())


def test_the_embedded_example_is_learned(export):
    figures = json.loads((export.parents[1] / "evaluation" / "test.json").read_text())
    # Eight intents: 0.125 is chance. The figure itself is in docs/results.md.
    assert figures["accuracy"] >= 0.5
    assert figures["rows"] == 160


def test_other_texts_are_told_from_the_known(export):
    data = ROOT / "configs" / "data" / "support_intents" / "test.csv"
    with data.open(encoding="utf-8", newline="") as file:
        known = [row["text"] for row in csv.DictReader(file)]
    others = [
        "The committee adjourned after a lengthy debate on zoning.", "Mitochondria are found in most cells.",
        "He scored twice before half time.", "Simmer the onions until they are golden.", "la la la la la",
        "The orchestra tuned to the oboe.", "Prime numbers have no divisors but themselves and one.",
        "Snow is expected above 1,200 metres tonight.",
    ]  # fmt: skip
    texts = "\n".join(known + others)
    answers = tfft("predict", export, "--input", "-", "--format", "jsonl", input=texts).splitlines()
    scores = np.array([json.loads(answer)["ood_score"] for answer in answers])
    is_other = np.arange(len(scores)) >= len(known)
    assert metrics.roc_auc_score(is_other, scores) > 0.8


def test_the_export_is_about_as_large_as_the_weights(export):
    size = sum(path.stat().st_size for path in export.rglob("*") if path.is_file())
    weights = 4 * 22_565_376  # float32 parameters of the backbone without its pooler
    assert weights < size < 1.1 * weights


def test_the_export_was_proved_on_more_than_200_texts(export):
    proof = json.loads((export / "assets.extra" / "parity.json").read_text())
    assert proof["texts_compared"] >= 200
    assert proof["largest_difference"] <= 1e-5


def test_predict_from_standard_input_as_csv(export):
    answers = tfft(
        "predict", export, "--input", "-", "--format", "csv",
        input="I cannot log in to my account, the password is refused\nWhere is my parcel?\n",
    )  # fmt: skip
    header, first, second = answers.splitlines()
    assert header == "text,label,ood_score,score"
    assert ",account_access," in first
    assert ",order_status," in second


def test_evaluate_a_split_from_the_command_line(export):
    figures = json.loads(tfft("evaluate", export.parents[1], "--split", "validation"))
    kept = json.loads((export.parents[1] / "evaluation" / "validation.json").read_text())
    assert figures == kept


def test_full_fine_tuning_of_real_sentences(shared, tmp_path):
    # A sixth of SST-2's training rows, one epoch of 33 steps, so at a higher rate than the whole
    # recipe's, which is in docs/results.md.
    lines = (shared / "data" / "sst2" / "train.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    (tmp_path / "train.csv").write_text("".join(lines[:1] + lines[1::6]), encoding="utf-8")
    tests = (shared / "data" / "sst2" / "test.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    (tmp_path / "test.csv").write_text("".join(tests[:1] + tests[1::4]), encoding="utf-8")
    config = tmp_path / "sst2.yaml"
    config.write_text((ROOT / "configs" / "sst2.yaml").read_text().replace("data/sst2", str(tmp_path)))
    sets = [
        "data.validation=0.1", "training.epochs=1", "callbacks=[]", f"run.directory={tmp_path}/run",
        "optimizer.learning_rate=2e-4", "optimizer.head_learning_rate=1e-3",
    ]  # fmt: skip
    tfft("train", config, *[word for setting in sets for word in ("--set", setting)])
    figures = json.loads((tmp_path / "run" / "evaluation" / "test.json").read_text())
    assert figures["accuracy"] >= 0.78
