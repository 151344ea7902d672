from django.shortcuts import render


def consumers_unassigned(request):
    return render(request, "base.html")
