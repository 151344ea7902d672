from django.urls import path

from apps.detection import views

urlpatterns = [
    path("runs/", views.run_list, name="run_list"),
    path("runs/shards/<int:pk>/retry/", views.shard_retry, name="shard_retry"),
    path("models/", views.model_list, name="model_list"),
    path("models/train/", views.model_train, name="model_train"),
    path("models/training/", views.model_training, name="model_training"),
    path("models/<int:pk>/", views.model, name="model"),
    path("models/<int:pk>/activate/", views.model_activate, name="model_activate"),
]
