"""Tests of tfft/model_card.py."""

from tfft import model_card

SIGNATURES = {"serving_default": {"inputs": {"text": {}}, "outputs": {"label": {}, "score": {}}}}


def test_the_card_has_what_is_known():
    about = {
        "task": "text_classification",
        "labels": ["a|b", "c"],
        "sequence_length": 64,
        "preset": {"name": "./bert", "sha256": "12ab"},
        "packages": {"tensorflow": "2.21.0"},
        "data": {"train": {"rows": 1234, "sha256": "34cd"}},
        "figures": {
            "test": {"rows": 20, "accuracy": 0.9, "accuracy_95_low": 0.7, "accuracy_95_high": 0.97, "f1": 0.5}
        },
    }
    lines = model_card.text(about, SIGNATURES).splitlines()
    assert "- Labels: `a|b`, `c`" in lines
    assert "| train | 1,234 | 34cd |" in lines
    assert "| test | accuracy | 0.9000 | 0.7000 to 0.9700 |" in lines
    assert "| test | f1 | 0.5000 |  |" in lines
    assert "| `serving_default` | `text` | `label`, `score` |" in lines
    assert not any("95_low" in line for line in lines)


def test_it_leaves_out_what_is_not_known():
    card = model_card.text({}, SIGNATURES)
    assert [line for line in card.splitlines() if line.startswith("#")] == [
        "# Model card",
        "## Signatures",
        "## Use and limits",
    ]


def test_many_labels_are_not_all_listed():
    card = model_card.text({"labels": [f"label {i}" for i in range(60)]}, {})
    assert "`label 49`, and 10 more" in card
