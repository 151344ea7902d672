"""Joins the apps' API addresses. What an address does is said in its app."""

from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.exceptions import NotFound
from rest_framework.views import APIView

from apps.cases.api import api_urls as cases
from apps.detection.api import api_urls as detection
from apps.grid.api import api_urls as grid
from apps.readings.api import api_urls as uploads
from apps.readings.push_api import api_urls as pushes
from apps.readings.register_api import api_urls as registers
from apps.readings.validation_api import api_urls as validation

REFUSALS = {
    "400": "Something in what was sent is wrong.",
    "401": "No key or session, or not a valid one.",
    "403": "Your role does not allow this.",
    "404": "There is none, or it is not yours to see.",
    "415": "The body is of a type that is not taken here.",
}


class Nowhere(APIView):
    """Any other address: a program asks for JSON, and is not shown the page for people who lost their way."""

    schema = None

    def initial(self, request, *args, **kwargs):
        super().initial(request, *args, **kwargs)
        raise NotFound


nowhere = [path("<path:_>", Nowhere.as_view(), name="api-nowhere")]
urlpatterns = [
    path("v1/", include([*uploads, *pushes, *registers, *validation, *grid, *detection, *cases, *nowhere])),
    path("schema/", SpectacularAPIView.as_view(), name="schema"),
    # The split view keeps its script in an address of its own, as the content security policy wants.
    path("docs/", SpectacularSwaggerSplitView.as_view(url_name="schema"), name="api-docs"),
]


def with_refusals(result: dict, generator, request, public) -> dict:
    """Describes how any address refuses, which the views need not say one by one (a hook of drf-spectacular)."""
    result["components"]["schemas"] |= {
        "Refusal": {"type": "object", "properties": {"detail": {"type": "string"}}, "required": ["detail"]},
        "Faults": {
            "type": "object",
            "description": "What is wrong, by field; or `detail`, where no field is to blame.",
            "additionalProperties": {},
        },
    }
    for address, operations in result["paths"].items():
        for method, operation in operations.items():
            refusals = {"401": "Refusal", "403": "Refusal"}
            if "{" in address:
                refusals["404"] = "Refusal"
            if method == "post":
                refusals |= {"400": "Faults", "415": "Refusal"}
            elif any(one["in"] == "query" for one in operation.get("parameters", [])):
                refusals["400"] = "Faults"
            for status, name in refusals.items():
                schema = {"$ref": f"#/components/schemas/{name}"}
                operation["responses"].setdefault(
                    status, {"description": REFUSALS[status], "content": {"application/json": {"schema": schema}}}
                )
    return result
