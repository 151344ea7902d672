"""What stands on the ground, and who looks after it. Links are valid in time; the database refuses overlaps."""

from pathlib import Path

from django.conf import settings
from django.contrib.gis.db import models
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateRangeField, RangeOperators
from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext_lazy as _


class ZoneQuerySet(models.QuerySet):
    def visible_to(self, user):
        """Zones that the user looks after. Supervisors also see the zone of consumers that nobody placed yet."""
        if user.sees_everything:
            return self
        seen = Q(assignments__user=user)
        if user.has_perm("grid.change_consumer"):
            seen |= Q(code=Zone.UNASSIGNED)
        return self.filter(seen).distinct()

    def unassigned(self) -> "Zone":
        """The zone of consumers that came with a file and that nobody has placed yet."""
        return self.get_or_create(code=Zone.UNASSIGNED, defaults={"name": "Unassigned"})[0]


class Zone(models.Model):
    UNASSIGNED = "UNASSIGNED"

    code = models.CharField(_("code"), max_length=32, unique=True)
    name = models.CharField(_("name"), max_length=100)
    area = models.MultiPolygonField(_("area"), null=True, blank=True)
    price_per_kwh = models.DecimalField(
        _("price per kWh"),
        max_digits=8,
        decimal_places=4,
        default=0,
        help_text=_("What a kWh costs a consumer here; turns missing energy into money."),
    )
    visits_per_week = models.PositiveIntegerField(
        _("visits per week"),
        null=True,
        blank=True,
        help_text=_("At most so many new cases a week. Empty: the setting VISIT_BUDGET_PER_WEEK."),
    )

    objects = ZoneQuerySet.as_manager()

    class Meta:
        verbose_name = _("zone")
        verbose_name_plural = _("zones")
        ordering = ["name"]

    def __str__(self):
        return self.name

    @property
    def is_unassigned(self) -> bool:
        return self.code == self.UNASSIGNED

    @property
    def visit_budget(self) -> int:
        return settings.VISIT_BUDGET_PER_WEEK if self.visits_per_week is None else self.visits_per_week


class ZoneAssignment(models.Model):
    """Who looks after a zone."""

    zone = models.ForeignKey(Zone, models.CASCADE, related_name="assignments", verbose_name=_("zone"))
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="zone_assignments", verbose_name=_("user")
    )

    class Meta:
        verbose_name = _("zone assignment")
        verbose_name_plural = _("zone assignments")
        constraints = [models.UniqueConstraint(fields=["user", "zone"], name="one_assignment_per_user_and_zone")]

    def __str__(self):
        return f"{self.user} · {self.zone}"


class Feeder(models.Model):
    code = models.CharField(_("code"), max_length=32, unique=True)
    zone = models.ForeignKey(Zone, models.PROTECT, related_name="feeders", verbose_name=_("zone"))
    path = models.MultiLineStringField(_("path"), null=True, blank=True)

    class Meta:
        verbose_name = _("feeder")
        verbose_name_plural = _("feeders")
        ordering = ["code"]

    def __str__(self):
        return self.code


class Meter(models.Model):
    """Meters are never deleted, only closed: load profiles point at them without a foreign key in the database."""

    class Kind(models.TextChoices):
        CONSUMER = "consumer", _("consumer meter")
        SUM = "sum", _("sum meter of a transformer")

    serial = models.CharField(_("serial number"), max_length=64, unique=True)
    kind = models.CharField(_("kind"), max_length=16, choices=Kind.choices, default=Kind.CONSUMER)
    closed_on = models.DateField(_("closed"), null=True, blank=True)

    class Meta:
        verbose_name = _("meter")
        verbose_name_plural = _("meters")
        ordering = ["serial"]

    def __str__(self):
        return self.serial

    def delete(self, *args, **kwargs):
        raise models.ProtectedError(_("Meters are never deleted: set the day on which it was closed."), {self})


class Transformer(models.Model):
    code = models.CharField(_("code"), max_length=32, unique=True)
    feeder = models.ForeignKey(Feeder, models.PROTECT, related_name="transformers", verbose_name=_("feeder"))
    place = models.PointField(_("place"), null=True, blank=True)
    capacity_kva = models.PositiveIntegerField(_("capacity in kVA"), null=True, blank=True)
    sum_meter = models.OneToOneField(
        Meter, models.PROTECT, null=True, blank=True, related_name="transformer", verbose_name=_("sum meter")
    )

    class Meta:
        verbose_name = _("transformer")
        verbose_name_plural = _("transformers")
        ordering = ["code"]

    def __str__(self):
        return self.code


class ConsumerQuerySet(models.QuerySet):
    def visible_to(self, user):
        if user.sees_everything:
            return self
        return self.filter(zone__in=Zone.objects.visible_to(user))

    def left_behind(self):
        """Made for a meter that nobody knew and that measures somebody else by now; nobody has named or placed them."""
        unknown = {"zone__code": Zone.UNASSIGNED, "kind": Consumer.Kind.UNKNOWN, "name": "", "address": ""}
        named_after = Meter.objects.filter(serial=OuterRef("number"))
        return self.filter(Exists(named_after), **unknown, place=None, installations=None)


