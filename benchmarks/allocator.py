"""Steps with and without TensorFlow's pooled allocator on the CPU, the ratio of their medians.

    python benchmarks/allocator.py

A BERT of MiniLM's size (6 blocks, width 384, random weights) takes training steps
of 32 rows by 32 tokens. The two settings take turns, each in a process of its own,
because the allocator is chosen when TensorFlow starts.
"""

import os
import statistics
import subprocess
import sys

ROUNDS, STEPS = 3, 8


def steps() -> None:
    """Print the seconds of each step, after one that builds the graph."""
    import time

    import keras
    import keras_hub
    import tensorflow as tf

    body = keras_hub.models.BertBackbone(
        vocabulary_size=30522, num_layers=6, num_heads=12, hidden_dim=384, intermediate_dim=1536
    )
    model = keras.Model(body.input, keras.layers.Dense(8)(body.output["pooled_output"]))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.AdamW(1e-5), loss, jit_compile=False)
    ids = tf.random.uniform((32, 32), 1, 30522, tf.int32)
    rows = {"token_ids": ids, "segment_ids": ids * 0, "padding_mask": ids * 0 + 1}
    labels = tf.random.uniform((32,), 0, 8, tf.int32)
    model.train_on_batch(rows, labels)
    for _ in range(STEPS):
        start = time.perf_counter()
        model.train_on_batch(rows, labels)
        print(time.perf_counter() - start)


def main() -> None:
    """Run both settings in turn and print their medians and the ratio."""
    seconds: dict[str, list[float]] = {"true": [], "false": []}
    for _ in range(ROUNDS):
        for pooled, found in seconds.items():
            done = subprocess.run(
                [sys.executable, __file__, "steps"],
                env=os.environ | {"TF_CPU_ALLOCATOR_USE_BFC": pooled, "KERAS_BACKEND": "tensorflow"},
                capture_output=True,
                text=True,
                check=True,
            )
            found += map(float, done.stdout.split())
    pooled, plain = (statistics.median(seconds[key]) for key in ("true", "false"))
    print(f"median step: {plain:.3f} s plain, {pooled:.3f} s pooled; ratio {plain / pooled:.2f}")


if __name__ == "__main__":
    steps() if sys.argv[1:] == ["steps"] else main()
