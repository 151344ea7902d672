"""Settings, grouped by subject. Every deploy-time value is read from the environment in this file and nowhere else."""

from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import dj_database_url
from csp.constants import NONE, SELF, UNSAFE_INLINE
from django.utils.translation import gettext_lazy as _

from ntl_web import environment

BASE_DIR = Path(__file__).resolve().parent.parent

# --- Deployment -------------------------------------------------------------------------------------------------------
SECRET_KEY = environment.text("SECRET_KEY")
DEBUG = environment.flag("DEBUG", False)
HTTPS = environment.flag("HTTPS", False)
ALLOWED_HOSTS = environment.words("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
CSRF_TRUSTED_ORIGINS = environment.words("CSRF_TRUSTED_ORIGINS", "")

# --- Apps -------------------------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "apps.overview",
    "apps.cases",
    "apps.detection",
    "apps.inspections",
    "apps.readings",
    "apps.grid",
    "apps.accounts",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.gis",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.sessions",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "csp",
    "django_filters",
    "django_htmx",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "leaflet",
    "rest_framework",
]
AUTH_USER_MODEL = "accounts.User"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
ROOT_URLCONF = "ntl_web.urls"
WSGI_APPLICATION = "ntl_web.wsgi.application"
ASGI_APPLICATION = "ntl_web.asgi.application"

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    # Every page is for people who logged in; the few that are not say so with login_not_required.
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]

# --- Database and queue -----------------------------------------------------------------------------------------------
DATABASES = {
    "default": dj_database_url.parse(
        environment.text("DATABASE_URL"), engine="django.contrib.gis.db.backends.postgis", conn_max_age=60
    )
}
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
DATABASES["default"]["TEST"] = {"NAME": environment.text("NTL_TEST_DB", "test_ntl_web")}
# A killed worker's row lock is another worker's work: the server must notice at once that the client is gone.
DATABASES["default"].setdefault("OPTIONS", {}).update(
    {
        "options": "-c client_connection_check_interval=1000",
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 3,
    }
)

REDIS_URL = environment.text("REDIS_URL")
CELERY_BROKER_URL = REDIS_URL
CELERY_TASK_IGNORE_RESULT = True  # the database says what was done; nobody reads a task's result
CELERY_TASK_ACKS_LATE = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_MAX_MEMORY_PER_CHILD = 900_000  # kB
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None  # worker and beat outlast any outage; by default they end within the hour
# Ringing the bell must not hold up a request when Redis is away: the timetable rings later.
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "socket_connect_timeout": 0.5,
    "socket_timeout": 30,
    "retry_on_timeout": False,
    "visibility_timeout": 3600,
}
CELERY_TASK_PUBLISH_RETRY = False
CELERY_TIMEZONE = "UTC"
# How often the timetable runs every step of the pipeline.
PIPELINE_EVERY_SECONDS = environment.number("PIPELINE_EVERY_SECONDS", 60)

# --- People -----------------------------------------------------------------------------------------------------------
AUTHENTICATION_BACKENDS = ["apps.accounts.backends.OneQuestionBackend"]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "login"
SESSION_COOKIE_AGE = int(timedelta(hours=12).total_seconds())
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]

# --- Language and time ------------------------------------------------------------------------------------------------
LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English"))]
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_I18N = True
USE_TZ = True
# Civil time where the utility's consumers live. Days of load profiles are days of its standard time (DESIGN section 4).
UTILITY_TIME_ZONE = environment.text("UTILITY_TIME_ZONE", "Europe/London")
TIME_ZONE = UTILITY_TIME_ZONE

