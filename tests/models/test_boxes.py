import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mgray.models.boxes import box_iou, decode_boxes, encode_boxes

corner = st.floats(-500, 500, width=32)
side = st.floats(1, 400, width=32)


@st.composite
def boxes(draw: st.DrawFn) -> torch.Tensor:
    x, y, w, h = draw(corner), draw(corner), draw(side), draw(side)
    return torch.tensor([[x, y, x + w, y + h]])


@given(boxes(), boxes())
def test_decoding_undoes_encoding(box: torch.Tensor, anchor: torch.Tensor) -> None:
    back = decode_boxes(encode_boxes(box, anchor)[None], anchor)[0]
    torch.testing.assert_close(back, box, rtol=1e-3, atol=1e-2)


@given(boxes(), boxes())
def test_iou_is_symmetric_and_between_0_and_1(one: torch.Tensor, two: torch.Tensor) -> None:
    iou = float(box_iou(one, two))
    assert 0 <= iou <= 1.0001
    assert iou == pytest.approx(float(box_iou(two, one)), abs=1e-6)


def test_a_quarter_overlap_has_an_iou_of_a_seventh() -> None:
    iou = box_iou(torch.tensor([[0.0, 0, 2, 2]]), torch.tensor([[1.0, 1, 3, 3]]))
    assert float(iou) == pytest.approx(1 / 7)


def test_boxes_that_touch_do_not_overlap() -> None:
    assert float(box_iou(torch.tensor([[0.0, 0, 2, 2]]), torch.tensor([[2.0, 0, 4, 2]]))) == 0


def test_two_empty_boxes_do_not_divide_by_zero() -> None:
    empty = torch.zeros(1, 4)
    assert float(box_iou(empty, empty)) == 0


def test_every_pair_is_compared() -> None:
    assert box_iou(torch.rand(3, 4), torch.rand(5, 4)).shape == (3, 5)


def test_zero_deltas_are_the_anchor() -> None:
    anchor = torch.tensor([[10.0, 20, 30, 60]])
    torch.testing.assert_close(decode_boxes(torch.zeros(1, 1, 4), anchor)[0], anchor)


def test_deltas_are_x_y_width_height() -> None:
    anchor = torch.tensor([[0.0, 0, 10, 20]])
    box = torch.tensor([[5.0, 0, 15, 20]])  # half a width to the right
    torch.testing.assert_close(encode_boxes(box, anchor), torch.tensor([[0.5, 0, 0, 0]]))
    tall = torch.tensor([[0.0, -10, 10, 30]])  # twice as high
    expected = torch.tensor([[0, 0, 0, 2.0]]).log().nan_to_num(neginf=0)
    torch.testing.assert_close(encode_boxes(tall, anchor), expected)
