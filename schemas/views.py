"""Views of videos and reactions to them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from schemas.envelope import Envelope, Nothing
from schemas.fields import Model, Name, measured

Region = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]


class Shown(Model):
    """What was on the screen."""

    content: Name = Field(description="Video id")
    creator: Name | None = Field(default=None, description="Creator id")
    hashtags: Annotated[list[Name], Field(max_length=50)] = Field(default=[], description="Hashtags without #")
    sound: Name | None = Field(default=None, description="Sound id")
    category: Name | None = Field(default=None, description="Category")
    region: Region | None = Field(default=None, description="ISO 3166-1 alpha-2 code of the viewer's region")


class View(Shown):
    watched_s: Annotated[float, measured("Time watched", "s", 1e7, plausible_max=86_400)] = Field(
        description="Time watched [s]"
    )
    length_s: Annotated[float, measured("Length", "s", 1e7)] | None = Field(
        default=None, description="Length of the video [s]"
    )


class Reaction(Shown):
    kind: Literal["like", "share", "comment", "save"] = Field(description="Kind of reaction")


class ViewRecorded(Envelope):
    type: Literal["view.recorded"]
    data: View


class ReactionRecorded(Envelope):
    type: Literal["reaction.recorded"]
    data: Reaction


class ReactionDeleted(Envelope):
    type: Literal["reaction.deleted"]
    data: Nothing = Nothing()
