# Importing the Celery app with the project makes `shared_task` and `current_app` mean ours, also in web processes.
from ntl_web.celery import app

__all__ = ["app"]
