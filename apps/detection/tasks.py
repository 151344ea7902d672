from celery import shared_task

from apps.detection import scoring, training


@shared_task(name="detection.score_pending")
def score_pending() -> int:
    training.ask_for_first()
    scored = scoring.score_pending()
    scoring.get_ready()  # the timetable asks each minute, and readings that come then should not wait for a model
    return scored


@shared_task(name=training.STEP)
def train_pending() -> int:
    return training.train_pending()
