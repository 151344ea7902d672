from django.shortcuts import render


def home(request):
    return render(request, "base.html")


health = map_page = map_data = consumer_search = home


def consumer(request, number):
    return render(request, "base.html")
