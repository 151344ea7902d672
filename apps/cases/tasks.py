from celery import shared_task

from apps.cases import actions


@shared_task(name="cases.open_pending")
def open_pending() -> int:
    return actions.open_pending()
