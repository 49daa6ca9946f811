"""A `.tflite` file in float32, for LiteRT on phones and other devices."""

from tfft.formats import OfTokens, _litert, _runtimes


def build() -> OfTokens:
    """One file for any number of rows and tokens."""
    return OfTokens(
        tolerance=1e-5,
        agreement=1.0,
        lost=_litert.LOST,
        file="model.tflite",
        runtime="litert",
        packages=_litert.PACKAGES,
        write=_litert.write,
        load=_runtimes.litert,
    )