class Consumer(models.Model):
    """Who uses energy at one place."""

    class Kind(models.TextChoices):
        HOUSEHOLD = "household", _("household")
        SHOP = "shop", _("shop")
        INDUSTRY = "industry", _("industry")
        UNKNOWN = "unknown", _("unknown")

    number = models.CharField(_("number"), max_length=64, unique=True)
    name = models.CharField(_("name"), max_length=200, blank=True)
    address = models.CharField(_("address"), max_length=200, blank=True)
    kind = models.CharField(_("kind"), max_length=16, choices=Kind.choices, default=Kind.UNKNOWN)
    zone = models.ForeignKey(Zone, models.PROTECT, related_name="consumers", verbose_name=_("zone"))
    place = models.PointField(_("place"), null=True, blank=True)

    objects = ConsumerQuerySet.as_manager()

    class Meta:
        verbose_name = _("consumer")
        verbose_name_plural = _("consumers")
        ordering = ["number"]
        indexes = [models.Index(fields=["zone", "number"], name="consumer_in_zone")]

    def __str__(self):
        return self.number


class ValidInTime(models.Model):
    """A link with its days: [from, to), open-ended while it lasts."""

    valid = DateRangeField(_("valid"))

    class Meta:
        abstract = True


def never_twice_at_once(name: str, *fields: str) -> ExclusionConstraint:
    return ExclusionConstraint(
        name=name,
        expressions=[*((field, RangeOperators.EQUAL) for field in fields), ("valid", RangeOperators.OVERLAPS)],
    )


class LinkQuerySet(models.QuerySet):
    def current(self):
        """Links that have not ended."""
        return self.filter(valid__upper_inf=True)


class Installation(ValidInTime):
    """Which meter measures a consumer, and when. After a replacement both belong to one history."""

    meter = models.ForeignKey(Meter, models.PROTECT, related_name="installations", verbose_name=_("meter"))
    consumer = models.ForeignKey(Consumer, models.PROTECT, related_name="installations", verbose_name=_("consumer"))
    # What the register showed when the meter came and when it went, where somebody wrote it down.
    first_register_kwh = models.DecimalField(
        _("first register value in kWh"), max_digits=14, decimal_places=3, null=True, blank=True
    )
    last_register_kwh = models.DecimalField(
        _("final register value in kWh"), max_digits=14, decimal_places=3, null=True, blank=True
    )

    objects = LinkQuerySet.as_manager()

    class Meta:
        verbose_name = _("installation")
        verbose_name_plural = _("installations")
        constraints = [
            never_twice_at_once("meter_at_one_consumer", "meter"),
            never_twice_at_once("consumer_with_one_meter", "consumer"),
        ]

    def __str__(self):
        return f"{self.meter} → {self.consumer}"


class Contract(models.Model):
    number = models.CharField(_("number"), max_length=64, unique=True)
    tariff = models.CharField(_("tariff"), max_length=64, blank=True)

    class Meta:
        verbose_name = _("contract")
        verbose_name_plural = _("contracts")
        ordering = ["number"]

    def __str__(self):
        return self.number


class Supply(ValidInTime):
    """Under which contract a consumer is supplied, with its status; zero consumption without one is no mystery."""

    class Status(models.TextChoices):
        ACTIVE = "active", _("active")
        SUSPENDED = "suspended", _("suspended")
        ENDED = "ended", _("ended")

    consumer = models.ForeignKey(Consumer, models.PROTECT, related_name="supplies", verbose_name=_("consumer"))
    contract = models.ForeignKey(Contract, models.PROTECT, related_name="supplies", verbose_name=_("contract"))
    status = models.CharField(_("status"), max_length=16, choices=Status.choices, default=Status.ACTIVE)

    objects = LinkQuerySet.as_manager()

    class Meta:
        verbose_name = _("supply")
        verbose_name_plural = _("supplies")
        constraints = [
            never_twice_at_once("contract_of_one_consumer", "contract"),
            never_twice_at_once("consumer_under_one_contract", "consumer"),
        ]

    def __str__(self):
        return f"{self.consumer} · {self.contract}"


class Connection(ValidInTime):
    """From which transformer a consumer is fed."""

    consumer = models.ForeignKey(Consumer, models.PROTECT, related_name="connections", verbose_name=_("consumer"))
    transformer = models.ForeignKey(
        Transformer, models.PROTECT, related_name="connections", verbose_name=_("transformer")
    )

    objects = LinkQuerySet.as_manager()

    class Meta:
        verbose_name = _("connection")
        verbose_name_plural = _("connections")
        constraints = [never_twice_at_once("consumer_at_one_transformer", "consumer")]

    def __str__(self):
        return f"{self.consumer} → {self.transformer}"