# --- Files ------------------------------------------------------------------------------------------------------------
STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / ".state" / "static"
# An allow-list of the front-end packages that pages load; nothing else of node_modules is served.
STATICFILES_DIRS = [
    BASE_DIR / "static",
    ("tabler", BASE_DIR / "node_modules" / "@tabler" / "core" / "dist" / "css"),
    ("tabler-js", BASE_DIR / "node_modules" / "@tabler" / "core" / "dist" / "js"),
    ("echarts", BASE_DIR / "node_modules" / "echarts" / "dist"),
    ("htmx", BASE_DIR / "node_modules" / "htmx.org" / "dist"),
    ("leaflet-npm", BASE_DIR / "node_modules" / "leaflet" / "dist"),
]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedStaticFilesStorage"},
}
# Without collectstatic (tests, a developer's clone) files come straight from the allow-list above.
WHITENOISE_USE_FINDERS = True
MEDIA_ROOT = Path(environment.text("MEDIA_ROOT"))
# Raw uploads are personal data: kept private, never served by address.
MEDIA_URL = ""
FILE_UPLOAD_PERMISSIONS = 0o600
FILE_UPLOAD_HANDLERS = ["apps.readings.files.LimitedUploadHandler"]

# --- Safety -----------------------------------------------------------------------------------------------------------
SECURE_SSL_REDIRECT = HTTPS
SECURE_HSTS_SECONDS = int(timedelta(days=365).total_seconds()) if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
SECURE_HSTS_PRELOAD = HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
SESSION_COOKIE_SECURE = HTTPS
CSRF_COOKIE_SECURE = HTTPS
X_FRAME_OPTIONS = "DENY"
# gis.W001 asks for GDAL 3.12 or newer, which no supported Debian or Ubuntu carries. It warns of references that GDAL
# follows in untrusted geometry; no geometry from outside reaches GDAL: places are parsed as numbers.
SILENCED_SYSTEM_CHECKS = ["gis.W001"]
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF, "data:"],
        # Chart tooltips and the map position themselves with style attributes.
        "style-src": [SELF, UNSAFE_INLINE],
        "object-src": [NONE],
        "base-uri": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}

# --- API --------------------------------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "apps.accounts.api.ApiKeyAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_PARSER_CLASSES": ["apps.file_bodies.JsonBody"],
    "DEFAULT_PAGINATION_CLASS": "ntl_web.pagination.Pages",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "PAGE_SIZE": 100,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "ntl-web",
    "DESCRIPTION": """Send readings, ask for scores, receive cases. Authenticate with `Authorization: Api-Key <key>`.

A file of any format becomes an upload; its address tells how the import goes:

    curl -H "Authorization: Api-Key $KEY" -H "Idempotency-Key: march-2026" -T march.csv \\
        "$SITE/api/v1/uploads?name=march.csv&sender=head-end&timezone=Europe/London"

What meters just said is pushed as JSON, and stored when the answer comes:

    curl -H "Authorization: Api-Key $KEY" -H "Content-Type: application/json" "$SITE/api/v1/readings" -d \\
        '{"readings": [{"meter": "M-1", "start": "2026-03-01T00:00:00Z", "interval_minutes": 60, "kwh": [0.41, 0.38]}]}'

In Python the official client (`clients/python` of this project) repeats what failed, waits as long as it is asked to,
and shows how far an upload is: `Client(site, key).upload("march.csv", wait=True)`, `.push([...])`,
`ntl-upload march.csv`.
""",
    "VERSION": "1",
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SERVE_INCLUDE_SCHEMA": False,
    "POSTPROCESSING_HOOKS": ["drf_spectacular.hooks.postprocess_schema_enums", "ntl_web.api.with_refusals"],
    "SERVE_PERMISSIONS": ["rest_framework.permissions.IsAuthenticated"],
    "ENUM_NAME_OVERRIDES": {
        "CaseStatus": "apps.cases.models.Case.Status",
        "UploadStatus": "apps.readings.models.Upload.Status",
        "ReferenceStatus": "apps.grid.models.ReferenceImport.Status",
        "ReferenceKind": "apps.grid.models.ReferenceImport.Kind",
        "ConsumerKind": "apps.grid.models.Consumer.Kind",
        "MeterKind": "apps.grid.models.Meter.Kind",
        "ContractStatus": "apps.grid.models.Supply.Status",
        "RiskLevel": "apps.detection.models.RiskLevel",
        "AnomalyKind": "apps.detection.models.Kind",
    },
}

