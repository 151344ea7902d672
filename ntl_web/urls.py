from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("", include("apps.accounts.urls")),
    path("", include("apps.cases.urls")),
    path("", include("apps.grid.urls")),
    path("", include("apps.overview.urls")),
    path("admin/", admin.site.urls),
]
