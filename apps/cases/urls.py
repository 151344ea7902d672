from django.urls import include, path

from apps.cases import views

urlpatterns = [
    path("uploads/<int:pk>/cases/", views.cases_of_upload, name="cases_of_upload"),
    path("cases/", views.case_queue, name="case_queue"),
    path(
        "cases/<int:pk>/",
        include(
            [
                path("", views.case, name="case"),
                path("assign/", views.case_assign, name="case_assign"),
                path("note/", views.case_note, name="case_note"),
                path("move/", views.case_move, name="case_move"),
                path("close/", views.case_close, name="case_close"),
                path("reopen/", views.case_reopen, name="case_reopen"),
            ]
        ),
    ),
]
