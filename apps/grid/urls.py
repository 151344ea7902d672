from django.urls import path

from apps.grid import views

urlpatterns = [path("consumers/unassigned/", views.consumers_unassigned, name="consumers_unassigned")]
