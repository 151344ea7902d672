from celery import shared_task

from apps.detection import scoring, training


@shared_task(name="detection.score_pending")
def score_pending() -> int:
    training.ask_for_first()
    return scoring.score_pending()


@shared_task(name=training.STEP)
def train_pending() -> int:
    return training.train_pending()
