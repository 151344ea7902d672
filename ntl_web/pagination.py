from rest_framework.pagination import LimitOffsetPagination


class Pages(LimitOffsetPagination):
    max_limit = 1000  # who wants more asks again; an answer of a million rows would be built in memory