def reference_path(reference, filename):
    """The file's own name is somebody's text: it is kept in a field and never becomes a path."""
    return f"reference/{reference.sha256[:2]}/{reference.sha256}"


class ReferenceImportQuerySet(models.QuerySet):
    def visible_to(self, user):
        """A file may name anybody: only its sender and those who see all zones may look inside."""
        if user.sees_everything:
            return self
        return self.filter(by=user)

    def waiting(self):
        return self.filter(status__in=ReferenceImport.WAITING)


class ReferenceImport(models.Model):
    """A file of reference data: what it was taken for, what it changed, and whether that was taken back."""

    class Kind(models.TextChoices):
        ZONES = "zones", _("zones")
        FEEDERS = "feeders", _("feeders")
        TRANSFORMERS = "transformers", _("transformers")
        METERS = "meters", _("meters")
        CONSUMERS = "consumers", _("consumers")
        INSTALLATIONS = "installations", _("which meter is where")
        CONNECTIONS = "connections", _("which transformer feeds whom")
        SUPPLIES = "supplies", _("contracts of consumers")

    class Status(models.TextChoices):
        CHECKING = "checking", _("being checked")
        DRAFT = "draft", _("waiting for your confirmation")
        PENDING = "pending", _("waiting to be applied")
        APPLIED = "applied", _("applied")
        FAILED = "failed", _("failed")
        DISCARDED = "discarded", _("discarded")
        UNDOING = "undoing", _("being taken back")
        UNDONE = "undone", _("taken back")

    ATTEMPTS = 3
    WAITING = [Status.CHECKING, Status.PENDING, Status.UNDOING]

    sender = models.CharField(_("sender"), max_length=100)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="reference_imports", verbose_name=_("sent by")
    )
    at = models.DateTimeField(_("sent"), auto_now_add=True)
    name = models.CharField(_("file"), max_length=255)
    file = models.FileField(upload_to=reference_path, max_length=200)
    size = models.PositiveBigIntegerField(_("size in bytes"))
    sha256 = models.CharField(max_length=64)

    format = models.CharField(_("format"), max_length=16, blank=True)
    kind = models.CharField(_("holds"), max_length=16, choices=Kind.choices, blank=True)
    columns = models.JSONField(_("columns"), default=dict, blank=True)  # by what they hold
    as_of = models.DateField(
        _("as of"), help_text=_("A link that changes without a day of its own changes on this day.")
    )
    strict = models.BooleanField(_("all or nothing"), default=False)
    # By a program: nobody is waited for to confirm it, though a person may.
    dry_run = models.BooleanField(_("dry run"), default=False)

    status = models.CharField(_("status"), max_length=16, choices=Status.choices)
    attempts = models.PositiveSmallIntegerField(default=0)
    error = models.TextField(_("error"), blank=True)
    fraction = models.FloatField(default=0)
    doing = models.CharField(max_length=64, blank=True)
    rows = models.PositiveIntegerField(_("rows"), default=0)
    created = models.PositiveIntegerField(_("created"), default=0)
    changed = models.PositiveIntegerField(_("changed"), default=0)
    same = models.PositiveIntegerField(_("left alone"), default=0)
    refused = models.PositiveIntegerField(_("refused"), default=0)
    # Some rows before and after, where they are, and refused lines with their reasons.
    preview = models.JSONField(default=dict, editable=False)
    refused_lines = models.JSONField(default=list, editable=False)
    compared_at = models.DateTimeField(_("held against what is known"), null=True)
    applied_at = models.DateTimeField(_("applied"), null=True)
    undone_at = models.DateTimeField(_("taken back"), null=True)
    undone_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", null=True, verbose_name=_("taken back by")
    )

    objects = ReferenceImportQuerySet.as_manager()

    class Meta:
        verbose_name = _("import of reference data")
        verbose_name_plural = _("imports of reference data")
        ordering = ["-at", "-pk"]

    def __str__(self):
        return self.name

    @property
    def is_settled(self) -> bool:
        return self.status not in self.WAITING

    @property
    def path(self) -> Path:
        return Path(self.file.path)


class ReferenceChange(models.Model):
    """A row of the grid before and after an import: what happened, and how it is taken back."""

    # Without a constraint: checking it for each of a million rows takes longer than writing them.
    reference = models.ForeignKey(
        ReferenceImport, models.PROTECT, related_name="changes", db_index=False, db_constraint=False
    )
    table = models.CharField(max_length=32)
    row_id = models.BigIntegerField()
    before = models.JSONField(null=True)  # null: the import made the row
    after = models.JSONField()  # of a row that it made, a fingerprint; JSON's null: it deleted the row

    class Meta:
        verbose_name = _("change of reference data")
        verbose_name_plural = _("changes of reference data")
        indexes = [models.Index(fields=["reference", "table"], name="change_of_import")]
