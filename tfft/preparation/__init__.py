"""Preparation: each file cleans texts before the tokenizer sees them, in training and in the export alike.

A step takes and gives strings `[N]`. It is made of operations of TensorFlow and TensorFlow
Text, for it goes into the SavedModel. No text stops it: NUL is a character like others, and
bytes that are not UTF-8 are left for the tokenizer to replace.
"""

from collections.abc import Callable, Sequence
from typing import Any

Step = Callable[[Any], Any]
"""Strings `[N]` to strings `[N]`. A step with a lookup table is a `tf.Module`, which keeps the table."""

WINDOWS_1252 = tuple(
    # Five numbers stand for nothing, and stay the control characters that they are in Latin-1.
    bytes([code]).decode("latin-1" if code in (0x81, 0x8D, 0x8F, 0x90, 0x9D) else "cp1252")
    for code in range(0x80, 0xA0)
)
"""What U+0080 to U+009F are in Windows-1252."""

# A noncharacter, which Unicode keeps for internal use: no text that is exchanged holds it.
_MARK = "\ufdd0"


def chain(steps: Sequence[Step]) -> Step:
    """Return the steps in order, as one module that keeps the tables of all.

    Args:
        steps: Of this family; none leave the texts as they are.
    """
    import tensorflow as tf

    def in_order(texts: Any) -> Any:
        for step in steps:
            texts = step(texts)
        return texts

    return keeping(in_order, [step for step in steps if isinstance(step, tf.Module)])


def keeping(function: Step, resources: Sequence[Any]) -> Step:
    """Return a step as a module, with which its resources are saved.

    Args:
        function: The step.
        resources: What it uses that TensorFlow must track: lookup tables, modules.
    """
    import tensorflow as tf

    class Keeping(tf.Module):
        """A function, and what it uses."""

        def __init__(self) -> None:
            super().__init__(name="preparation")
            self.resources = list(resources)

        def __call__(self, texts: Any) -> Any:
            return function(texts)

    return Keeping()


def replace(texts: Any, pattern: str, change: Step) -> Any:
    """Replace each match of a pattern by a function of it.

    Args:
        texts: Strings `[N]`.
        pattern: In the syntax of RE2, without groups; it must not match the empty text.
        change: Gets all matches, strings `[M]`, and gives what stands in their place.
    """
    import tensorflow as tf

    # Marking and splitting is five times as fast as tensorflow_text.regex_split, which also
    # drops the rest of a text after NUL.
    texts = tf.strings.regex_replace(texts, _MARK, "\ufffd")
    marked = tf.strings.regex_replace(texts, pattern, rf"{_MARK}\0{_MARK}")
    parts = tf.strings.split(marked, _MARK)  # [N, (parts)]: between, match, between, …, between
    is_match = tf.ragged.range(parts.row_lengths()).flat_values % 2 == 1
    places = tf.where(is_match)  # [M, 1]
    changed = change(tf.gather_nd(parts.flat_values, places))
    flat = tf.tensor_scatter_nd_update(parts.flat_values, places, changed)
    return tf.strings.reduce_join(parts.with_flat_values(flat), axis=-1)
