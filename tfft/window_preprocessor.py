"""A long text as overlapping windows, each framed as a text of its own.

Source: Pappagari et al. 2019, "Hierarchical Transformers for Long Document Classification",
section 3. https://arxiv.org/abs/1910.10781
"""

from typing import Any

import numpy as np
import tensorflow as tf

from tfft.errors import SettingError
from tfft.preprocessor import Preprocessor


class WindowPreprocessor(Preprocessor):
    """Text to the inputs of a backbone for each window, and `window_mask`.

    Args:
        at_most: Windows of one text.
        overlap: Tokens that neighbouring windows share.
        named: Arguments of `Preprocessor`; `sequence_length` is that of a window.

    Raises:
        SettingError: A row has two texts, or windows would not move on.
    """

    def __init__(self, *, at_most: int, overlap: int, **named: Any) -> None:
        super().__init__(**named)
        self.at_most, self.overlap = at_most, overlap
        if len(self.read.texts) > 1:
            raise SettingError(
                "backbone.windows",
                at_most,
                "must not be set for a pair of texts",
                fix="Leave the section out, or join the columns by a template.",
            )
        if overlap >= super().room():
            raise SettingError(
                "backbone.windows.overlap",
                overlap,
                f"must be below {super().room()}, the tokens of text in a window",
                fix="Lower it; a quarter of the window is usual.",
            )

    def room(self) -> int:
        """Return the tokens of a row that all its windows hold together."""
        window = super().room()
        return window + (self.at_most - 1) * (window - self.overlap)

    def windows(self, lengths: np.ndarray) -> np.ndarray:
        """Return how many windows rows need that have so many tokens, `[rows]`; there may be fewer."""
        step = super().room() - self.overlap
        return np.maximum(-(-(lengths - self.overlap) // step), 1)

    def sizes(self, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return tokens of the widest window of each row, and of all its windows, as `pack` makes them."""
        kept = np.minimum(lengths, self.room())
        windows = self.windows(kept)
        widest = self._of_text(np.minimum(kept, super().room())) + self.special
        return widest, self._of_text(kept) + (windows - 1) * self.overlap + windows * self.special

    def pack(self, *texts: tf.RaggedTensor) -> dict[str, tf.Tensor]:
        """Return the inputs, each int32 `[N, windows, tokens]`, and `window_mask`, int32 `[N, windows]`.

        Rows have as many windows as the longest of them; the mask is 1 for those that a row has.
        """
        (ids,) = texts
        window = super().room()
        step = window - self.overlap
        ids = self._cut(ids, tf.minimum(ids.row_lengths(), self.room()))
        lengths = ids.row_lengths()
        counts = tf.maximum((lengths - self.overlap + step - 1) // step, 1)  # [N]
        number = tf.reduce_max(tf.concat([counts, [1]], axis=0))
        starts = tf.range(number) * step  # [windows]
        of_windows = tf.clip_by_value(lengths[:, None] - starts, 0, window)  # [N, windows], of tokens
        is_window = starts < tf.maximum(lengths - self.overlap, 1)[:, None]
        of_windows = tf.where(is_window, of_windows, 0)
        # Tokens in the order of the windows: those of the overlaps stand twice.
        flat = tf.reshape(of_windows, [-1])
        places = tf.repeat(tf.reshape(ids.row_starts()[:, None] + starts, [-1]), flat)
        inside = tf.ragged.range(flat).flat_values
        parts = tf.RaggedTensor.from_row_lengths(tf.gather(ids.flat_values, places + inside), flat, False)
        packed = super().pack(parts)
        shape = [ids.nrows(), number, -1]
        return {name: tf.reshape(tensor, shape) for name, tensor in packed.items()} | {
            "window_mask": tf.cast(is_window, tf.int32)
        }
