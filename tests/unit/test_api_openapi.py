"""What /openapi.json says is what there is: every path, and schemas that real answers keep to."""

from __future__ import annotations

import json
import re

from starlette.routing import Route

from api.config import Limits
from api.openapi import document
from api.service import ROUTES


def test_every_route_is_described_with_its_methods_and_nothing_else_is() -> None:
    routes = {
        (re.sub(r":\w+}", "}", route.path), method.lower())
        for route in ROUTES
        if isinstance(route, Route)
        for method in (route.methods or ()) - {"HEAD"}
    }
    described = {(path, method) for path, methods in document(Limits())["paths"].items() for method in methods}
    assert described == routes


def test_every_reference_leads_somewhere_and_all_of_it_is_json() -> None:
    text = json.dumps(document(Limits()))
    names = json.loads(text)["components"]["schemas"]
    assert {ref.rpartition("/")[2] for ref in re.findall(r'"\$ref": "([^"]+)"', text)} == {
        "Answer",
        "Problem",
        "Verdict",
    }
    assert names.keys() == {"Answer", "Problem", "Verdict"}


def test_limits_are_those_of_the_settings() -> None:
    body = document(Limits(events=7))["paths"]["/v1/events"]["post"]["requestBody"]["content"]
    assert body["application/cloudevents-batch+json"]["schema"]["maxItems"] == 7
