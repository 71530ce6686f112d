"""``GET /v1/model``: which model answers, in the words of its card."""

from typing import Any

from fastapi import APIRouter

from serve.answers import ModelFacts
from serve.problems import responses
from serve.replica import Replica, wait_for

router = APIRouter()


class ModelCard(ModelFacts):
    """A model and what its folder's README says."""

    card: str
    """Markdown with a YAML head: intended use, data and licences, figures, limits."""


@router.get("/v1/model", responses=responses(404, 503, 504))
async def model_card(
    here: Replica, model: str | None = None, version: str | None = None
) -> ModelCard:
    """Tell which model answers and show its card."""
    card: ModelCard
    _, card = await here.models.ask(model, version, lambda chosen: _card(here, chosen))
    return card


async def _card(here: Any, model: str) -> ModelCard:
    detector = here.detector.options(multiplexed_model_id=model)
    card: ModelCard = await wait_for(here, detector.card.remote(model))
    return card
