"""Unicode: one spelling for texts that look alike, such as é in one character or in two.

Source: Unicode Standard Annex 15, "Unicode Normalization Forms". https://unicode.org/reports/tr15/
"""

from typing import Literal

from tfft.preparation import Step


def build(*, form: Literal["NFC", "NFD", "NFKC", "NFKD"] = "NFC") -> Step:
    """Bring texts into a normal form of Unicode.

    Most tokenizers do what their vocabulary needs by themselves; this helps where they do
    not, as with text from macOS file names (NFD) and a byte-level vocabulary.

    Args:
        form: `NFC` joins letters and marks, `NFD` parts them; `NFKC` and `NFKD` also replace
            look-alikes by what they stand for (ﬁ by fi, ① by 1, full width by ASCII), which
            loses what told them apart.
    """
    import tensorflow_text as tf_text

    return lambda texts: tf_text.normalize_utf8(texts, form)
