"""LoRA: the pretrained kernels stay, and a product of two thin matrices is learned beside each.

Keras's own layers do it, and write their kernels merged, so that serving pays nothing; here
they are chosen.

Source: Hu et al. 2022, "LoRA: Low-Rank Adaptation of Large Language Models",
section 4.1, equation 3. https://arxiv.org/abs/2106.09685
"""

from collections.abc import Sequence

import keras

from tfft.errors import SettingError

RULES = (("name:*/lora_*", True), ("name:*", False))
"""What trains in a backbone with LoRA, besides what the config's own rules say."""

# What KerasHub's own list leaves out: RoFormer V2, SmolLM3, GPT-NeoX.
_QUERY_AND_VALUE = ("q_dense_layer", "v_dense_layer", "q_proj", "v_proj", "query_key_value")


def enable(backbone: keras.Model, *, rank: int, alpha: float, targets: Sequence[str]) -> None:
    """Give layers of a backbone a learned product of rank `rank`, zero at first.

    Args:
        backbone: Any KerasHub backbone.
        rank: Width of the thin matrices.
        alpha: The product is scaled by alpha / rank.
        targets: Names of layers, as in `query`; none for KerasHub's choice for this
            backbone, query and value.

    Raises:
        SettingError: A target names no layer that can take it, or there is none to choose.
    """
    able = [layer for layer in backbone._flatten_layers(include_self=False) if hasattr(layer, "enable_lora")]
    names = sorted({layer.name for layer in able})
    for index, name in enumerate(targets):
        if name not in names:
            raise SettingError(
                f"lora.targets.{index}", name, "must be a layer that can take LoRA", fix=f"Known: {names}."
            )
    wanted = targets or (*backbone.default_lora_layer_names(), *_QUERY_AND_VALUE)
    chosen = [layer for layer in able if layer.name in wanted]
    if not chosen:
        raise SettingError(
            "lora.targets",
            list(targets),
            f"must be set, for {type(backbone).__name__} has no layers for query and value",
            fix=f"Known: {names}.",
        )
    for layer in chosen:
        layer.enable_lora(rank, lora_alpha=alpha)
