"""Whether an image would be answered."""

from collections.abc import Iterable

from ray.serve.schema import DeploymentStatusOverview


def is_ready(deployments: Iterable[DeploymentStatusOverview]) -> bool:
    """Tell whether every deployment has a warm replica, or rests at none and starts when asked."""
    return all(map(_answers, deployments))


def _answers(deployment: DeploymentStatusOverview) -> bool:
    states = deployment.replica_states
    resting = not states and deployment.status == "HEALTHY"  # its autoscaling allows none
    return resting or any(state == "RUNNING" for state in states)
