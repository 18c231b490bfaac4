"""Meals: what was eaten, with its nutrients as they were when it was logged."""

from __future__ import annotations

from typing import Annotated, Any, Literal

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


class MealV1(Model):
    """A meal as the first apps sent it: one food, its energy in kilojoules, no portion."""

    meal_type: Name = Field(description="breakfast, lunch, dinner, snack or the app's own slot")
    name: Text = Field(description="Name of the food")
    energy_kj: Annotated[float, measured("Energy", "kJ", 400_000)] | None = Field(
        default=None, description="Energy [kJ]"
    )
    protein_g: Grams | None = Field(default=None, description="Protein [g]")
    carbs_g: Grams | None = Field(default=None, description="Carbohydrates [g]")
    fat_g: Grams | None = Field(default=None, description="Fat [g]")
    rating: Annotated[float, Field(ge=1, le=5)] | None = Field(default=None, description="User's rating, 1-5")


KJ_PER_KCAL = 4.184
"""The thermochemical calorie, exact by definition (NIST SP 811, appendix B)."""


class MealLoggedV1(Envelope):
    type: Literal["meal.logged"]
    data: MealV1

    @staticmethod
    def to_next(data: dict[str, Any]) -> dict[str, Any]:
        """One item; its energy in kcal, to a thousandth: that is what sums are made of.

        >>> MealLoggedV1.to_next({"meal_type": "lunch", "name": "Soup", "energy_kj": 418.4})
        {'meal_type': 'lunch', 'items': [{'name': 'Soup', 'energy_kcal': 100.0}]}
        """
        kept = {name: data[name] for name in ("meal_type", "rating") if name in data}
        item: dict[str, Any] = {name: data[name] for name in ("name", "protein_g", "carbs_g", "fat_g") if name in data}
        if (energy_kj := data.get("energy_kj")) is not None:
            item["energy_kcal"] = round(energy_kj / KJ_PER_KCAL, 3)
        return kept | {"items": [item]}


class MealLogged(Envelope):
    type: Literal["meal.logged"]
    data: Meal
    version = 2
    older = MealLoggedV1


class MealDeleted(Envelope):
    type: Literal["meal.deleted"]
    data: Nothing = Nothing()
