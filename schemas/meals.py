"""Meals: what was eaten, with its nutrients as they were when it was logged."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from schemas.envelope import Envelope, Nothing
from schemas.fields import Model, Name, Text, measured

Energy = Annotated[float, measured("Energy", "kcal", 100_000, plausible_max=20_000)]
Grams = Annotated[float, measured("Mass", "g", 100_000, plausible_max=5_000)]


class MealItem(Model):
    """One food of a meal, for the quantity eaten before `portion` is applied."""

    name: Text = Field(description="Name of the food")
    energy_kcal: Energy | None = Field(default=None, description="Energy [kcal]")
    protein_g: Grams | None = Field(default=None, description="Protein [g]")
    carbs_g: Grams | None = Field(default=None, description="Carbohydrates [g]")
    fat_g: Grams | None = Field(default=None, description="Fat [g]")
    fibre_g: Grams | None = Field(default=None, description="Fibre [g]")


class Meal(Model):
    meal_type: Name = Field(description="breakfast, lunch, dinner, snack or the app's own slot")
    from_plan: bool = Field(default=False, description="Whether it was taken from the meal plan")
    planned_item: Text | None = Field(default=None, description="The planned item that it fulfils")
    portion: Annotated[float, Field(ge=0.5, le=2)] = Field(default=1.0, description="Multiplier on all items [1]")
    items: Annotated[list[MealItem], Field(max_length=200)] = Field(default=[], description="Foods")
    rating: Annotated[float, Field(ge=1, le=5)] | None = Field(default=None, description="User's rating, 1-5")


class MealLogged(Envelope):
    type: Literal["meal.logged"]
    data: Meal


class MealDeleted(Envelope):
    type: Literal["meal.deleted"]
    data: Nothing = Nothing()
