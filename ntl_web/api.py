"""Joins the apps' API addresses. What an address does is said in its app."""

from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from apps.cases.api import api_urls as cases
from apps.detection.api import api_urls as detection
from apps.readings.api import api_urls as readings

urlpatterns = [
    path("v1/", include([*readings, *detection, *cases])),
    path("schema/", SpectacularAPIView.as_view(), name="schema"),
    # The split view keeps its script in an address of its own, as the content security policy wants.
    path("docs/", SpectacularSwaggerSplitView.as_view(url_name="schema"), name="api-docs"),
]
