from django.urls import path

from apps.grid import converters, views  # noqa: F401 converters makes <number:...> known
from apps.grid.reference import views as reference

urlpatterns = [
    path("consumers/unassigned/", views.consumers_unassigned, name="consumers_unassigned"),
    path("grid-data/", reference.reference_list, name="reference_list"),
    path("grid-data/new/", reference.reference_new, name="reference_new"),
    path("grid-data/example-<slug:kind>.csv", reference.reference_example, name="reference_example"),
    path("grid-data/<int:pk>/", reference.reference, name="reference"),
    path("grid-data/<int:pk>/confirm/", reference.reference_confirm, name="reference_confirm"),
    path("grid-data/<int:pk>/discard/", reference.reference_discard, name="reference_discard"),
    path("grid-data/<int:pk>/undo/", reference.reference_undo, name="reference_undo"),
    path("grid-data/<int:pk>/refused.csv", reference.reference_refused, name="reference_refused"),
    path("grid-data/meter-of/<number:number>/", reference.meter_replace, name="meter_replace"),
]