# --- Readings ---------------------------------------------------------------------------------------------------------
UPLOAD_MAX_BYTES = environment.number("UPLOAD_MAX_BYTES", 1024**3)
# So much may wait for import; who sends more is asked to come back (429, Retry-After).
UPLOADS_WAITING_MOST = environment.number("UPLOADS_WAITING_MOST", 500)
UPLOADS_WAITING_MOST_BYTES = environment.number("UPLOADS_WAITING_MOST_BYTES", 20 * 1024**3)
UPLOADS_RETRY_AFTER_SECONDS = environment.number("UPLOADS_RETRY_AFTER_SECONDS", 30)
DATA_UPLOAD_MAX_MEMORY_SIZE = 16 * 1024**2
REGISTER_UNKNOWN_METERS = environment.flag("REGISTER_UNKNOWN_METERS", True)
# What `manage.py forget_readings` forgets: everything about days longer ago than this. 0: nothing.
READINGS_KEEP_YEARS = environment.number("READINGS_KEEP_YEARS", 0)
# Days longer ago than this are rejected lines: nobody sends again what is to be forgotten.
READINGS_OLDEST_YEARS = min(environment.number("READINGS_OLDEST_YEARS", 20), READINGS_KEEP_YEARS or 100)
# A single reading above this is a fault of the file, whatever the meter: 100 MW for an hour.
READING_MAX_KWH = environment.number("READING_MAX_KWH", 100_000)
# A push up to this size is taken while its sender waits: measured, 400,000 readings in less than a second. A larger one
# becomes an upload.
PUSH_MOST_BYTES = environment.number("PUSH_MOST_BYTES", 4 * 1024**2)
PUSH_REFUSALS_TOLD = environment.number("PUSH_REFUSALS_TOLD", 100)  # of one push, in its answer
# At 21 bytes each; what a file has more goes over the disk that the raw files are on.
IMPORT_READINGS_IN_MEMORY = environment.number("IMPORT_READINGS_IN_MEMORY", 6_000_000)
REJECTED_LINES_KEPT = environment.number("REJECTED_LINES_KEPT", 100_000)

# --- Reference data ---------------------------------------------------------------------------------------------------
# A million consumers are about 100 MB of CSV. A file is held in memory while it is read.
REFERENCE_MAX_BYTES = environment.number("REFERENCE_MAX_BYTES", 200 * 1000**2)
# What takes less than a second is answered at once; a larger file is a worker's.
REFERENCE_INLINE_BYTES = environment.number("REFERENCE_INLINE_BYTES", 1000**2)

# --- Detection and cases ----------------------------------------------------------------------------------------------
SCORING_WINDOW_DAYS = environment.number("SCORING_WINDOW_DAYS", 364)
SCORING_SHARD_CONSUMERS = environment.number("SCORING_SHARD_CONSUMERS", 500)
# Whole neighbourhoods up to so many consumers: more of them teach little and take long.
TRAINING_MOST_CONSUMERS = environment.number("TRAINING_MOST_CONSUMERS", 5000)
# full; brief (a minute or two, for a demo) and quick (seconds, for tests) learn from less.
TRAINING_EFFORT = environment.text("TRAINING_EFFORT", "full")
VISIT_BUDGET_PER_WEEK = environment.number("VISIT_BUDGET_PER_WEEK", 10)
CURRENCY = environment.text("CURRENCY", "EUR")

# --- Map --------------------------------------------------------------------------------------------------------------
# Empty: the map draws zones, feeders and transformers from our own data and asks no tile server.
MAP_TILES_URL = environment.text("MAP_TILES_URL", "")
if MAP_TILES_URL:
    tiles = urlsplit(MAP_TILES_URL)
    CONTENT_SECURITY_POLICY["DIRECTIVES"]["img-src"].append(f"{tiles.scheme}://{tiles.netloc.replace('{s}', '*')}")
LEAFLET_CONFIG = {"TILES": MAP_TILES_URL, "RESET_VIEW": False, "NO_GLOBALS": False}

# --- Logs: no personal data, one line an event ------------------------------------------------------------------------
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": "INFO"},
}
