from celery import shared_task

from apps.detection import scoring, training


@shared_task(name="detection.score_pending")
def score_pending() -> int:
    training.train_first()
    return scoring.score_pending()
