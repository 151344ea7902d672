from django.urls import path

from apps.grid import converters  # noqa: F401 makes <number:...> known
from apps.overview import views

urlpatterns = [
    path("", views.home, name="home"),
    path("health/", views.health, name="health"),
    path("analytics/", views.analytics_page, name="analytics"),
    path("balance/", views.balance_list, name="balance_list"),
    path("balance/<int:pk>/", views.balance, name="balance"),
    path("zero/", views.zero_queue, name="zero_queue"),
    path("map/", views.map_page, name="map"),
    path("map/data/", views.map_data, name="map_data"),
    path("consumers/", views.consumer_search, name="consumer_search"),
    path("consumers/<number:number>/", views.consumer, name="consumer"),
]
