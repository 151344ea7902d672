from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("", include("apps.accounts.urls")),
    path("", include("apps.cases.urls")),
    path("", include("apps.readings.urls")),
    path("", include("apps.detection.urls")),
    path("", include("apps.grid.urls")),
    path("", include("apps.overview.urls")),
    path("api/", include("ntl_web.api")),
    path("admin/", admin.site.urls),
]
