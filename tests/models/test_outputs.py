import torch

from mgray.models.outputs import Outputs


def test_levels_are_joined_from_fine_to_coarse() -> None:
    logits = [torch.zeros(2, 9, 3), torch.ones(2, 4, 3)]
    boxes = [torch.zeros(2, 9, 4), torch.ones(2, 4, 4)]
    flat_logits, flat_boxes = Outputs(logits, boxes).flat()
    assert flat_logits.shape == (2, 13, 3)
    assert flat_boxes[0, :, 0].tolist() == [0.0] * 9 + [1.0] * 4
