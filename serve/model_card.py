"""``GET /v1/model``: which model answers, in the words of its card."""

from fastapi import APIRouter

from serve.answers import ModelFacts
from serve.problems import responses
from serve.replica import Replica, wait_for

router = APIRouter()


class ModelCard(ModelFacts):
    """A model and what its folder's README says."""

    card: str
    """Markdown with a YAML head: intended use, data and licences, figures, limits."""


@router.get("/v1/model", responses=responses(503, 504))
async def model(here: Replica) -> ModelCard:
    """Tell which model answers and show its card."""
    card: ModelCard = await wait_for(here, here.detector.card.remote())
    return card
