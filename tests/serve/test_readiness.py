import pytest
from ray.serve.schema import DeploymentStatus, DeploymentStatusOverview, DeploymentStatusTrigger

from serve.readiness import is_ready


def deployment(status: str, **states: int) -> DeploymentStatusOverview:
    trigger = DeploymentStatusTrigger.UNSPECIFIED
    return DeploymentStatusOverview(DeploymentStatus(status), trigger, states, "")


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (deployment("HEALTHY", RUNNING=1), True),
        (deployment("UPSCALING", RUNNING=1, STARTING=3), True),
        (deployment("HEALTHY"), True),
        (deployment("UPDATING", STARTING=1), False),
        (deployment("UPDATING"), False),
        (deployment("UNHEALTHY"), False),
    ],
)
def test_a_part_is_warm_or_rests(found: DeploymentStatusOverview, expected: bool) -> None:
    assert is_ready([found]) is expected
    assert is_ready([deployment("HEALTHY", RUNNING=2), found]) is expected
