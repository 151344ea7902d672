from django.contrib.auth import views
from django.urls import path

urlpatterns = [
    path(
        "accounts/login/",
        views.LoginView.as_view(template_name="accounts/login.html", redirect_authenticated_user=True),
        name="login",
    ),
    path("accounts/logout/", views.LogoutView.as_view(), name="logout"),
]
