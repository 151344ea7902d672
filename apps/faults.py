"""What may be wrong with a file that somebody sent."""

import re

UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


class FileFault(Exception):
    """The file as a whole cannot be read. The message tells a person what, where, and what to do."""

    def __str__(self) -> str:
        return UNPRINTABLE.sub("�", super().__str__())  # it may quote the file, and PostgreSQL keeps no NUL
