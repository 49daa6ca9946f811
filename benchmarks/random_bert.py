"""Write a small BERT with random weights over a given vocabulary, as a preset folder.

    python benchmarks/random_bert.py vocab.txt FOLDER

It knows nothing, but has the shape and the tokenizer of a real one: for a try of the whole way in a
language of which no pretrained weights are at hand. Two blocks of width 128.
"""

import sys
from pathlib import Path


def write(vocabulary: Path, folder: Path) -> None:
    """Write the preset in KerasHub's format; the same vocabulary gives the same weights.

    Args:
        vocabulary: A WordPiece file, one token a line.
        folder: Made for it; must not exist.
    """
    import keras
    import keras_hub

    tokens = vocabulary.read_text(encoding="utf-8").rstrip("\n").split("\n")
    folder.mkdir(parents=True)
    keras.utils.set_random_seed(0)
    backbone = keras_hub.models.BertBackbone(
        vocabulary_size=len(tokens), num_layers=2, num_heads=2, hidden_dim=128, intermediate_dim=512,
        max_sequence_length=512,
    )  # fmt: skip
    backbone.save_to_preset(str(folder))
    keras_hub.models.BertTokenizer(vocabulary=tokens, lowercase=True).save_to_preset(str(folder))
    print(f"{folder}: {backbone.count_params():,} random weights, {len(tokens):,} tokens")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    write(Path(sys.argv[1]), Path(sys.argv[2]))
