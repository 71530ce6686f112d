from dataclasses import replace

import pytest
import torch

from mgray.models.bifpn import BiFpn, Node, halve, node_inputs
from mgray.models.config import ARCHITECTURES, Architecture

SMALL = replace(ARCHITECTURES["efficientdet_d0"], channels=8, cells=2)


def pyramid(height: int, width: int, channels: tuple[int, ...]) -> list[torch.Tensor]:
    return [torch.randn(1, c, height >> i, width >> i) for i, c in enumerate(channels)]


def test_a_cell_goes_down_and_up_as_in_the_paper() -> None:
    top_down = [(3, [3, 4]), (2, [2, 5]), (1, [1, 6]), (0, [0, 7])]
    bottom_up = [(1, [1, 7, 8]), (2, [2, 6, 9]), (3, [3, 5, 10]), (4, [4, 11])]
    assert node_inputs(5) == top_down + bottom_up


@pytest.mark.parametrize("levels", [5, 6])
def test_a_cells_last_nodes_are_its_outputs_from_fine_to_coarse(levels: int) -> None:
    assert [level for level, _ in node_inputs(levels)[-levels:]] == list(range(levels))


@pytest.mark.parametrize("architecture", [SMALL, replace(SMALL, max_level=8)])
def test_every_level_has_half_the_size_of_the_one_before(architecture: Architecture) -> None:
    neck = BiFpn((3, 4, 5), architecture, momentum=0.1)
    maps = neck(pyramid(32, 64, (3, 4, 5)))
    assert [tuple(m.shape) for m in maps] == [
        (1, 8, 32 >> i, 64 >> i) for i in range(architecture.levels)
    ]


def test_a_backbone_map_of_the_necks_width_is_not_projected() -> None:
    neck = BiFpn((8, 4, 5), SMALL, momentum=0.1)
    names = {name for name, _ in neck.cells[0].named_modules() if "laterals" in name}
    assert not any(".laterals.0" in name for name in names)
    assert any(".laterals.1" in name for name in names)


def test_later_cells_project_nothing() -> None:
    neck = BiFpn((3, 4, 5), SMALL, momentum=0.1)
    assert not any("laterals." in name for name, _ in neck.cells[1].named_parameters())


def test_edges_of_negative_weight_are_cut() -> None:
    node = Node(0, {0: 8, 1: 8}, SMALL, momentum=0.1).eval()
    assert node.edge_weights is not None
    with torch.no_grad():
        node.edge_weights.copy_(torch.tensor([1.0, -1.0]))
    fine = torch.randn(1, 8, 4, 4)
    maps = [[fine, torch.randn(1, 8, 2, 2)] for _ in range(2)]
    assert torch.equal(node(maps[0]), node(maps[1]))


def test_equal_edges_average() -> None:
    node = Node(0, {0: 8, 1: 8}, SMALL, momentum=0.1)
    ones = [torch.ones(1, 8, 2, 2), 3 * torch.ones(1, 8, 2, 2)]
    torch.testing.assert_close(node._join(ones), 2 * ones[0], rtol=1e-4, atol=0)


def test_a_sum_has_no_edge_weights() -> None:
    node = Node(0, {0: 8, 1: 8}, replace(SMALL, weighted=False), momentum=0.1)
    ones = [torch.ones(1, 8, 2, 2), 3 * torch.ones(1, 8, 2, 2)]
    assert node.edge_weights is None
    assert torch.equal(node._join(ones), 4 * ones[0])


def test_same_padding_pads_at_the_end() -> None:
    column = torch.tensor([3.0, 1.0, 0.0, 2.0]).reshape(1, 1, 1, 4).expand(1, 1, 4, 4)
    assert halve(column, same_padding=True)[0, 0, 0].tolist() == [3.0, 2.0]


def test_symmetric_padding_pads_on_both_sides() -> None:
    column = torch.tensor([0.0, 1.0, 0.0, 2.0]).reshape(1, 1, 1, 4).expand(1, 1, 4, 4)
    assert halve(column, same_padding=False)[0, 0, 0].tolist() == [1.0, 2.0]
    assert halve(column, same_padding=True)[0, 0, 0].tolist() == [1.0, 2.0]
    rising = torch.arange(4.0).reshape(1, 1, 1, 4).expand(1, 1, 4, 4)
    assert halve(rising, same_padding=False)[0, 0, 0].tolist() == [1.0, 3.0]
    assert halve(rising, same_padding=True)[0, 0, 0].tolist() == [2.0, 3.0]


def test_padding_never_wins_the_maximum() -> None:
    assert bool((halve(-torch.ones(1, 1, 4, 4), same_padding=True) == -1).all())


def test_gradients_reach_every_weight_of_the_neck() -> None:
    neck = BiFpn((3, 4, 5), SMALL, momentum=0.1)
    sum(m.square().mean() for m in neck(pyramid(32, 32, (3, 4, 5)))).backward()
    assert all(p.grad is not None for p in neck.parameters())
