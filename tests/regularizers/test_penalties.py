"""Tests of tfft/regularizers/l1.py, l2.py and l2_sp.py, by hand."""

from dataclasses import replace

import numpy as np
import pytest

from tests.regularizers.toys import batch, dense, gradients, toy
from tfft.errors import SettingError
from tfft.regularizers import l1, l2, l2_sp

KERNEL = np.array([[1.0, -2.0], [3.0, -4.0], [0.5, 0.0]], "float32")


def added(made, regularizer, share=1.0):
    """Return what a regularizer adds to the loss, and to each gradient by the variable's path."""
    plain, _, slope = gradients(made)(batch(share))
    loss, _, changed = gradients(made, regularizer)(batch(share))
    apart = [a - b for a, b in zip(dense(changed), dense(slope), strict=True)]
    return float(loss) - float(plain), dict(zip([v.path for v in made.learned], apart, strict=True))


def with_kernel():
    made = toy()
    made.head.kernel.assign(KERNEL)
    return made


@pytest.mark.parametrize("share", [1.0, 0.25])
@pytest.mark.parametrize(
    ("build", "value", "slope"),
    # 1 + 2 + 3 + 4 + 1/2 and 1 + 4 + 9 + 16 + 1/4, times 1/2
    [(l1.build, 5.25, 0.5 * np.sign(KERNEL)), (l2.build, 15.125, KERNEL)],
)
def test_l1_and_l2_are_of_the_heads_kernel_alone(build, value, slope, share):
    made = with_kernel()
    loss, apart = added(made, build(made.parts, strength=0.5), share)
    assert loss == pytest.approx(share * value, rel=1e-5)
    np.testing.assert_allclose(apart.pop("head/kernel"), share * slope, atol=1e-6)
    assert set(apart) == {"tokens/embeddings", "hidden/kernel", "hidden/bias", "head/bias"}
    assert all((gradient == 0).all() for gradient in apart.values())


def test_l2_sp_pulls_the_backbone_to_its_start_and_the_head_to_zero():
    made = with_kernel()
    made.head.bias.assign([2.0, 0.0])
    regularizer = l2_sp.build(made.parts, alpha=0.5, beta=0.25)
    # At the start only the head: 1/8 (30.25 + 4).
    loss, apart = added(made, regularizer)
    assert loss == pytest.approx((30.25 + 4) / 8, rel=1e-5)
    np.testing.assert_allclose(apart["head/kernel"], KERNEL / 4, atol=1e-6)
    np.testing.assert_allclose(apart["head/bias"], [0.5, 0.0], atol=1e-6)
    for path in ("tokens/embeddings", "hidden/kernel", "hidden/bias"):
        assert (apart[path] == 0).all()
    # The kernel of 9 weights by 2, the bias of 3 by -1: 1/4 (9 * 4 + 3) more.
    made.hidden.kernel.assign_add(np.full((3, 3), 2.0))
    made.hidden.bias.assign_sub(np.ones(3))
    loss, apart = added(made, regularizer)
    assert loss == pytest.approx((30.25 + 4) / 8 + (9 * 4 + 3) / 4, rel=1e-5)
    np.testing.assert_allclose(apart["hidden/kernel"], np.full((3, 3), 1.0), atol=1e-6)
    np.testing.assert_allclose(apart["hidden/bias"], np.full(3, -0.5), atol=1e-6)


def test_l2_sp_is_scaled_to_the_share_of_a_micro_batch():
    made = with_kernel()
    regularizer = l2_sp.build(made.parts)
    made.hidden.kernel.assign_add(np.ones((3, 3)))
    whole, part = added(made, regularizer)[0], added(made, regularizer, share=0.25)[0]
    assert part == pytest.approx(whole / 4, rel=1e-4)
    assert whole == pytest.approx(0.005 * (9 + 30.25 + np.square(made.head.bias).sum()), rel=1e-4)


def test_l2_sp_without_a_backbone_that_trains_is_refused():
    made = with_kernel()
    with pytest.raises(SettingError, match="must not be set where nothing pretrained trains, got 'l2_sp'"):
        l2_sp.build(replace(made.parts, backbone=[]))
