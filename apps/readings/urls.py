from django.urls import path

from apps.grid import converters  # noqa: F401 makes <number:...> known
from apps.readings import validation_views, views

urlpatterns = [
    path("uploads/", views.upload_list, name="upload_list"),
    path("uploads/new/", views.upload_new, name="upload_new"),
    path("uploads/<int:pk>/", views.upload, name="upload"),
    path("uploads/<int:pk>/confirm/", views.upload_confirm, name="upload_confirm"),
    path("uploads/<int:pk>/discard/", views.upload_discard, name="upload_discard"),
    path("uploads/<int:pk>/retry/", views.upload_retry, name="upload_retry"),
    path("uploads/<int:pk>/withdraw/", views.upload_withdraw, name="upload_withdraw"),
    path("uploads/<int:pk>/restore/", views.upload_restore, name="upload_restore"),
    path("uploads/<int:pk>/rejected.csv", views.upload_rejected, name="upload_rejected"),
    path("quality/", validation_views.data_quality, name="data_quality"),
    path("quality/rules/", validation_views.validation_rules, name="validation_rules"),
    path("quality/retry/", validation_views.validation_retry, name="validation_retry"),
    path("quality/edit/<number:number>/", validation_views.reading_edit, name="reading_edit"),
    path("quality/edits/<int:pk>/undo/", validation_views.reading_edit_undo, name="reading_edit_undo"),
]
